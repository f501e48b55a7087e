package ordeal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ordeal/checker"
	"ordeal/cluster"
	"ordeal/history"
	"ordeal/nemesis"
	"ordeal/results"
	"ordeal/systems"
)

// trial is one run while it is made.
type trial struct {
	*plan
	dir      *results.Dir
	manifest results.Manifest
	tally    *tally
	rec      *history.Recorder
	cluster  *cluster.Cluster
	started  time.Duration   // when the load began
	crashed  context.Context // ends when a node ends by itself
	crash    func()
	online   *checker.Online // follows the history; nil if nobody does, or it has seen enough
	violated context.Context // ends when a response made the history impossible, and the run is not to go on
	violate  func()
	teardown time.Duration // how long it took to end all nodes and remove their network
}

// Time for the cluster to come up, and between two looks at something awaited.
const (
	readyWait = 20 * time.Second
	lookEvery = 20 * time.Millisecond
	lastWord  = 2 * time.Second // for a node to tell its state at the end before it is taken for silent

	violatedWait = 500 * time.Millisecond // for replicas to stand still after a violation
)

// The Err of a SawEnd that came before its time, apart from those that name a cause.
const (
	interrupted    = "interrupted"
	cutByExit      = "cut short by a node that ended by itself"
	cutByViolation = "cut short by a violation"
)

// record makes history.jsonl: it runs the cluster, the load and the faults, and takes all down again.
// What the system under test does wrong is in the history; an error is the harness's own.
func (t *trial) record(ctx context.Context) (err error) {
	f, err := os.Create(t.dir.History())
	if err != nil {
		return fmt.Errorf("record history: %w", err)
	}
	t.rec = history.NewRecorder(f, time.Now(), t.take)
	defer func() { err = errors.Join(err, t.rec.Close(), f.Close()) }()
	if err := t.build(ctx); err != nil {
		return t.orInterrupted(ctx, err)
	}
	defer t.takeDown()
	if err := t.start(ctx); err != nil {
		if ctx.Err() == nil {
			t.observe(history.Event{F: history.SawUnready, Err: err.Error()})
		}
		return t.orInterrupted(ctx, nil)
	}
	return t.strike(ctx)
}

// build makes the cluster; nothing runs in it yet.
func (t *trial) build(ctx context.Context) (err error) {
	t.cluster, err = cluster.New(ctx, cluster.Options{
		Nodes: t.Nodes, Dir: t.dir.Path(), Command: t.System.Command, Elapsed: t.rec.Elapsed,
		Exited: func(id, state string) {
			t.observe(history.Event{F: history.SawExit, Node: id, Err: state})
			t.crash()
		},
	})
	if err != nil {
		return err
	}
	t.manifest.Firewall = t.cluster.Firewall()
	return t.dir.WriteManifest(t.manifest)
}

// takeDown ends all nodes. What fails costs no verdict.
func (t *trial) takeDown() {
	began := time.Now()
	if err := t.cluster.Close(); err != nil {
		t.note("teardown: " + err.Error())
	}
	t.teardown = time.Since(began)
	_ = os.RemoveAll(filepath.Join(t.dir.Path(), "data")) // the nodes' disks; the logs tell the story
}

// orInterrupted is err, unless the run was interrupted: then that is what the history says.
func (t *trial) orInterrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	t.observe(history.Event{F: history.SawEnd, Err: interrupted})
	return nil
}

// note adds to the manifest what is worth knowing about the run.
func (t *trial) note(text string) {
	t.manifest.Notes = append(t.manifest.Notes, text)
	_ = t.dir.WriteManifest(t.manifest) // the note is all that would be lost
}

// start brings all nodes up and waits until each is ready.
func (t *trial) start(ctx context.Context) error {
	specs := t.cluster.Specs()
	for _, n := range specs {
		if err := t.cluster.Start(ctx, n.ID); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	for _, n := range specs {
		last := errors.New("it was not asked")
		until(ctx, func() bool {
			if t.cluster.State(n.ID) == cluster.Down {
				last = errors.New("it ended by itself")
				return true
			}
			ask, cancel := context.WithTimeout(ctx, statusTimeout)
			defer cancel()
			last = t.System.Ready(ask, n)
			return last == nil
		})
		if last != nil {
			return fmt.Errorf("%s did not become ready in %v: %w", n.ID, t.rec.Elapsed().Round(time.Millisecond), last)
		}
	}
	return nil
}

// strike runs load and faults together, then lets the cluster show that it has recovered.
func (t *trial) strike(ctx context.Context) error {
	t.started = t.rec.Elapsed()
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	watched := goFunc(func() {
		if err := guarded(func() error { return t.watch(running) }); err != nil {
			fail(err)
		}
	})
	stop := make(chan struct{})
	stopLoad := sync.OnceFunc(func() { close(stop) })
	defer context.AfterFunc(running, stopLoad)()
	loaded := goFunc(func() { t.load(ctx, stop, fail) })
	// A crash convicts, and what a cluster does that lacks a node proves nothing more. So does a violation: what
	// led to it is to be found in a cluster that has not gone on for long.
	whole, cut := context.WithCancel(running)
	defer cut()
	defer context.AfterFunc(t.crashed, cut)()
	keepWhole := context.AfterFunc(t.violated, func() { stopLoad(); cut() })
	t.awaitRecovery(whole, t.afflict(whole))
	cutShort := !keepWhole() // what is seen from now on cuts nothing: the schedule was carried out
	stopLoad()
	<-loaded
	t.rec.Flush() // a violation is seen before the end
	if cutShort {
		t.settle(running, violatedWait, statusTimeout)
	} else {
		t.settle(whole, t.Bound, lastWord)
	}
	end := history.Event{F: history.SawEnd}
	broken := context.Cause(running)
	if ctx.Err() != nil {
		broken = nil
	}
	switch {
	case t.crashed.Err() != nil:
		end.Err = cutByExit
	case cutShort:
		end.Err = cutByViolation
	case ctx.Err() != nil:
		end.Err = interrupted
	case broken != nil:
		end.Err = "broken off: " + broken.Error()
	}
	fail(nil)
	<-watched
	t.observe(end)
	return broken
}

// afflict carries out the schedule and returns when every fault is over.
func (t *trial) afflict(ctx context.Context) (healed time.Duration) {
	runner := nemesis.Runner{
		Cluster: target{t.cluster, t}, Seed: t.Seed, Elapsed: t.rec.Elapsed,
		Record: t.rec.Record, Status: t.tally.window, Started: t.started,
	}
	saw := history.Event{F: history.SawHealed}
	if err := runner.Run(ctx, t.schedule); err != nil {
		t.note("nemesis: " + err.Error()) // the windows say it too
		if errors.Is(err, nemesis.ErrNotHealed) {
			saw.Err = err.Error()
		}
	}
	t.observe(saw)
	return t.rec.Elapsed()
}

// awaitRecovery returns at the end of the load, but not before every node has answered since the last
// heal, or its time for that is over.
func (t *trial) awaitRecovery(ctx context.Context, healed time.Duration) {
	until(ctx, func() bool {
		now := t.rec.Elapsed()
		return now >= t.started+t.Time && (t.tally.recovered() >= t.Nodes || now >= healed+t.Bound)
	})
}

// settle waits until all replicas have applied the same entries, for as long as bound, and records what each of them
// holds. If they do not come to that, each has the time of patience to tell its state once more.
func (t *trial) settle(ctx context.Context, bound, patience time.Duration) {
	if _, ok := t.System.(systems.Inspectable); !ok {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	all, settled, goal := map[string]systems.Status{}, false, uint64(0)
	until(bounded, func() bool {
		// Equal states stay equal, so what a node said a moment ago may stand beside what another says now.
		maps.Copy(all, t.statuses(bounded, statusTimeout))
		if goal == 0 {
			goal = highest(all)
		}
		settled = len(all) == t.Nodes && same(all)
		return settled
	})
	if !settled {
		all = t.statuses(ctx, patience) // an old answer must convict nobody
		if lowest(all) >= goal {
			all = nil // all have what there was at first: they only never stood still together
		}
	}
	for id, s := range all {
		hash, _ := json.Marshal(s.Hash) // a string always can
		t.observe(history.Event{F: history.SawState, Node: id, Term: s.Term, Revision: s.Applied, Value: hash})
	}
}

// highest is the index that the foremost replica has applied.
func highest(all map[string]systems.Status) (index uint64) {
	for _, s := range all {
		index = max(index, s.Applied)
	}
	return index
}

// lowest is the index that every replica has applied.
func lowest(all map[string]systems.Status) uint64 {
	index := highest(all)
	for _, s := range all {
		index = min(index, s.Applied)
	}
	return index
}

// same tells whether all replicas have applied the same entries.
func same(all map[string]systems.Status) bool {
	return len(all) > 0 && highest(all) == lowest(all)
}

// until looks again and again until done holds or ctx ends.
func until(ctx context.Context, done func() bool) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// goFunc runs f on a goroutine; the channel is closed when it has returned.
func goFunc(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}
