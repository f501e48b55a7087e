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

	"google.golang.org/protobuf/encoding/protodelim"

	pb "go.etcd.io/raft/v3/raftpb"
)

// How long the transport waits, which bounds the time from the end of a partition to the first message.
const (
	dialTimeout   = 250 * time.Millisecond
	dialPause     = 50 * time.Millisecond  // from a stream's end to the next dial
	patience      = 500 * time.Millisecond // until what was sent is acknowledged
	snapshotSpeed = 8 << 20                // bytes a second, the least that is expected of a snapshot
	queueMessages = 4096                   // that wait for one peer
)

var errGone = errors.New("this node was removed from the cluster")

// transport carries messages in the bodies of POST /raft requests, one endless request to each peer, and
// one for each snapshot: they are big, and heartbeats must not wait behind them. What is lost is lost: raft
// repeats what matters, and a proposal repeated here could be applied twice.
type transport struct {
	lost   func(id uint64)          // a message to this node was lost; must not block
	sent   func(id uint64, ok bool) // how the delivery of a snapshot ended; must not get lost
	gone   func()                   // a peer says that this node was removed
	warn   func(text string, a ...any)
	ctx    context.Context
	self   uint64
	peers  map[uint64]*peer // the core's
	client http.Client
	done   sync.WaitGroup
}

type peer struct {
	id    uint64
	addr  string
	queue chan *pb.Message
	ctx   context.Context // ends when the peer is none any more
	stop  context.CancelFunc
}

// start readies the transport, without peers. All that it does ends with ctx.
func (t *transport) start(ctx context.Context, self uint64) {
	t.ctx, t.self, t.peers = ctx, self, make(map[uint64]*peer)
	dialer := net.Dialer{Timeout: dialTimeout, Control: limitPatience}
	t.client.Transport = &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, WriteBufferSize: 64 << 10}
}

// wait returns once all goroutines have ended.
func (t *transport) wait() { t.done.Wait() }

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

// Send sends a message, or loses it.
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
	ctx, cancel := context.WithTimeout(p.ctx, patience+time.Second*time.Duration(body.Len())/snapshotSpeed)
	defer cancel()
	return t.post(ctx, p, &body)
}

// drain sends a peer's messages, on one stream after the other.
func (t *transport) drain(p *peer) {
	for down := false; p.ctx.Err() == nil; {
		err := t.stream(p)
		if t.lost(p.id); !down && p.ctx.Err() == nil {
			t.warn("node %d: %v", p.id, err)
		}
		down = errors.Is(err, syscall.ECONNREFUSED) // said once
		select {
		case <-p.ctx.Done():
		case <-time.After(dialPause):
		}
	}
}

// stream sends what there is until that fails. What has waited in vain is out of date, and dropped.
func (t *transport) stream(p *peer) (err error) {
	ctx, end := context.WithCancelCause(p.ctx)
	body, out := io.Pipe()
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		end(cmp.Or(t.post(ctx, p, body), io.EOF))
	}()
	defer func() {
		end(err)
		<-posted
		for range len(p.queue) {
			<-p.queue
		}
	}()
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(context.Cause(ctx)) })
	for buf := bufio.NewWriterSize(out, 64<<10); err == nil; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case m := <-p.queue:
			_, err = protodelim.MarshalTo(buf, m)
		}
		if err == nil && len(p.queue) == 0 {
			err = buf.Flush()
		}
	}
	return err
}

// post hands messages to a peer, which answers when it has taken in all of them.
func (t *transport) post(ctx context.Context, p *peer, body io.Reader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+"/raft", body)
	if err != nil {
		return err
	}
	req.Header.Set("Kv-From", strconv.FormatUint(t.self, 10))
	req.Header.Set("Kv-To", strconv.FormatUint(p.id, 10))
	res, err := t.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // not read
	switch res.StatusCode {
	case http.StatusNoContent:
		return nil
	case http.StatusGone:
		t.gone()
		return errGone
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
