package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// ErrAnothers is in the error of a Pause of a node that is paused already: whoever did it also continues it.
var ErrAnothers = errors.New("another fault is at it")

// Pauser is a cluster whose nodes can be stopped in mid-instruction and continued.
type Pauser interface {
	Pause(ctx context.Context, node string) error // SIGSTOP; returns when every thread has stopped; ErrAnothers
	Resume(ctx context.Context, node string) error
	Stopped(node string) bool // is it stopped now, by the kernel's own account
	PID(node string) int
}

func pause() Kind {
	return Kind{
		Name: "pause", Doc: "SIGSTOP, then SIGCONT: the process, or with its network the machine, loses time and does not know it",
		Param: "what", Default: "process",
		Variants: []Variant{
			{Name: "process", Targets: []Target{One, Leader, Leader, Leader, Minority, All}, Nodes: 1},
			{Name: "machine", Targets: []Target{One, Leader, Leader, Leader, Minority}, Nodes: 2},
		},
		Min: time.Second, Max: 3 * time.Second, Undo: stillDeaf,
		New: func(params map[string]string, r *rand.Rand) Fault {
			if params["what"] == "machine" {
				return &suspendFault{id: fmt.Sprintf("suspend-%016x", r.Uint64())}
			}
			return &pauseFault{}
		},
	}
}

// pauseFault stops a process. Its kernel goes on: it accepts connections and data, and all of it
// arrives when the process does.
type pauseFault struct {
	on    Pauser
	nodes []pausedNode
}

type pausedNode struct {
	name string
	pid  int
}

// Inject stops the nodes; undo continues those that are still the same process.
func (f *pauseFault) Inject(ctx context.Context, c Cluster, on []string) (undo func(context.Context) error, err error) {
	p, ok := c.(Pauser)
	if !ok {
		return nothing, errors.New("pause: this cluster cannot pause nodes")
	}
	f.on = p
	undo = func(ctx context.Context) error {
		var errs []error
		for _, n := range f.nodes {
			if p.PID(n.name) == n.pid { // else it was killed meanwhile, and what runs now was never paused
				errs = append(errs, p.Resume(ctx, n.name))
			}
		}
		return errors.Join(errs...)
	}
	defer caught(&err)
	for _, n := range on {
		// Noted first: a Pause that fails half-way may have stopped some threads.
		f.nodes = append(f.nodes, pausedNode{n, p.PID(n)})
		if err := p.Pause(ctx, n); err != nil {
			if errors.Is(err, ErrAnothers) {
				f.nodes = f.nodes[:len(f.nodes)-1]
			}
			return undo, fmt.Errorf("pause %s: %w", n, err)
		}
	}
	return undo, nil
}

// Bit asks the kernel whether every node has stood still to the end, or until another fault killed it.
func (f *pauseFault) Bit(context.Context) (Evidence, error) {
	var still, not []string
	for _, n := range f.nodes {
		switch {
		case f.on.PID(n.name) != n.pid:
			still = append(still, fmt.Sprintf("%s (pid %d, killed while stopped)", n.name, n.pid))
		case f.on.Stopped(n.name):
			still = append(still, fmt.Sprintf("%s (pid %d)", n.name, n.pid))
		default:
			not = append(not, n.name)
		}
	}
	if len(not) > 0 {
		return Evidence{Text: "not stopped at the end: " + strings.Join(not, ", ")}, nil
	}
	return Evidence{Bit: len(still) > 0, Text: "state T: " + strings.Join(still, ", ")}, nil
}
