package kv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
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

// Bounds of a peer's queue, and of the part of it that is sent as one body.
const (
	queueMessages = 4096
	queueBytes    = 32 << 20
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
	id   uint64
	addr string
	wake chan struct{}

	mu    sync.Mutex
	queue []*pb.Message
	bytes int
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
			p := &peer{id: id, addr: addr, wake: make(chan struct{}, 1)}
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
	switch {
	case p == nil:
		t.lost(m.GetTo())
	case m.GetType() == pb.MsgSnap:
		t.done.Go(func() {
			timeout := postTimeout + time.Second*time.Duration(len(m.GetSnapshot().GetData()))/snapshotSpeed
			_, err := t.post(p, "/raft/snapshot", nil, []*pb.Message{m}, timeout)
			if err != nil {
				t.warn("snapshot to node %d: %v", p.id, err)
			}
			t.sent(p.id, err == nil)
		})
	case !p.push(m):
		t.lost(p.id)
	}
}

func messageSize(m *pb.Message) int {
	n := 64
	for _, e := range m.GetEntries() {
		n += len(e.GetData()) + 24
	}
	return n
}

// push queues a message, or says that the queue is full.
func (p *peer) push(m *pb.Message) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := messageSize(m)
	if len(p.queue) >= queueMessages || p.bytes+size > queueBytes {
		return false
	}
	p.queue = append(p.queue, m)
	p.bytes += size
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return true
}

// take removes what goes into one body.
func (p *peer) take() []*pb.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, n := 0, 0
	for n < len(p.queue) && size < postBytes {
		size += messageSize(p.queue[n])
		n++
	}
	batch := slices.Clone(p.queue[:n])
	p.queue = slices.Delete(p.queue, 0, n)
	p.bytes -= size
	return batch
}

// drain sends a peer's messages until the node stops. What is lost is lost: raft repeats what matters,
// and a proposal repeated here could be applied twice.
func (t *httpTransport) drain(p *peer) {
	var body []byte
	broken := false
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-p.wake:
		}
		for batch := p.take(); len(batch) > 0 && t.ctx.Err() == nil; batch = p.take() {
			var err error
			if body, err = t.post(p, "/raft", body[:0], batch, postTimeout); err != nil {
				t.lost(p.id)
			}
			if (err != nil) != broken {
				broken = err != nil
				t.warn("connection to node %d: broken %t (%v)", p.id, broken, err)
			}
		}
	}
}

// post sends messages as one request, and returns the buffer that it filled.
func (t *httpTransport) post(
	p *peer, path string, body []byte, batch []*pb.Message, timeout time.Duration,
) ([]byte, error) {
	for _, m := range batch {
		var err error
		if body, err = appendMessage(body, m); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.addr+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := t.client.Do(req)
	if err != nil {
		t.client.CloseIdleConnections()
		return nil, err // and not the buffer: the transport may still be reading it
	}
	defer func() { _ = res.Body.Close() }() // nothing in it that is waited for
	if res.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 200)) // only for the line below
		return nil, fmt.Errorf("%s: %s", res.Status, text)
	}
	return body, nil
}
