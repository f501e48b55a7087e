package kv

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// streamProtocol is what a POST /raft upgrades to. The sender then writes frames: 4 bytes length,
// big-endian, then that many bytes of messages. The receiver answers one byte for each.
const streamProtocol = "raft-stream"

// stream is the sender's end of a connection that carries messages one way.
type stream struct {
	conn    net.Conn
	release func() bool // from the context that ends it
	broken  atomic.Bool
	mu      sync.Mutex
	unacked []time.Time // when each frame that has not been acknowledged was sent
}

// openStream dials and upgrades. The stream is closed when ctx ends; awaitAcks must follow.
func openStream(ctx context.Context, addr string) (*stream, error) {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &stream{conn: conn}
	s.release = context.AfterFunc(ctx, func() { _ = conn.Close() })
	if err := s.upgrade(addr); err != nil {
		s.close()
		return nil, fmt.Errorf("upgrade: %w", err)
	}
	return s, nil
}

func (s *stream) upgrade(host string) error {
	_ = s.conn.SetDeadline(time.Now().Add(ackTimeout)) // if this fails, or the next, so does the rest
	_, _ = fmt.Fprintf(s.conn, "POST /raft HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: %s\r\n"+
		"Content-Length: 0\r\n\r\n", host, streamProtocol)
	res, err := http.ReadResponse(bufio.NewReader(s.conn), nil)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(res.Status)
	}
	return s.conn.SetDeadline(time.Time{})
}

// close frees a read or a write that hangs, too.
func (s *stream) close() {
	s.broken.Store(true)
	s.release()
	_ = s.conn.Close()
}

// send writes one frame.
func (s *stream) send(frame []byte) error {
	s.mu.Lock()
	s.unacked = append(s.unacked, time.Now())
	if len(s.unacked) == 1 {
		s.expect()
	}
	s.mu.Unlock()
	_, err := s.conn.Write(frame)
	if err != nil {
		s.close()
	}
	return err
}

// awaitAcks reads acknowledgements until the stream is closed, or closes it: because the connection fails,
// or because the oldest frame without an acknowledgement is too old.
func (s *stream) awaitAcks() error {
	defer s.close()
	acks := make([]byte, 512)
	for {
		n, err := s.conn.Read(acks)
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.unacked = slices.Delete(s.unacked, 0, min(n, len(s.unacked)))
		s.expect()
		s.mu.Unlock()
	}
}

// expect sets the moment by which the next acknowledgement must have come.
func (s *stream) expect() {
	var deadline time.Time // none
	if len(s.unacked) > 0 {
		deadline = s.unacked[0].Add(ackTimeout)
	}
	_ = s.conn.SetReadDeadline(deadline) // fails if the connection is closed, as the read then does
}

// serveStream turns a request into the receiver's end of a stream, and serves it until it breaks.
func (n *Node) serveStream(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != streamProtocol {
		n.reply(w, n.failed(refusal(CodeBadRequest, "not an upgrade to "+streamProtocol)))
		return
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		n.reply(w, n.failed(refusal(CodeBadRequest, err.Error())))
		return
	}
	defer func() { _ = conn.Close() }()
	// The server forgets connections that were taken from it.
	defer context.AfterFunc(n.ctx, func() { _ = conn.Close() })()
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n",
		streamProtocol) // if this fails, so does what follows
	err = n.receive(conn, bufio.NewReaderSize(buf, 64<<10))
	if !errors.Is(err, io.EOF) && n.ctx.Err() == nil {
		n.cfg.Logger.Warningf("stream from %s: %v", conn.RemoteAddr(), err)
	}
}

// receive hands one frame after the other to the loop. Acknowledgements wait for each other: a packet for
// each would cost as much as what it acknowledges.
func (n *Node) receive(conn net.Conn, in io.Reader) error {
	var due atomic.Int64
	acks := time.AfterFunc(ackDelay, func() { _, _ = conn.Write(make([]byte, due.Swap(0))) })
	defer acks.Stop()
	var frame bytes.Buffer // used again and again: decoding copies
	for {
		var size [4]byte
		if _, err := io.ReadFull(in, size[:]); err != nil {
			return err
		}
		length := int64(binary.BigEndian.Uint32(size[:]))
		if length > maxRaftBody {
			return fmt.Errorf("frame of %d bytes", length)
		}
		frame.Reset()
		if _, err := io.CopyN(&frame, in, length); err != nil {
			return err
		}
		event, err := n.messages(frame.Bytes())
		if err != nil {
			return err
		}
		n.mustPost(event)
		if due.Add(1) == 1 {
			acks.Reset(ackDelay)
		}
	}
}
