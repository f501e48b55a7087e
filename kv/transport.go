package kv

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/encoding/protodelim"
)

// How long the transport waits, which bounds the time from the end of a partition to the first message.
const (
	dialTimeout   = 250 * time.Millisecond
	dialPause     = 50 * time.Millisecond  // from a stream's end to the next dial
	patience      = 500 * time.Millisecond // until what was sent is acknowledged
	snapshotSpeed = 8 << 20                // bytes a second, the least that is expected of a snapshot
	queueMessages = 4096                   // that wait for one peer
)

// transport carries messages in the bodies of POST /raft requests, one endless request to each peer, and
// one for each snapshot: they are big, and heartbeats must not wait behind them. What is lost is lost: raft
// repeats what matters, and a proposal repeated here could be applied twice.
type transport struct {
	lost  func(id uint64)          // a message to this node was lost; must not block
	sent  func(id uint64, ok bool) // how the delivery of a snapshot ended; must not get lost
	gone  func()                   // a peer says that this node was removed
	warn  func(text string, a ...any)
	ctx   context.Context
	self  uint64
	peers map[uint64]*peer // the core's
	done  sync.WaitGroup
}

type peer struct {
	id    uint64
	addr  string
	queue chan *pb.Message
	ctx   context.Context // ends when the peer is none any more
	stop  context.CancelFunc
}

// setPeers says who there is: host:port by id. Whoever has another address than before is another peer.
func (t *transport) setPeers(addrs map[uint64]string) {
	for id, p := range t.peers {
		if addrs[id] != p.addr {
			p.stop()
			delete(t.peers, id)
		}
	}
	for id, addr := range addrs {
		if id == t.self || t.peers[id] != nil {
			continue
		}
		p := &peer{id: id, addr: addr, queue: make(chan *pb.Message, queueMessages)}
		p.ctx, p.stop = context.WithCancel(t.ctx)
		t.peers[id] = p
		t.done.Go(func() { t.drain(p) })
	}
}

// Send hands a message to its peer's sender, or loses it.
func (t *transport) Send(m *pb.Message) {
	p := t.peers[m.GetTo()]
	switch {
	case p == nil:
	case m.GetType() == pb.MsgSnap:
		t.done.Go(func() {
			err := t.sendSnapshot(p, m)
			if err != nil {
				t.warn("snapshot to node %d: %v", p.id, err)
			}
			t.sent(p.id, err == nil)
		})
	default:
		select {
		case p.queue <- m:
		default:
			t.lost(p.id)
		}
	}
}

func (t *transport) sendSnapshot(p *peer, m *pb.Message) error {
	var body bytes.Buffer
	if _, err := protodelim.MarshalTo(&body, m); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, 4*patience+time.Second*time.Duration(body.Len())/snapshotSpeed)
	defer cancel()
	return t.post(ctx, cancel, p, &body)
}

// drain sends a peer's messages, on one stream after the other. What has waited in vain is out of date, and
// dropped.
func (t *transport) drain(p *peer) {
	for down := false; p.ctx.Err() == nil; {
		ctx, end := context.WithCancel(p.ctx)
		err := t.post(p.ctx, end, p, &stream{peer: p, ctx: ctx})
		end()
		for range len(p.queue) {
			<-p.queue
		}
		if t.lost(p.id); !down && p.ctx.Err() == nil {
			t.warn("node %d: %v", p.id, err)
		}
		down = err != nil // said once
		select {
		case <-p.ctx.Done():
		case <-time.After(dialPause):
		}
	}
}

// stream is the body of an endless request: what waits for a peer.
type stream struct {
	*peer
	ctx context.Context
	buf bytes.Buffer
}

// Read waits for messages and takes as many as there are.
func (s *stream) Read(b []byte) (int, error) {
	if s.buf.Len() == 0 {
		select {
		case <-s.ctx.Done():
			return 0, s.ctx.Err()
		case m := <-s.queue:
			_, _ = protodelim.MarshalTo(&s.buf, m) // nothing in a raft message can fail, nor does a buffer
		}
	}
	for s.buf.Len() < len(b) && len(s.queue) > 0 {
		_, _ = protodelim.MarshalTo(&s.buf, <-s.queue)
	}
	return s.buf.Read(b)
}

// watched is a connection that tells when it is closed: net/http first waits for the end of the request, which
// may have none.
type watched struct {
	net.Conn
	end func()
}

func (w watched) Close() error {
	w.end()
	return w.Conn.Close()
}

// post hands messages to a peer, which answers when it has taken in all of them. It calls end when it has hung up.
func (t *transport) post(ctx context.Context, end func(), p *peer, body io.Reader) error {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: dialTimeout, Control: limitPatience}).DialContext(ctx, network, addr)
		return watched{conn, end}, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, WriteBufferSize: 64 << 10}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+"/raft", body)
	if err != nil {
		return err
	}
	req.Header = http.Header{"Kv-From": {strconv.FormatUint(t.self, 10)}, "Kv-To": {strconv.FormatUint(p.id, 10)}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // not read
	switch res.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusGone:
		t.gone()
		return errors.New("this node was removed from the cluster")
	}
	return fmt.Errorf("it answers %s", res.Status)
}

// limitPatience has the kernel close a connection when what was sent on it is not acknowledged in time.
// TCP itself would keep trying for a quarter of an hour, in intervals that double, so that a connection
// may stay silent for minutes after a partition has ended. Only Linux can be told so in milliseconds.
func limitPatience(_, _ string, c syscall.RawConn) (err error) {
	const tcpUserTimeout = 18
	if runtime.GOOS != "linux" {
		return nil
	}
	failed := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(patience.Milliseconds()))
	})
	return cmp.Or(failed, err)
}

// messageBytes bounds a message. A snapshot, whose length is announced, may be 16 times as long.
const messageBytes = 64 << 20

// serveStream hands the messages of another node to the loop, as many at once as have come.
func (n *Node) serveStream(w http.ResponseWriter, r *http.Request) {
	self := n.id.Load()
	from, err := strconv.ParseUint(r.Header.Get("Kv-From"), 10, 64)
	if err != nil || from == self || r.Header.Get("Kv-To") != strconv.FormatUint(self, 10) {
		n.refuse(w, refusal(CodeBadRequest, fmt.Sprintf("this is node %d", self)))
		return
	}
	in := bufio.NewReaderSize(r.Body, 64<<10)
	for err == nil {
		if m := n.members.Load(); from <= m.Last && m.Addrs[from] == "" {
			n.refuse(w, refusal(CodeRemoved, fmt.Sprintf("node %d was removed", from)))
			return
		}
		var messages []*pb.Message
		for more := true; err == nil && more; more = in.Buffered() > 0 {
			m := new(pb.Message)
			if err = (protodelim.UnmarshalOptions{MaxSize: min(max(r.ContentLength, messageBytes), 16*messageBytes)}).UnmarshalFrom(in, m); err == nil {
				messages = append(messages, m)
				err = sound(m, from, self)
			}
		}
		if err == nil {
			n.mustPost(func(c *Core) {
				for _, m := range messages {
					c.Step(m)
				}
			})
		}
	}
	if errors.Is(err, io.EOF) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if n.ctx.Err() == nil {
		n.cfg.Logger.Warningf("stream from node %d: %v", from, err)
	}
	n.refuse(w, refusal(CodeBadRequest, err.Error()))
}

// sound refuses what no honest node sends: raft trusts its peers, and answers much of it with a panic. A
// message is of the node that hands it over, unless it is a proposal or a question for a read index: those
// have no term, and a node that has ceased to lead passes them on.
func sound(m *pb.Message, from, to uint64) error {
	ok := m.GetTo() == to && m.GetTerm() != 0 && m.GetFrom() == from
	switch m.GetType() {
	case pb.MsgProp:
		ok = m.GetTo() == to && m.GetTerm() == 0 && len(m.GetEntries()) > 0
		for _, e := range m.GetEntries() {
			c, err := decodeEntry(e.GetData())
			ok = ok && err == nil && c.Change == nil && e.GetType() == pb.EntryNormal
		}
	case pb.MsgReadIndex:
		ok = m.GetTo() == to && m.GetTerm() == 0 && len(m.GetEntries()) == 1
	case pb.MsgReadIndexResp:
		ok = ok && len(m.GetEntries()) == 1
	case pb.MsgSnap:
		_, err := decodeState(m.GetSnapshot().GetData())
		ok = ok && err == nil
	case pb.MsgApp:
		for i, e := range m.GetEntries() {
			ok = ok && e.GetIndex() == m.GetIndex()+uint64(i)+1
		}
	case pb.MsgHeartbeat, pb.MsgHeartbeatResp:
		ok = ok && (len(m.GetContext()) == 0 || len(m.GetContext()) == 8)
	case pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgTimeoutNow:
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("unsound message %s from %d to %d", m.GetType(), m.GetFrom(), m.GetTo())
	}
	return nil
}
