package kv

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a node is started with. Start itself sets the core's Storage, Transport and Journal.
type Config struct {
	CoreConfig
	Peers          map[uint64]string // all members, this node included: host:port
	Dir            string
	ApplyLog       string // path; empty: none
	Listen         string // host:port
	Tick           time.Duration
	RequestTimeout time.Duration
}

// inboxSize bounds what waits for the loop: every open request and the messages of many peers.
const inboxSize = 2 * MaxOpenRequests

// Node is one running member: a Core, the goroutine that drives it, and its surroundings.
type Node struct {
	cfg       Config
	core      *Core
	disk      *disk
	journal   *ApplyLog
	transport transport
	server    http.Server
	inbox     chan func(*Core)
	writes    chan *Write
	saver     sync.WaitGroup
	open      atomic.Int64  // requests
	term      atomic.Uint64 // the core's, for answers that it had no part in
	applied   atomic.Uint64
	ctx       context.Context // ends when the node is to stop
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
	n.cfg.Storage, n.cfg.Transport, n.cfg.Journal = n, &n.transport, n.journal
	if n.core, err = NewCore(n.cfg.CoreConfig, image); err != nil {
		return err
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(n.ctx, "tcp", n.cfg.Listen)
	if err != nil {
		n.cancel()
		return err
	}
	n.transport.lost = func(id uint64) { n.post(func(c *Core) { c.Unreachable(id) }) }
	n.transport.sent = func(id uint64, ok bool) { n.mustPost(func(c *Core) { c.SnapshotSent(id, ok) }) }
	n.transport.warn = n.cfg.Logger.Warningf
	n.transport.start(n.ctx, n.cfg.ID, n.cfg.Peers)
	n.server = http.Server{Handler: n, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	n.saver.Go(n.saveAll)
	go n.run()
	go func() {
		if err := n.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.mustPost(func(*Core) { panic(fmt.Sprintf("listener: %v", err)) })
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
func (n *Node) run() {
	err := n.loop()
	n.cancel()
	n.transport.wait()
	n.saver.Wait()
	moment, done := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer done()
	_ = n.server.Shutdown(moment) // what has not been answered in that time is cut off
	n.err = errors.Join(err, n.server.Close(), n.journal.Close(), n.disk.db.Close())
	close(n.stopped)
}

// loop drives the core. raft and bbolt panic when what they were promised does not hold; the node ends
// then, as with any error here, and says so.
func (n *Node) loop() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	ticker := time.NewTicker(n.cfg.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return nil
		case now := <-ticker.C:
			n.core.Tick(now)
			if err := n.journal.Flush(); err != nil {
				return fmt.Errorf("apply log: %w", err)
			}
		case event := <-n.inbox:
			n.drain(event)
		}
		if err := n.core.Process(); err != nil {
			return err
		}
		n.term.Store(n.core.hard.GetTerm())
		n.applied.Store(n.core.applied)
	}
}

// drain takes in everything that has come meanwhile, so that one turn, one write and one round trip
// serve all of it.
//
// It first lets those run who are about to add to it: on few processors that makes batches so much bigger
// that a fifth of all processor time is saved.
func (n *Node) drain(first func(*Core)) {
	runtime.Gosched()
	first(n.core)
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
func (n *Node) mustPost(event func(*Core)) {
	select {
	case n.inbox <- event:
	case <-n.ctx.Done():
	}
}

// Save implements Storage. It does not block: the core begins one write at a time.
func (n *Node) Save(w *Write) { n.writes <- w }

// saveAll carries out the core's writes. It has a goroutine of its own: while the disk syncs, the loop
// confirms reads, answers heartbeats and gathers what goes into the next write.
func (n *Node) saveAll() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case w := <-n.writes:
			err := n.disk.write(w)
			n.mustPost(func(c *Core) { c.Saved(err) })
		}
	}
}
