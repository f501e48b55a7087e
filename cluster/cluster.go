// Package cluster is where nodes run: today as processes in the sandbox, each with a network
// namespace, a data directory and a log of its own. It starts, kills, pauses and resumes them, wipes
// their disks, and cuts the network between them.
//
// It does not know what the processes are, when they are ready, or why somebody wants them dead:
// systems and faults do.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"ordeal/internal/netfault"
	"ordeal/internal/sandbox"
)

// teardownMax bounds Close. Killing takes milliseconds unless a process hangs in the kernel.
const teardownMax = 5 * time.Second

// Peer is a node as its peers know it.
type Peer struct {
	ID   string
	Addr netip.Addr
}

// NodeSpec is what a node's command is made from.
type NodeSpec struct {
	ID       string     // "n1"
	Index    int        // from 1
	Addr     netip.Addr // its only address besides 127.0.0.1; every port of it is free
	Peers    []Peer     // all nodes, itself included, in order
	Dir      string     // its data directory and working directory: absolute, exists, survives restarts
	ApplyLog string     // absolute path of nodes/n1.apply.jsonl, for nodes that log what they apply
}

// Options is what a cluster is made from.
type Options struct {
	Nodes int    // how many, from 1
	Dir   string // the run directory: logs in Dir/nodes/n1.log, data in Dir/data/n1
	// Command returns how a node is started, and is asked at every start. It may be called for
	// several nodes at once.
	Command func(NodeSpec) (Command, error)
	// Elapsed is the run's clock, for the arrival times in logs; nil counts from New.
	Elapsed func() time.Duration
	// Exited, which may be nil, is told of a node that ended though nobody killed it, and how, for
	// instance "exit status 2" or "signal: segmentation fault". It is called on a goroutine of the
	// node, after its State is Down, and may start it again. Close waits for it to return, so it
	// must not call Close.
	Exited func(id, state string)
}

// State is what a node's process is doing.
type State int

// A node is Down before its first start and after its end, whoever ended it.
const (
	Down State = iota
	Running
	Paused
)

// String returns "down", "running" or "paused".
func (s State) String() string {
	switch s {
	case Down:
		return "down"
	case Running:
		return "running"
	case Paused:
		return "paused"
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// Cluster is a set of nodes and their network. Its methods may be called concurrently; those that
// act on one node take turns.
type Cluster struct {
	nodes    []*node
	byID     map[string]*node
	firewall *netfault.Firewall
	star     *sandbox.Star

	closing  sync.Once
	closeErr error
}

// New makes directories, logs and the network, and starts nothing. It must be called in a sandbox
// (see sandbox.Enter), which has room for one cluster at a time. ctx bounds New only; the cluster
// lasts until Close.
func New(ctx context.Context, o Options) (*Cluster, error) {
	if o.Command == nil {
		return nil, errors.New("new cluster: Options.Command is nil")
	}
	if o.Elapsed == nil {
		began := time.Now()
		o.Elapsed = func() time.Duration { return time.Since(began) }
	}
	specs, err := layOut(o)
	if err != nil {
		return nil, fmt.Errorf("new cluster: %w", err)
	}
	c := &Cluster{byID: map[string]*node{}}
	if err := c.build(ctx, o, specs); err != nil {
		return nil, errors.Join(fmt.Errorf("new cluster: %w", err), c.Close())
	}
	return c, nil
}

// build makes the network, then what each node needs of its own.
func (c *Cluster) build(ctx context.Context, o Options, specs []NodeSpec) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.star, err = sandbox.NewStar(len(specs)); err != nil {
		return err
	}
	if c.firewall, err = netfault.Open(ctx); err != nil {
		return err
	}
	for i := range specs {
		specs[i].Addr = c.star.Addr(specs[i].Index)
		for _, s := range specs {
			specs[i].Peers = append(specs[i].Peers, Peer{ID: s.ID, Addr: c.star.Addr(s.Index)})
		}
	}
	for _, s := range specs {
		n, err := newNode(s, o, c.star)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
		c.byID[s.ID] = n
	}
	return nil
}

// layOut names the nodes and makes their directories.
func layOut(o Options) ([]NodeSpec, error) {
	if o.Nodes < 1 || o.Nodes > sandbox.MaxNodes {
		return nil, fmt.Errorf("%d nodes: from 1 to %d are possible", o.Nodes, sandbox.MaxNodes)
	}
	if o.Dir == "" {
		return nil, errors.New("Options.Dir is empty")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "nodes"), 0o755); err != nil {
		return nil, err
	}
	var specs []NodeSpec
	for i := 1; i <= o.Nodes; i++ {
		id := "n" + strconv.Itoa(i)
		data := filepath.Join(dir, "data", id)
		if err := os.MkdirAll(data, 0o755); err != nil {
			return nil, err
		}
		specs = append(specs, NodeSpec{
			ID:       id,
			Index:    i,
			Dir:      data,
			ApplyLog: filepath.Join(dir, "nodes", id+".apply.jsonl"),
		})
	}
	return specs, nil
}

// Specs returns the nodes, in order.
func (c *Cluster) Specs() []NodeSpec {
	var specs []NodeSpec
	for _, n := range c.nodes {
		specs = append(specs, n.specCopy())
	}
	return specs
}

func (c *Cluster) node(id string) (*node, error) {
	if n := c.byID[id]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("there is no node %q", id)
}

// Start starts a node that is down, for the first time or again with the same disk. It returns as
// soon as the process exists; whether it is ready is the system's to say. ctx bounds the start,
// not the node's life.
func (c *Cluster) Start(ctx context.Context, id string) error {
	return c.act(ctx, "start", id, (*node).start)
}

// Kill sends SIGKILL to the node's process group, paused or not, and returns when it is reaped and
// its output is in the log. A node that is down, or that ended by itself a moment before, is an
// error that says so.
func (c *Cluster) Kill(ctx context.Context, id string) error {
	return c.act(ctx, "kill", id, (*node).kill)
}

// Pause sends SIGSTOP to the node's process group and returns when every thread of it has stopped.
// When one does not within two seconds (because it hangs in the kernel) the node is resumed and
// that is the error. A stopped node is not cut off: its kernel still accepts connections and
// acknowledges data.
func (c *Cluster) Pause(ctx context.Context, id string) error {
	return c.act(ctx, "pause", id, (*node).pause)
}

// Resume sends SIGCONT. A node that runs already is no error, one that is down is.
func (c *Cluster) Resume(ctx context.Context, id string) error {
	return c.act(ctx, "resume", id, (*node).resume)
}

// Wipe empties the data directory of a node that is down, and returns how many files that were and how many
// bytes. Links are removed and never followed. Files of its Command are written again at the next start.
func (c *Cluster) Wipe(ctx context.Context, id string) (files int, bytes int64, err error) {
	err = c.act(ctx, "wipe", id, func(n *node, ctx context.Context) (err error) {
		files, bytes, err = n.wipe(ctx)
		return err
	})
	return files, bytes, err
}

// act does something to one node, in its turn.
func (c *Cluster) act(ctx context.Context, verb, id string, do func(*node, context.Context) error) error {
	n, err := c.node(id)
	if err == nil {
		err = n.inTurn(ctx, do)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, id, err)
	}
	return nil
}

// State returns what the node's process is doing; Down for an id that there is not.
func (c *Cluster) State(id string) State {
	if n := c.byID[id]; n != nil {
		state, _ := n.status()
		return state
	}
	return Down
}

// Stopped asks the kernel whether every thread of the node stands still at this moment. Unlike State
// it does not rely on what Pause and Resume have done.
func (c *Cluster) Stopped(id string) bool {
	pid := c.PID(id)
	if pid == 0 {
		return false
	}
	moving, err := movingThread(pid)
	return err == nil && moving == ""
}

// PID returns the node's process id in the sandbox, which is also its process group; 0 when it is
// down.
func (c *Cluster) PID(id string) int {
	if n := c.byID[id]; n != nil {
		_, pid := n.status()
		return pid
	}
	return 0
}

// Cut drops every packet that the first node of a pair sends to the second, until Heal of the
// same cut. Cuts may overlap; what is dropped is their union. The harness itself is never cut off.
// Errors are those of netfault.Firewall.Cut.
func (c *Cluster) Cut(ctx context.Context, cut string, pairs [][2]string) error {
	var between []netfault.Pair
	for _, p := range pairs {
		from, err := c.node(p[0])
		if err != nil {
			return fmt.Errorf("cut %q: %w", cut, err)
		}
		to, err := c.node(p[1])
		if err != nil {
			return fmt.Errorf("cut %q: %w", cut, err)
		}
		between = append(between, netfault.Pair{From: from.spec.Addr, To: to.spec.Addr})
	}
	return c.firewall.Cut(ctx, cut, between)
}

// Heal ends a cut; one that is not in force is no error.
func (c *Cluster) Heal(ctx context.Context, cut string) error { return c.firewall.Heal(ctx, cut) }

// Dropped returns the packets that were dropped on the cut's pairs while it was in force.
func (c *Cluster) Dropped(ctx context.Context, cut string) (packets uint64, err error) {
	return c.firewall.Dropped(ctx, cut)
}

// Firewall names what cuts the network, for the report: see netfault.Firewall.Backend.
func (c *Cluster) Firewall() string { return c.firewall.Backend() }

// Close kills every node, closes the logs and removes the network; files stay. It does all it can
// in at most five seconds and reports what failed. Closing twice returns the same.
func (c *Cluster) Close() error {
	c.closing.Do(func() { c.closeErr = c.close() })
	return c.closeErr
}

func (c *Cluster) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), teardownMax)
	defer cancel()
	errs := make([]error, len(c.nodes))
	var wg sync.WaitGroup
	for i, n := range c.nodes {
		wg.Go(func() {
			if err := n.close(ctx); err != nil {
				errs[i] = fmt.Errorf("close %s: %w", n.spec.ID, err)
			}
		})
	}
	wg.Wait()
	if c.firewall != nil {
		errs = append(errs, c.firewall.Close(ctx))
	}
	if c.star != nil {
		errs = append(errs, c.star.Close())
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}
