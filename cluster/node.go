package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ordeal/internal/sandbox"
)

// drainMax is how long the output of a node that has ended may stay open: only a process that
// left the node's process group can hold it.
const drainMax = 500 * time.Millisecond

// errDown is returned to whoever acts on a node that has no process.
var errDown = errors.New("it is down")

// errEnded is returned to whoever acts on a process that ends at the same moment.
var errEnded = errors.New("it ended meanwhile")

// ErrPaused is returned to whoever pauses a node that is paused already.
var ErrPaused = errors.New("it is paused already")

// pauseMax is how long Pause waits for all threads to stop.
const pauseMax = 2 * time.Second

// node is one node: what it is made from, and its present process, if any.
type node struct {
	spec    NodeSpec
	command func(NodeSpec) (Command, error)
	exited  func(id, state string)
	star    *sandbox.Star
	log     *nodeLog

	turn    chan struct{}  // holds one token, taken by whoever starts, kills, pauses, resumes or wipes
	calls   sync.WaitGroup // calls of attend, and so of exited, that have not returned
	written bool           // Command.Files are on its disk; guarded by turn

	mu     sync.Mutex
	proc   *process // nil when down
	paused bool
	closed bool
}

// process is one life of a node.
type process struct {
	cmd    *exec.Cmd
	pid    int           // also its process group
	killed bool          // by us; guarded by node.mu
	reaped bool          // its number may be another's; guarded by node.mu
	self   bool          // ended by itself, though perhaps just before it was killed
	done   chan struct{} // closed when it is reaped and logged; self is set by then
}

func newNode(spec NodeSpec, o Options, star *sandbox.Star) (*node, error) {
	log, err := openLog(filepath.Join(filepath.Dir(spec.ApplyLog), spec.ID+".log"), o.Elapsed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.ID, err)
	}
	n := &node{
		spec:    spec,
		command: o.Command,
		exited:  o.Exited,
		star:    star,
		log:     log,
		turn:    make(chan struct{}, 1),
	}
	n.turn <- struct{}{}
	return n, nil
}

func (n *node) specCopy() NodeSpec {
	spec := n.spec
	spec.Peers = slices.Clone(spec.Peers)
	return spec
}

// inTurn waits until nobody else acts on the node, then acts.
func (n *node) inTurn(ctx context.Context, do func(*node, context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-n.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { n.turn <- struct{}{} }()
	return do(n, ctx)
}

func (n *node) status() (State, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.proc == nil || n.proc.reaped:
		return Down, 0
	case n.paused:
		return Paused, n.proc.pid
	}
	return Running, n.proc.pid
}

// awaitDown reports a node that is up, or closed; one that has ended may still be having its last words logged.
func (n *node) awaitDown(ctx context.Context) error {
	n.mu.Lock()
	proc, closed := n.proc, n.closed
	reaped := proc != nil && proc.reaped
	n.mu.Unlock()
	switch {
	case closed:
		return errors.New("the cluster is closed")
	case reaped:
		select {
		case <-proc.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	case proc != nil:
		return fmt.Errorf("it runs already, with pid %d", proc.pid)
	}
	return nil
}

func (n *node) start(ctx context.Context) error {
	if err := n.awaitDown(ctx); err != nil {
		return err
	}
	c, err := n.command(n.specCopy())
	if err != nil {
		return err
	}
	if !n.written {
		if err := writeFiles(n.spec.Dir, c.Files); err != nil {
			return err
		}
		n.written = true
	}
	return n.launch(c)
}

// launch starts the process in the node's network, in a process group of its own.
func (n *node) launch(c Command) error {
	cmd, err := execCommand(c, n.spec.Dir)
	if err != nil {
		return err
	}
	var streams [2]*os.File // what we read
	var theirs [2]*os.File  // what the node writes
	defer func() { closeAll(theirs[:]) }()
	for i := range streams {
		if streams[i], theirs[i], err = os.Pipe(); err != nil {
			closeAll(streams[:])
			return err
		}
	}
	cmd.Stdout, cmd.Stderr = theirs[0], theirs[1]

	// Under the lock, so that nobody sees a node that runs but is down.
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.star.Start(n.spec.Index, cmd); err != nil {
		closeAll(streams[:])
		return err
	}
	p := &process{cmd: cmd, pid: cmd.Process.Pid, done: make(chan struct{})}
	n.proc, n.paused = p, false
	n.log.note("started pid %d", p.pid)
	n.calls.Add(1)
	go n.attend(p, streams)
	return nil
}

// attend is with a process until its end: it copies its output, reaps it, and tells.
func (n *node) attend(p *process, streams [2]*os.File) {
	defer n.calls.Done()
	defer closeAll(streams[:])
	var readers sync.WaitGroup
	for i, stream := range []string{streamOut, streamErr} {
		readers.Go(func() { n.log.copyLines(stream, streams[i]) })
	}
	awaitExit(p.pid)
	err := n.reap(p)
	for _, s := range streams {
		_ = s.SetReadDeadline(time.Now().Add(drainMax))
	}
	readers.Wait()

	state := p.cmd.ProcessState.String()
	if p.self {
		n.log.note("%s", state)
	} else {
		n.log.note("killed")
	}
	if err != nil {
		n.log.note("%v", err)
	}
	n.mu.Lock()
	n.proc, n.paused = nil, false
	n.mu.Unlock()
	close(p.done)
	if p.self && n.exited != nil {
		n.exited(n.spec.ID, state)
	}
}

// reap reaps a process that has ended, together with what is left of its group: that would keep
// the pipes open, and the node half alive. The group must be killed before the leader is reaped,
// and both under the lock: afterwards its number may be another's.
func (n *node) reap(p *process) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := killGroup(p.pid)
	waitErr := p.cmd.Wait()
	p.reaped = true
	p.self = !p.killed || !diedOfKill(p.cmd.ProcessState)
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) {
		err = errors.Join(err, waitErr)
	}
	return err
}

// live returns the node's process, or an error that says that the node is down.
func (n *node) live() (*process, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.proc == nil || n.proc.reaped {
		return nil, errDown
	}
	return n.proc, nil
}

func (n *node) kill(ctx context.Context) error {
	n.mu.Lock()
	p := n.proc
	if p == nil {
		n.mu.Unlock()
		return errDown
	}
	var err error
	if !p.reaped {
		p.killed = true
		err = killGroup(p.pid)
	}
	n.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("SIGKILL was sent to pid %d, but it has not ended: %w", p.pid, ctx.Err())
	}
	if p.self {
		return fmt.Errorf("it was down already: %s", p.cmd.ProcessState)
	}
	return nil
}

func (n *node) pause(ctx context.Context) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	if state, _ := n.status(); state == Paused {
		return ErrPaused
	}
	if err := n.signal(p, stopGroup); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, pauseMax)
	defer cancel()
	if err := awaitStopped(ctx, p.pid, p.done); err != nil {
		return errors.Join(err, n.signal(p, continueGroup))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.reaped {
		return errEnded
	}
	n.paused = true
	n.log.note("paused")
	return nil
}

// signal signals the process's group unless it has been reaped.
func (n *node) signal(p *process, send func(group int) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.reaped {
		return errEnded
	}
	return send(p.pid)
}

func (n *node) resume(context.Context) error {
	p, err := n.live()
	if err != nil {
		return err
	}
	if err := n.signal(p, continueGroup); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused {
		n.paused = false
		n.log.note("resumed")
	}
	return nil
}

// close kills the node, forbids further starts and closes the log.
func (n *node) close(ctx context.Context) error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	err := n.inTurn(ctx, func(n *node, ctx context.Context) error {
		if state, _ := n.status(); state == Down {
			return nil
		}
		err := n.kill(ctx)
		if state, _ := n.status(); state == Down {
			return nil // also when it was by itself
		}
		return err
	})
	return errors.Join(err, n.awaitCalls(ctx), n.log.close())
}

// awaitCalls waits until everything that attends to the node's processes has returned.
func (n *node) awaitCalls(ctx context.Context) error {
	returned := make(chan struct{})
	go func() {
		n.calls.Wait()
		close(returned)
	}()
	select {
	case <-returned:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a process has not ended, or Options.Exited has not returned: %w", ctx.Err())
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close() // pipes; a second close is harmless
		}
	}
}
