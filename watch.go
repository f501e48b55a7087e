package ordeal

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ordeal/history"
	"ordeal/systems"
)

// How often nodes are asked for their status, and how long each may take to answer.
const (
	statusEvery   = 200 * time.Millisecond
	statusTimeout = 150 * time.Millisecond
)

// statuses asks all nodes at once; those that do not answer in time are missing.
func (t *trial) statuses(ctx context.Context, timeout time.Duration) map[string]systems.Status {
	s, ok := t.System.(systems.Inspectable)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var (
		mu  sync.Mutex
		all = map[string]systems.Status{}
		wg  sync.WaitGroup
	)
	for _, n := range t.cluster.Specs() {
		wg.Go(func() {
			var status systems.Status
			err := guarded(func() (err error) { status, err = s.Status(ctx, n); return err })
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			all[n.ID] = status
		})
	}
	wg.Wait()
	return all
}

// leaderOf is the node that claims to lead in the highest term, "" if none does. An old leader that has
// been cut off may claim it too, in an older term.
func leaderOf(all map[string]systems.Status) (leader systems.Status) {
	for id, s := range all {
		if s.Leader == id && s.Term > leader.Term {
			leader = s
		}
	}
	return leader
}

// watch records changes of leadership and feeds the live view until ctx ends. It ends the run when the
// history cannot be written any more.
func (t *trial) watch(ctx context.Context) error {
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	var term uint64
	for {
		all := t.statuses(ctx, statusTimeout)
		if leader := leaderOf(all); leader.Term > term {
			term = leader.Term
			t.observe(history.Event{F: history.SawLeader, Node: leader.Node, Term: term})
		}
		if err := t.rec.Err(); err != nil {
			return fmt.Errorf("write history: %w", err)
		}
		t.show(all)
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.show(all) // what ended the run, perhaps
			return nil
		}
	}
}

// show feeds the live view; all is what the nodes say.
func (t *trial) show(all map[string]systems.Status) {
	p := t.progress(all) // also empties the tally
	if t.Watch != nil {
		t.Watch(p)
	}
}

// observe records what the harness saw.
func (t *trial) observe(e history.Event) {
	e.Time, e.Process, e.Type = t.rec.Elapsed(), history.Observer, history.Info
	t.rec.Record(e)
}
