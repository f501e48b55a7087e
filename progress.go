package ordeal

import (
	"maps"
	"slices"
	"sync"
	"time"

	"ordeal/history"
	"ordeal/results"
	"ordeal/systems"
)

// Progress is a run at one moment, for a live view.
type Progress struct {
	Command  []string      // that runs it again
	Now      time.Duration // since the run began, as windows count
	Elapsed  time.Duration // of the load
	Load     time.Duration // the whole of it
	Ops      results.Counts
	Rate     float64       // ok operations per second, lately
	P50, P99 time.Duration // latency of ok operations that ended lately
	Outage   Outage
	Nodes    []NodeProgress
	Windows  []history.Window // open ones
	Until    []time.Duration  // when each of Windows is to end, since the start of the load
	Out      string           // the run's directory

	Violation string // the key whose history has become impossible, and when: k3 at 12.4s; "" if there is none
}

// Outage is the longest time without an ok answer from anybody, on the run's clock.
type Outage struct{ From, To time.Duration }

// NodeProgress is a node at one moment.
type NodeProgress struct {
	ID      string
	State   string // of its process: running, paused, down
	Leads   bool
	Term    uint64 // 0 if it did not answer
	Answers bool   // or nobody can ask it
}

// tally follows the history as it is written.
type tally struct {
	mu      sync.Mutex
	ops     results.Counts
	calls   map[int]history.Event // open operations by process
	recent  []time.Duration       // latencies since the last look
	recentN int                   // ok operations since the last look
	looked  time.Duration
	lastOK  time.Duration // 0 before the first
	outage  Outage
	healed  time.Duration            // when the last fault was over; Never before
	first   map[string]time.Duration // first answer of each node after healed
	open    map[int]history.Window   // windows by step

	violation string
}

func newTally() *tally {
	return &tally{
		calls: map[int]history.Event{}, healed: history.Never,
		first: map[string]time.Duration{}, open: map[int]history.Window{},
	}
}

// take is called for each event in the order of the history.
func (t *tally) take(e history.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case e.Process == history.Observer && e.F == history.SawHealed:
		t.healed = e.Time
	case e.Process < 0:
	case e.Type == history.Invoke:
		t.calls[e.Process] = e
	default:
		call := t.calls[e.Process]
		delete(t.calls, e.Process)
		if e.Type == history.OK {
			t.recent = append(t.recent, e.Time-call.Time)
		}
		e.Node = call.Node // whom the client asked, whoever says that it answered
		t.count(e)
	}
}

func (t *tally) count(e history.Event) {
	switch e.Type {
	case history.OK:
		t.ops.OK++
		t.recentN++
		if t.lastOK > 0 && e.Time-t.lastOK > t.outage.To-t.outage.From {
			t.outage = Outage{t.lastOK, e.Time}
		}
		t.lastOK = max(t.lastOK, e.Time)
		if e.Err == "" { // else the node that was asked did not answer, another did
			t.answered(e)
		}
	case history.Fail:
		t.ops.Fail++
		if e.Value != nil { // a cas that found another value
			t.answered(e)
		}
	case history.Info:
		t.ops.Info++
	}
}

// answered notes the first answer of a node since the last heal.
func (t *tally) answered(e history.Event) {
	if _, seen := t.first[e.Node]; !seen && e.Time >= t.healed {
		t.first[e.Node] = e.Time
	}
}

// window is told by the nemesis when one opens and closes.
func (t *tally) window(w history.Window) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.To == history.Never {
		t.open[w.Step] = w
	} else {
		delete(t.open, w.Step)
	}
}

// recovered tells how many nodes have answered since the last heal.
func (t *tally) recovered() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.first)
}

// progress is the live view of now; all is what the nodes say.
func (t *trial) progress(all map[string]systems.Status) Progress {
	now := t.rec.Elapsed()
	p := Progress{Command: t.manifest.Command, Now: now, Elapsed: now - t.started, Load: t.Time, Out: t.dir.Path()}
	leader := leaderOf(all)
	_, tells := t.System.(systems.Inspectable)
	for _, s := range t.cluster.Specs() {
		status, answers := all[s.ID]
		p.Nodes = append(p.Nodes, NodeProgress{
			ID: s.ID, State: t.cluster.State(s.ID).String(),
			Leads: answers && s.ID == leader.Node, Term: status.Term, Answers: answers || !tells,
		})
	}
	t.tally.mu.Lock()
	defer t.tally.mu.Unlock()
	p.Violation = t.tally.violation
	p.Ops, p.Outage = t.tally.ops, t.tally.outage
	if dt := now - t.tally.looked; dt > 0 {
		p.Rate = float64(t.tally.recentN) / dt.Seconds()
	}
	p.P50, p.P99 = quantile(t.tally.recent, 0.50), quantile(t.tally.recent, 0.99)
	t.tally.recent, t.tally.recentN, t.tally.looked = t.tally.recent[:0], 0, now
	for _, step := range slices.Sorted(maps.Keys(t.tally.open)) {
		p.Windows = append(p.Windows, t.tally.open[step])
		p.Until = append(p.Until, t.schedule.Steps[step].At+t.schedule.Steps[step].For)
	}
	return p
}

// quantile sorts xs and picks from it; 0 if it is empty.
func quantile(xs []time.Duration, q float64) time.Duration {
	if len(xs) == 0 {
		return 0
	}
	slices.Sort(xs)
	return xs[int(q*float64(len(xs)-1))]
}
