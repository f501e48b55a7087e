package kv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a node is started with. The core's Storage and Transport are set by Run.
type Config struct {
	CoreConfig                       // ID is the number in Peers; 0: it joins a cluster that lives
	Peers          map[uint64]string // the members at the cluster's birth, this node included, or some to ask: host:port
	Dir            string
	Listen         string // host:port
	Advertise      string // host:port at which the others reach this node
	Tick           time.Duration
	RequestTimeout time.Duration
}

// Node is one running member: a Core, the goroutine that drives it, and its surroundings.
type Node struct {
	cfg  Config
	ctx  context.Context // ends when the node is to stop
	core *Core
	disk *disk
	transport
	mux     http.Handler
	inbox   chan func(*Core)
	others  sync.WaitGroup
	ready   atomic.Bool  // it is a member, or was
	open    atomic.Int64 // requests
	id      atomic.Uint64
	members atomic.Pointer[Members]
}

// Run is a node's life, from its disk to the end of ctx or to an error. A node that is no member yet,
// because its cluster is not born or because it joins, refuses requests until it is.
func Run(ctx context.Context, cfg Config) error {
	n := &Node{cfg: cfg, inbox: make(chan func(*Core), 2*MaxOpenRequests)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	n.ctx, n.mux = ctx, n.routes()
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return err
	}
	server := http.Server{Handler: n, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	n.others.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.mustPost(func(*Core) { panic(fmt.Sprintf("listener: %v", err)) })
		}
	})
	cfg.Logger.Infof("serving on %s", cfg.Listen)
	err = n.live()
	if ctx.Err() != nil {
		err = nil // it was to stop, whatever it was doing
	}
	cancel()
	err = errors.Join(err, server.Close())
	n.done.Wait()
	n.others.Wait()
	if n.disk != nil {
		err = errors.Join(err, n.disk.close())
	}
	return err
}

// live makes the core and drives it. raft panics when what it was promised does not hold; the node ends
// then, as with any error here, and says so.
func (n *Node) live() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	var image *Image
	if n.disk, image, err = openDisk(n.cfg.Dir, n.begin); err != nil {
		return err
	}
	n.id.Store(image.ID)
	n.transport = transport{
		lost: func(id uint64) { n.post(func(c *Core) { c.Unreachable(id) }) },
		sent: func(id uint64, ok bool) { n.mustPost(func(c *Core) { c.SnapshotSent(id, ok) }) },
		gone: func() { n.mustPost((*Core).Removed) },
		warn: n.cfg.Logger.Warningf,
		ctx:  n.ctx, self: image.ID, peers: make(map[uint64]*peer),
	}
	n.cfg.Storage, n.cfg.Transport = n, n
	if n.core, err = NewCore(n.cfg.CoreConfig, *image); err != nil {
		return err
	}
	n.ready.Store(true)
	return n.loop()
}

// loop drives the core.
func (n *Node) loop() error {
	ticker := time.NewTicker(n.cfg.Tick)
	defer ticker.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return nil
		case now := <-ticker.C:
			n.core.Tick(now)
			if err := n.cfg.Journal.Flush(); err != nil {
				return fmt.Errorf("journal: %w", err)
			}
		case event := <-n.inbox:
			n.drain(event)
		}
		if err := n.core.Process(); err != nil {
			return err
		}
	}
}

// drain takes in everything that has come meanwhile, so that one turn, one write and one round trip serve
// all of it. It first lets those run who are about to add to it: that saves a fifth of all processor time.
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

// Save implements Storage. While the disk syncs, the loop confirms reads, answers heartbeats and gathers
// what goes into the next write.
func (n *Node) Save(w *Write) {
	n.others.Go(func() {
		err := n.disk.write(w)
		n.mustPost(func(c *Core) { c.Saved(err) })
	})
}

// SetPeers implements Transport, with the transport's Send.
func (n *Node) SetPeers(m Members) {
	n.members.Store(&m)
	n.setPeers(m.Addrs)
}
