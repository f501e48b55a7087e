package kv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// How long the transport waits. It bounds the time from the end of a partition to the first message that
// gets through: a connection that has lost a packet waits for TCP's time-outs, which double up to
// minutes, so one that does not answer is given up, and the next message dials afresh.
const (
	dialTimeout   = 250 * time.Millisecond
	postTimeout   = 500 * time.Millisecond
	snapshotSpeed = 8 << 20 // bytes a second, the least that is expected of a snapshot
)

// Bounds of a peer's queue, in messages, and of what is sent as one body, in bytes.
const (
	queueMessages = 4096
	postBytes     = 4 << 20
)

// httpTransport is a Transport over HTTP: per peer one queue and one goroutine that empties it, one
// POST at a time. While a POST is under way the queue grows; the next one takes all of it.
type httpTransport struct {
	ctx    context.Context
	client *http.Client
	peers  map[uint64]*peer
	lost   func(id uint64)          // a message to this node was lost; must not block
	sent   func(id uint64, ok bool) // how the delivery of a snapshot ended; must not get lost
	warn   func(text string, a ...any)
	done   sync.WaitGroup
}

type peer struct {
	id    uint64
	addr  string
	queue chan *pb.Message
}

// start runs one sender a peer until ctx ends.
func (t *httpTransport) start(ctx context.Context, self uint64, addrs map[uint64]string) {
	t.ctx = ctx
	t.client = &http.Client{Transport: &http.Transport{
		DialContext:        (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DisableCompression: true,
	}}
	t.peers = make(map[uint64]*peer)
	for id, addr := range addrs {
		if id != self {
			p := &peer{id: id, addr: addr, queue: make(chan *pb.Message, queueMessages)}
			t.peers[id] = p
			t.done.Go(func() { t.drain(p) })
		}
	}
}

// wait returns once all senders have ended.
func (t *httpTransport) wait() {
	t.done.Wait()
	t.client.CloseIdleConnections()
}

// Send implements Transport. Snapshots go on a connection and in a goroutine of their own: they are big,
// and heartbeats must not wait behind them.
func (t *httpTransport) Send(m *pb.Message) {
	p := t.peers[m.GetTo()]
	if p == nil {
		return
	}
	if m.GetType() == pb.MsgSnap {
		t.done.Go(func() { t.sendSnapshot(p, m) })
		return
	}
	select {
	case p.queue <- m:
	default:
		t.lost(p.id)
	}
}

func (t *httpTransport) sendSnapshot(p *peer, m *pb.Message) {
	body, err := appendMessage(nil, m)
	if err == nil {
		err = t.post(p, "/raft/snapshot", body, postTimeout+time.Second*time.Duration(len(body))/snapshotSpeed)
	}
	if err != nil {
		t.warn("snapshot to node %d: %v", p.id, err)
	}
	t.sent(p.id, err == nil)
}

// drain sends a peer's messages until the node stops. What is lost is lost: raft repeats what matters,
// and a proposal repeated here could be applied twice.
func (t *httpTransport) drain(p *peer) {
	broken := false
	for {
		select {
		case <-t.ctx.Done():
			return
		case m := <-p.queue:
			body, err := p.gather(m)
			if err == nil {
				err = t.post(p, "/raft", body, postTimeout)
			}
			if err != nil {
				t.lost(p.id)
			}
			if (err != nil) != broken {
				broken = err != nil
				t.warn("connection to node %d: broken %t (%v)", p.id, broken, err)
			}
		}
	}
}

// gather puts a message, and those that wait behind it, into one body.
func (p *peer) gather(m *pb.Message) (body []byte, err error) {
	runtime.Gosched() // see Node.drain
	for {
		if body, err = appendMessage(body, m); err != nil || len(body) >= postBytes {
			return body, err
		}
		select {
		case m = <-p.queue:
		default:
			return body, nil
		}
	}
}

func (t *httpTransport) post(p *peer, path string, body []byte, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := t.client.Do(req)
	if err != nil {
		t.client.CloseIdleConnections()
		return err
	}
	defer func() { _ = res.Body.Close() }() // nothing in it that is waited for
	if res.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200)) // only for the line below
		return fmt.Errorf("%s: %s", res.Status, text)
	}
	return nil
}
