package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"ordeal/history"
)

// Runner carries out a schedule on a cluster.
type Runner struct {
	Cluster Cluster
	Seed    uint64               // which nodes a role is resolved to follows from it and the step's number
	Elapsed func() time.Duration // the run's clock
	Record  func(history.Event)  // takes the begin and the end of every window
	Status  func(history.Window) // told when a window opens and closes, for a live view; may be nil
	Started time.Duration        // when the load began, on the run's clock

	alone chan struct{} // holds a token while a step of a kind that is Alone is active
}

// undoWait is how long the nemesis waits for evidence or an undo.
const undoWait = 20 * time.Second

// ErrNotHealed is in the error of a run whose faults could not all be undone: what the cluster shows
// from then on may be the harness's doing.
var ErrNotHealed = errors.New("a fault could not be undone")

// ErrNotJoined is in the error of a run in which a node that had lost its disk was started again and has not
// joined. The harness has done its part: what the cluster shows from then on is its own doing.
var ErrNotJoined = errors.New("a node has not joined again")

// Run injects every step on its time and undoes it, and returns when all are over. A step that the schedule puts behind the
// end of another begins when that has been undone, however long it took: what does not overlap in the schedule does not
// overlap on a slow machine. If ctx ends, what is active is undone at once and what is still to come is left out. The error
// tells which steps could not be injected or undone; the same stands in their windows.
func (r *Runner) Run(ctx context.Context, s Schedule) error {
	errs := make([]error, len(s.Steps))
	r.alone = make(chan struct{}, 1)
	over := make([]chan struct{}, len(s.Steps))
	for i := range over {
		over[i] = make(chan struct{})
	}
	var steps sync.WaitGroup
	for i, step := range s.Steps {
		steps.Go(func() {
			defer close(over[i])
			if sleepUntil(ctx, r.Started+step.At-r.Elapsed()) && awaitEarlier(ctx, s, step.At, over) {
				errs[i] = r.step(ctx, i, step)
			}
		})
	}
	steps.Wait()
	return errors.Join(errs...)
}

// awaitEarlier waits until the steps are over that should be by then, and tells whether it was not cut short.
func awaitEarlier(ctx context.Context, s Schedule, by time.Duration, over []chan struct{}) bool {
	for i, step := range s.Steps {
		if step.At+step.For > by {
			continue
		}
		select {
		case <-over[i]:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// step is one window, from just before the injection to just after the undoing.
func (r *Runner) step(ctx context.Context, i int, step Step) (err error) {
	rng := rand.New(rand.NewPCG(r.Seed, uint64(i)+1))
	kind, _ := kindOf(step.Fault)
	if kind.Alone {
		select {
		case r.alone <- struct{}{}:
			defer func() { <-r.alone }()
		case <-ctx.Done():
			return nil // left out, as one that is still to come
		}
	}
	fault := kind.New(step.Params, rng)
	on, err := r.aim(ctx, step, rng)
	w := history.Window{Step: i, Fault: step.label(), Role: string(step.Target), Target: on, From: r.Elapsed(), To: history.Never}
	r.record(w, history.PhaseBegin)
	undo := nothing
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("step %d: panic: %v", i, p)
		}
		if undoErr := undoWithin(ctx, undo); undoErr != nil {
			err = errors.Join(err, fmt.Errorf("undo %s: %w", w.Fault, blamed(undoErr)))
		}
		if err != nil {
			w.Err = err.Error()
		}
		w.To = r.Elapsed()
		r.record(w, history.PhaseEnd)
	}()
	if err != nil {
		return err
	}
	if v, _ := kind.variant(step.Params); len(r.Cluster.Nodes()) < v.Nodes {
		return fmt.Errorf("%s needs %d nodes, the cluster has %d", w.Fault, v.Nodes, len(r.Cluster.Nodes()))
	}
	if undo, err = fault.Inject(ctx, r.Cluster, on); err != nil {
		return err
	}
	// A leader that was long in coming must not push this window into the next.
	sleepUntil(ctx, max(step.For/4, min(step.For, r.Started+step.At+step.For-r.Elapsed())))
	// The run may be ending: what the fault did is worth knowing all the same.
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
	defer cancel()
	evidence, err := fault.Bit(ask)
	w.Bit, w.Evidence = evidence.Bit, evidence.Text
	if len(evidence.Target) > 0 {
		w.Target = evidence.Target
	}
	return err
}

// aim resolves the step's target, waiting a little for a leader if it needs one.
func (r *Runner) aim(ctx context.Context, step Step, rng *rand.Rand) ([]string, error) {
	if step.Target == "" {
		return nil, nil
	}
	leader := ""
	if step.Target == Leader {
		leader = awaitLeader(ctx, r.Cluster)
	}
	return step.Target.resolve(rng, r.Cluster.Nodes(), leader)
}

// undoWithin undoes a fault even if the run is already cancelled, and even if undoing panics.
func undoWithin(ctx context.Context, undo func(context.Context) error) (err error) {
	defer caught(&err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoWait)
	defer cancel()
	return undo(ctx)
}

// blamed says of the error of an undo whose failure it is: the harness's, unless the undo says otherwise.
func blamed(err error) error {
	if errors.Is(err, ErrNotJoined) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotHealed, err)
}

func (r *Runner) record(w history.Window, phase string) {
	e := history.Event{Time: w.From, Process: history.Nemesis, Type: history.Info, F: w.Fault, Err: w.Err}
	v := history.WindowValue{Step: w.Step, Phase: phase, Role: w.Role, Target: w.Target}
	if phase == history.PhaseEnd {
		e.Time, v.Bit, v.Evidence = w.To, w.Bit, w.Evidence
	}
	e.Value, _ = json.Marshal(v) // strings, an int and a bool: cannot fail
	r.Record(e)
	if r.Status != nil {
		r.Status(w)
	}
}

// label is the fault with its variant, as windows call it: partition:bridge.
func (s Step) label() string {
	kind, _ := kindOf(s.Fault)
	if v := s.Params[kind.Param]; v != "" {
		return s.Fault + ":" + v
	}
	return s.Fault
}

// sleepUntil waits for d and tells whether it was not cut short.
func sleepUntil(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
