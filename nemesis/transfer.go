package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// Transferrer is a cluster whose leader can be told to hand over.
type Transferrer interface {
	// Reign is who leads and in which term; "" when no leader is known. A leader's term is one more than the
	// last one's, if only one election lies between.
	Reign(ctx context.Context) (leader string, term uint64)
	// Term is the newest term that the node knows.
	Term(ctx context.Context, node string) (uint64, error)
	PID(node string) int // 0 when it is down
	// Transfer has from, which leads, hand leadership over to another node.
	Transfer(ctx context.Context, from, to string) error
}

// How long a new leader leads, and how long one transfer may take: an election that is in its way
// takes a second or two.
const (
	reignMin     = 300 * time.Millisecond
	reignMax     = 600 * time.Millisecond
	transferWait = 3 * time.Second
)

func transfer() Kind {
	return Kind{
		Name: "transfer", Doc: "leadership is handed from node to node, two or three times a second",
		Variants: []Variant{{Nodes: 2}},
		Min:      1500 * time.Millisecond, Max: 3 * time.Second,
		Needs: []Ability{TellLeader, HandOver},
		New: func(_ map[string]string, r *rand.Rand) Fault {
			return &transferFault{rand: r, first: make(chan struct{}), ended: make(chan struct{})}
		},
	}
}

type transferFault struct {
	rand  *rand.Rand
	first chan struct{} // closed when the first transfer has completed
	ended chan struct{} // closed when the last is over

	mu    sync.Mutex
	moves []string // that completed: n1 → n3 in term 4
	hit   []string // who took part in them
	tries int
	last  error // of the last one that did not complete
}

// Inject begins to hand leadership around; undo ends that and waits until it has ended.
func (f *transferFault) Inject(ctx context.Context, c Cluster, _ []string) (undo func(context.Context) error, err error) {
	t, ok := c.(Transferrer)
	if !ok {
		return nothing, errors.New("transfer: this cluster cannot hand leadership over")
	}
	running, stop := context.WithCancel(ctx)
	go func() {
		defer close(f.ended)
		for running.Err() == nil {
			f.move(running, t, c.Nodes())
			sleepUntil(running, between(f.rand, reignMin, reignMax))
		}
	}()
	return func(ctx context.Context) error {
		stop()
		select {
		case <-f.ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("a transfer has not returned: %w", ctx.Err())
		}
	}, nil
}

// move tries one transfer and notes how it went.
func (f *transferFault) move(ctx context.Context, t Transferrer, nodes []string) {
	from, to, term, err := f.handOver(ctx, t, nodes)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tries++
	if err != nil {
		f.last = err
		return
	}
	f.moves = append(f.moves, fmt.Sprintf("%s → %s in term %d", from, to, term))
	f.hit = append(f.hit, from, to)
	if len(f.moves) == 1 {
		close(f.first)
	}
}

// handOver has the leader hand over to another node, and returns when that one says that it leads. It may have
// won an ordinary election instead, long after a call that was ignored: so its term must be the next one, and
// the old leader live and know of it. An election that came in between costs the proof of one transfer.
func (f *transferFault) handOver(ctx context.Context, t Transferrer, nodes []string) (from, to string, term uint64, err error) {
	defer caught(&err)
	ctx, cancel := context.WithTimeout(ctx, transferWait)
	defer cancel()
	from, before := t.Reign(ctx)
	if from == "" {
		return "", "", 0, errors.New("no leader was known")
	}
	others := without(nodes, []string{from})
	to = others[f.rand.IntN(len(others))]
	pid := t.PID(from)
	if err := t.Transfer(ctx, from, to); err != nil {
		return "", "", 0, fmt.Errorf("%s to %s: %w", from, to, err)
	}
	term = before + 1
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	err = await(ctx, func(ctx context.Context) error {
		leader, now := t.Reign(ctx)
		known, err := t.Term(ctx, from)
		switch {
		case t.PID(from) != pid:
			err = errors.New("the old leader's process ended")
		case err != nil:
			err = fmt.Errorf("the old leader did not answer: %w", err)
		case now > term:
			err = fmt.Errorf("%q led in term %d, more than one after %d", leader, now, before)
		case leader == to && now == term && known >= term:
			return nil
		default:
			return fmt.Errorf("%s to %s: then %q led in term %d", from, to, leader, now)
		}
		giveUp() // whoever leads later, it is not by this transfer
		return fmt.Errorf("%s to %s: %w", from, to, err)
	})
	return from, to, term, err
}

// Bit holds if at least one transfer has completed. The first may be under way: it is waited for.
func (f *transferFault) Bit(ctx context.Context) (Evidence, error) {
	late := time.NewTimer(transferWait)
	defer late.Stop()
	select {
	case <-f.first:
	case <-f.ended: // the run is being ended
	case <-late.C:
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.moves) == 0 {
		return Evidence{Text: fmt.Sprintf("none of %d transfers completed; the last: %v", f.tries, f.last)}, nil
	}
	return Evidence{
		Bit: true, Target: slices.Compact(sorted(slices.Clone(f.hit))),
		Text: fmt.Sprintf("%d of %d transfers completed: %s", len(f.moves), f.tries, strings.Join(f.moves, ", ")),
	}, nil
}
