package kv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/raft/v3"
)

// Config is what a node is started with.
type Config struct {
	ID             uint64
	Peers          map[uint64]string // all members, this node included: host:port
	Dir            string
	ApplyLog       string // path; empty: none
	Listen         string // host:port
	Boot           uint64 // random, new at each start
	Tick           time.Duration
	HeartbeatTicks int
	ElectionTicks  int
	SnapshotEvery  uint64
	RequestTimeout time.Duration
	Logger         raft.Logger
}

// inboxSize bounds what waits for the loop: every open request and the messages of many peers.
const inboxSize = 2 * MaxOpenRequests

// Node is one running member: a Core, the goroutine that drives it, and its surroundings.
type Node struct {
	cfg       Config
	core      *Core
	disk      *disk
	journal   *ApplyLog
	transport httpTransport
	server    http.Server
	inbox     chan func(*Core)
	writes    chan *Write
	saver     sync.WaitGroup
	open      atomic.Int64  // requests
	term      atomic.Uint64 // the core's, for answers that it had no part in
	applied   atomic.Uint64
	cancel    context.CancelFunc
	stopped   chan struct{}
	err       error // why it stopped; to be read after stopped
}

// Start opens the node's disk, applies what is known to be committed, and only then begins to serve.
func Start(cfg Config) (*Node, error) {
	n := &Node{
		cfg: cfg, inbox: make(chan func(*Core), inboxSize), writes: make(chan *Write, 1),
		stopped: make(chan struct{}),
	}
	var image Image
	var err error
	if n.journal, err = OpenApplyLog(cfg.ApplyLog); err != nil {
		return nil, fmt.Errorf("apply log: %w", err)
	}
	n.disk, image, err = openDisk(cfg.Dir, cfg.ID, slices.Sorted(maps.Keys(cfg.Peers)))
	if err != nil {
		return nil, errors.Join(err, n.journal.Close())
	}
	if err := n.serve(image); err != nil {
		return nil, errors.Join(err, n.journal.Close(), n.disk.db.Close())
	}
	return n, nil
}

func (n *Node) serve(image Image) (err error) {
	n.core, err = NewCore(CoreConfig{
		ID: n.cfg.ID, Boot: n.cfg.Boot,
		ElectionTicks: n.cfg.ElectionTicks, HeartbeatTicks: n.cfg.HeartbeatTicks,
		SnapshotEvery: n.cfg.SnapshotEvery,
		Storage:       n, Transport: &n.transport, Journal: n.journal, Logger: n.cfg.Logger,
	}, image)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", n.cfg.Listen)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	n.transport.lost = func(id uint64) { n.post(func(c *Core) { c.Unreachable(id) }) }
	n.transport.sent = func(id uint64, ok bool) { n.mustPost(ctx, func(c *Core) { c.SnapshotSent(id, ok) }) }
	n.transport.warn = n.cfg.Logger.Warningf
	n.transport.start(ctx, n.cfg.ID, n.cfg.Peers)
	n.server = http.Server{Handler: n, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	n.saver.Go(func() { n.saveAll(ctx) })
	go n.run(ctx)
	go func() {
		if err := n.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.mustPost(ctx, func(*Core) { panic(fmt.Sprintf("listener: %v", err)) })
		}
	}()
	return nil
}

// Stop ends the node, waits for its end, and returns the error that ended it, if there was one.
func (n *Node) Stop() error {
	n.cancel()
	<-n.stopped
	return n.err
}

// Stopped is closed when the node has ended, by Stop or by an error.
func (n *Node) Stopped() <-chan struct{} { return n.stopped }

// run is the node's life. Whatever ends it, the open requests are answered and the files closed.
func (n *Node) run(ctx context.Context) {
	err := n.loop(ctx)
	n.cancel()
	n.core.Stop()
	n.transport.wait()
	n.saver.Wait()
	n.err = errors.Join(err, n.server.Close(), n.journal.Close(), n.disk.db.Close())
	close(n.stopped)
}

// loop drives the core. raft and bbolt panic when what they were promised does not hold; the node ends
// then, as with any error here, and says so.
func (n *Node) loop(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	ticker := time.NewTicker(n.cfg.Tick)
	defer ticker.Stop()
	flushed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			n.core.Tick(now)
		case event := <-n.inbox:
			event(n.core)
			n.drain()
		}
		if err := n.core.Process(); err != nil {
			return err
		}
		n.term.Store(n.core.hard.GetTerm())
		n.applied.Store(n.core.applied)
		if len(n.inbox) == 0 || time.Since(flushed) > 100*time.Millisecond {
			if err := n.journal.Flush(); err != nil {
				return fmt.Errorf("apply log: %w", err)
			}
			flushed = time.Now()
		}
	}
}

// drain takes in everything that has come meanwhile, so that one turn, one write and one round trip
// serve all of it.
func (n *Node) drain() {
	for range len(n.inbox) {
		(<-n.inbox)(n.core)
	}
}

// post hands an event to the loop, unless too many wait already.
func (n *Node) post(event func(*Core)) bool {
	select {
	case n.inbox <- event:
		return true
	default:
		return false
	}
}

// mustPost hands an event to the loop, however long that takes, unless the node stops.
func (n *Node) mustPost(ctx context.Context, event func(*Core)) {
	select {
	case n.inbox <- event:
	case <-ctx.Done():
	}
}

// Save implements Storage. It does not block: the core begins one write at a time.
func (n *Node) Save(w *Write) { n.writes <- w }

// saveAll carries out the core's writes. It has a goroutine of its own: while the disk syncs, the loop
// confirms reads, answers heartbeats and gathers what goes into the next write.
func (n *Node) saveAll(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-n.writes:
			err := n.disk.write(w)
			n.mustPost(ctx, func(c *Core) { c.Saved(err) })
		}
	}
}
