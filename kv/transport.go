package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// How long the transport waits. It bounds the time from the end of a partition to the first message that
// gets through: a connection that has lost a packet waits for TCP's time-outs, which double up to
// minutes, so a stream that does not acknowledge is given up, and the next message dials afresh.
const (
	dialTimeout   = 250 * time.Millisecond
	dialPause     = 75 * time.Millisecond // at least, from one dial to the next
	ackTimeout    = 500 * time.Millisecond
	ackDelay      = 50 * time.Millisecond
	snapshotSpeed = 8 << 20 // bytes a second, the least that is expected of a snapshot
)

// Bounds of a peer's queue, in messages, and of what is sent as one frame, in bytes.
const (
	queueMessages = 4096
	frameBytes    = 4 << 20
)

// transport is a Transport over TCP: per peer one queue, one stream and one goroutine that empties the
// one into the other. While it writes the queue grows; the next frame takes all of it.
type transport struct {
	ctx   context.Context
	peers map[uint64]*peer
	lost  func(id uint64)          // a message to this node was lost; must not block
	sent  func(id uint64, ok bool) // how the delivery of a snapshot ended; must not get lost
	warn  func(text string, a ...any)
	done  sync.WaitGroup
}

type peer struct {
	id    uint64
	addr  string
	queue chan *pb.Message

	dialled time.Time // last
	down    bool      // it was in vain
}

// start runs one sender a peer until ctx ends.
func (t *transport) start(ctx context.Context, self uint64, addrs map[uint64]string) {
	t.ctx = ctx
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
func (t *transport) wait() { t.done.Wait() }

// Send implements Transport. Snapshots go on a connection and in a goroutine of their own: they are big,
// and heartbeats must not wait behind them.
func (t *transport) Send(m *pb.Message) {
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

func (t *transport) sendSnapshot(p *peer, m *pb.Message) {
	body, err := appendMessage(nil, m)
	if err == nil {
		err = t.post("http://"+p.addr+"/raft/snapshot", body)
	}
	if err != nil {
		t.warn("snapshot to node %d: %v", p.id, err)
	}
	t.sent(p.id, err == nil)
}

func (t *transport) post(url string, body []byte) error {
	timeout := ackTimeout + time.Second*time.Duration(len(body))/snapshotSpeed
	ctx, cancel := context.WithTimeout(t.ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // nothing in it that is waited for
	if res.StatusCode != http.StatusNoContent {
		return errors.New(res.Status)
	}
	return nil
}

// drain sends a peer's messages until the node stops. What is lost is lost: raft repeats what matters,
// and a proposal repeated here could be applied twice.
func (t *transport) drain(p *peer) {
	var s *stream
	var frame []byte
	for {
		select {
		case <-t.ctx.Done():
			return
		case m := <-p.queue:
			var err error
			if s == nil || s.broken.Load() {
				s, err = t.open(p)
			}
			if err == nil {
				frame, err = p.gather(frame, m)
			}
			if err == nil {
				err = s.send(frame)
			}
			if err != nil {
				t.lost(p.id)
			}
		}
	}
}

// gather puts a message, and those that wait behind it, into one frame, in an earlier one's memory.
func (p *peer) gather(frame []byte, m *pb.Message) (_ []byte, err error) {
	runtime.Gosched() // see Node.drain
	frame = append(frame[:0], 0, 0, 0, 0)
	for m != nil {
		if frame, err = appendMessage(frame, m); err != nil {
			return nil, err
		}
		m = nil
		if len(frame) < frameBytes && len(p.queue) > 0 {
			m = <-p.queue // nobody else takes from it
		}
	}
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	return frame, nil
}

// open makes a stream to a peer, though not at once if that has just been tried. What waited for it in
// vain is out of date and dropped.
func (t *transport) open(p *peer) (*stream, error) {
	select {
	case <-t.ctx.Done():
		return nil, t.ctx.Err()
	case <-time.After(time.Until(p.dialled.Add(dialPause))):
	}
	p.dialled = time.Now()
	s, err := openStream(t.ctx, p.addr)
	if (err != nil) != p.down && t.ctx.Err() == nil {
		p.down = err != nil
		t.warn("node %d: down %t (%v)", p.id, p.down, err)
	}
	if err != nil {
		for range len(p.queue) {
			<-p.queue
		}
		return nil, err
	}
	t.done.Go(func() {
		if err := s.awaitAcks(); t.ctx.Err() == nil {
			t.warn("stream to node %d: %v", p.id, err)
		}
		t.lost(p.id)
	})
	return s, nil
}
