package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Killer is a cluster whose nodes can be killed and started again with the disk they left.
type Killer interface {
	Kill(ctx context.Context, node string) error // SIGKILL; returns when the process is gone
	Start(ctx context.Context, node string) error
	PID(node string) int // 0 when it is down
}

func kill() Kind {
	return Kind{
		Name: "kill", Doc: "SIGKILL, then a restart with the same disk; at any time, or of all nodes in the middle of an election",
		Param: "when",
		Variants: []Variant{
			{Targets: []Target{One, Leader, Leader, Minority, Majority, All}, Nodes: 1},
			{Name: "election", Nodes: 3, Needs: []Ability{TellLeader}},
		},
		Min: 500 * time.Millisecond, Max: 2500 * time.Millisecond,
		New: func(params map[string]string, _ *rand.Rand) Fault {
			if params["when"] == "election" {
				return &electionFault{}
			}
			return &killFault{}
		},
	}
}

type killFault struct{ gone []string }

// Inject kills the nodes one after another; undo starts those that are down.
func (f *killFault) Inject(ctx context.Context, c Cluster, on []string) (undo func(context.Context) error, err error) {
	k, ok := c.(Killer)
	if !ok {
		return nothing, errors.New("kill: this cluster cannot kill nodes")
	}
	var aimedAt []string
	undo = func(ctx context.Context) error { return startAll(ctx, k, aimedAt) }
	defer caught(&err)
	for _, n := range on {
		pid := k.PID(n)
		aimedAt = append(aimedAt, n) // first: a kill that reports an error may have been one
		if err := k.Kill(ctx, n); err != nil {
			return undo, fmt.Errorf("kill %s: %w", n, err)
		}
		f.gone = append(f.gone, fmt.Sprintf("%s (pid %d)", n, pid))
	}
	return undo, nil
}

// Bit holds as soon as every process was reaped, which Kill has waited for.
func (f *killFault) Bit(context.Context) (Evidence, error) {
	return Evidence{Bit: len(f.gone) > 0, Text: "gone: " + strings.Join(f.gone, ", ")}, nil
}

// startAll starts those of the nodes that are down.
func startAll(ctx context.Context, k Killer, nodes []string) error {
	var errs []error
	for _, n := range nodes {
		errs = append(errs, startDown(ctx, k, n))
	}
	return errors.Join(errs...)
}

// startDown starts a node, unless it runs: then its kill failed, or the end of another fault has started it.
func startDown(ctx context.Context, k Killer, node string) error {
	if k.PID(node) != 0 {
		return nil
	}
	if err := k.Start(ctx, node); err != nil && k.PID(node) == 0 {
		return err
	}
	return nil
}
