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

	pb "go.etcd.io/raft/v3/raftpb"
)

// Config is what a node is started with. The core's Storage and Transport are set by Start.
type Config struct {
	CoreConfig                       // ID is the number in Peers; 0: it joins a cluster that lives
	Peers          map[uint64]string // the members at the cluster's birth, this node included, or some to ask: host:port
	Dir            string
	Listen         string // host:port
	Advertise      string // host:port at which the others reach this node
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
	transport transport
	mux       http.Handler
	server    http.Server
	inbox     chan func(*Core)
	writes    chan *Write
	others    sync.WaitGroup
	ready     atomic.Bool  // it is a member, or was
	open      atomic.Int64 // requests
	// What the core has last said, for those who do not ask it.
	id, term, applied atomic.Uint64
	members           atomic.Pointer[Members]

	ctx     context.Context // ends when the node is to stop
	cancel  context.CancelFunc
	stopped chan struct{}
	err     error // why it stopped; to be read after stopped
}

// Start opens the node's disk and begins to serve. A node that is no member yet, because its cluster is
// not born or because it joins, refuses requests until it is.
func Start(cfg Config) (_ *Node, err error) {
	n := &Node{
		cfg: cfg, inbox: make(chan func(*Core), inboxSize), writes: make(chan *Write, 1),
		stopped: make(chan struct{}),
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, err
	}
	n.mux = n.routes()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	var image *Image
	if n.disk, image, err = openDisk(cfg.Dir); err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(n.ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, errors.Join(err, n.disk.close())
	}
	n.server = http.Server{Handler: n, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	n.others.Go(func() {
		if err := n.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.mustPost(func(*Core) { panic(fmt.Sprintf("listener: %v", err)) })
		}
	})
	go n.run(image)
	return n, nil
}

// prepare makes the core, from an image that it first has to find if the disk has none.
func (n *Node) prepare(image *Image) (err error) {
	if image == nil {
		begin := n.beBorn
		if n.cfg.ID == 0 {
			begin = n.join
		}
		if image, err = begin(); err != nil {
			return err
		}
		if err := createDisk(n.cfg.Dir, image); err != nil {
			return err
		}
		if n.disk, image, err = openDisk(n.cfg.Dir); err != nil {
			return err
		}
	}
	n.id.Store(image.ID)
	n.transport.lost = func(id uint64) { n.post(func(c *Core) { c.Unreachable(id) }) }
	n.transport.sent = func(id uint64, ok bool) { n.mustPost(func(c *Core) { c.SnapshotSent(id, ok) }) }
	n.transport.gone = func() { n.mustPost((*Core).Removed) }
	n.transport.warn = n.cfg.Logger.Warningf
	n.transport.start(n.ctx, image.ID)
	n.cfg.Storage, n.cfg.Transport = n, n
	if n.core, err = NewCore(n.cfg.CoreConfig, *image); err != nil {
		return err
	}
	n.others.Go(n.saveAll)
	n.ready.Store(true)
	return nil
}

// Send implements Transport.
func (n *Node) Send(m *pb.Message) { n.transport.Send(m) }

// SetPeers implements Transport.
func (n *Node) SetPeers(m Members) {
	n.members.Store(&m)
	n.transport.setPeers(m.Addrs)
}

// banned says whether a node was a member once, and is none any more.
func (n *Node) banned(id uint64) bool {
	m := n.members.Load()
	return m != nil && id <= m.Last && m.Addrs[id] == ""
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
func (n *Node) run(image *Image) {
	err := n.live(image)
	if n.ctx.Err() != nil {
		err = nil // it was stopped, whatever it was doing
	}
	n.cancel()
	n.transport.wait()
	moment, done := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer done()
	_ = n.server.Shutdown(moment) // what has not been answered in that time is cut off
	n.err = errors.Join(err, n.server.Close())
	n.others.Wait()
	n.err = errors.Join(n.err, n.disk.close())
	close(n.stopped)
}

// live is prepare and loop. raft panics when what it was promised does not hold; the node ends then, as with
// any error here, and says so.
func (n *Node) live(image *Image) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v\n%s", p, debug.Stack())
		}
	}()
	if err := n.prepare(image); err != nil {
		return err
	}
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
