package nemesis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Elector is a cluster whose nodes can be killed and tell their terms.
type Elector interface {
	Killer
	// Term is the newest term that the node knows.
	Term(ctx context.Context, node string) (uint64, error)
}

// How long an election may take, which is far beyond what it takes when nothing is in its way, and how
// often each node is asked for its term meanwhile: the votes of an election are out within a millisecond
// or two.
const (
	electionWait = 5 * time.Second
	termEvery    = 100 * time.Microsecond
)

// electionFault kills all nodes in the middle of an election, which it brings about by killing the leader
// first: what a node has promised by then and not saved is lost.
type electionFault struct {
	gone        []string
	nodes       []string
	before, now uint64 // the terms before the election and in it; now is 0 if there was none in time
}

// Inject kills the leader and, as soon as another node knows a newer term, all others at once. Undo starts
// those that are down.
func (f *electionFault) Inject(ctx context.Context, c Cluster, _ []string) (undo func(context.Context) error, err error) {
	e, ok := c.(Elector)
	if !ok {
		return nothing, errors.New("kill in an election: the nodes of this cluster do not tell their terms")
	}
	var aimedAt []string
	undo = func(ctx context.Context) error { return startAll(ctx, e, aimedAt) }
	defer caught(&err)
	f.nodes = c.Nodes()
	leader, err := f.reign(ctx, c, e)
	if err != nil {
		return undo, fmt.Errorf("kill in an election: %w", err)
	}
	aimedAt = []string{leader}
	if err := f.kill(ctx, e, aimedAt); err != nil {
		return undo, err
	}
	others := without(f.nodes, aimedAt)
	if f.now = newerTerm(ctx, e, others, f.before); f.now == 0 {
		return undo, nil
	}
	aimedAt = f.nodes
	return undo, f.kill(ctx, e, others)
}

// reign is who leads, and sets the term before the election. The leader must tell its own: the others may know
// only older ones, and would seem to elect when they hear of it.
func (f *electionFault) reign(ctx context.Context, c Cluster, e Elector) (leader string, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	err = await(ctx, func(ctx context.Context) error {
		if leader = c.Leader(ctx); leader == "" {
			return errors.New("no leader was known")
		}
		own := termOf(ctx, e, leader)
		if own == 0 {
			return fmt.Errorf("%s, which leads, did not tell its term", leader)
		}
		f.before = slices.Max(append(terms(ctx, e, f.nodes), own))
		return nil
	})
	return leader, err
}

// kill kills the nodes at once and notes those that are gone.
func (f *electionFault) kill(ctx context.Context, k Killer, nodes []string) error {
	pids, errs := make([]int, len(nodes)), make([]error, len(nodes))
	var kills sync.WaitGroup
	for i, n := range nodes {
		kills.Go(func() {
			defer caught(&errs[i])
			pids[i] = k.PID(n)
			if err := k.Kill(ctx, n); err != nil {
				errs[i] = fmt.Errorf("kill %s: %w", n, err)
			}
		})
	}
	kills.Wait()
	for i, n := range nodes {
		if errs[i] == nil {
			f.gone = append(f.gone, fmt.Sprintf("%s (pid %d)", n, pids[i]))
		}
	}
	return errors.Join(errs...)
}

// Bit holds if the election had begun when the others were killed.
func (f *electionFault) Bit(context.Context) (Evidence, error) {
	gone := "gone: " + strings.Join(f.gone, ", ")
	if f.now == 0 {
		return Evidence{Text: fmt.Sprintf("%s; no term after %d was seen", gone, f.before)}, nil
	}
	return Evidence{Bit: true, Target: f.nodes, Text: fmt.Sprintf("%s; the leader in term %d, the others in term %d", gone, f.before, f.now)}, nil
}

// terms are those that the nodes know; what does not answer is left out.
func terms(ctx context.Context, e Elector, nodes []string) []uint64 {
	told := make([]uint64, len(nodes))
	var asked sync.WaitGroup
	for i, n := range nodes {
		asked.Go(func() { told[i] = termOf(ctx, e, n) })
	}
	asked.Wait()
	return told
}

// newerTerm asks each node again and again, none waiting for another, until one knows a newer term; 0 if
// none does in time.
func newerTerm(ctx context.Context, e Elector, nodes []string, than uint64) uint64 {
	ctx, cancel := context.WithTimeout(ctx, electionWait)
	defer cancel()
	newer := make(chan uint64, len(nodes)) // room for all: nobody may be left hanging
	for _, n := range nodes {
		go func() {
			for {
				if term := termOf(ctx, e, n); term > than {
					newer <- term
					return
				}
				if !sleepUntil(ctx, termEvery) {
					return
				}
			}
		}()
	}
	select {
	case term := <-newer:
		return term
	case <-ctx.Done():
		return 0
	}
}

// termOf is 0 if the node does not tell.
func termOf(ctx context.Context, e Elector, node string) (term uint64) {
	var err error
	defer caught(&err) // a panic tells no term either
	if term, err = e.Term(ctx, node); err != nil {
		return 0
	}
	return term
}
