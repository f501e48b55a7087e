package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// fake is a cluster that notes what is done to it.
type fake struct {
	mu      sync.Mutex
	start   time.Time
	log     []string
	fail    string // the call that fails, once, after it has had its effect
	panics  string // the call that panics, once
	broken  string // the call that fails without an effect
	dropped uint64
	starts  int
	down    map[string]bool
	stopped map[string]bool
	events  []history.Event

	leader   string
	term     uint64
	killed   time.Time            // when the leader was
	electing time.Duration        // how long after that an election begins
	silent   string               // who tells no term
	lag      uint64               // how many terms those that lag are behind, until they elect
	lags     string               // who does; "" is all but the leader
	stubborn bool                 // whoever leads does not hand over
	voters   map[string]string    // their ids; a node with an empty disk joins under a new one
	disk     map[string]int64     // bytes
	joins    map[string]time.Time // when a node that has been started with an empty disk votes
	joining  time.Duration        // how long it takes
	lastID   int
}

func newFake() *fake {
	f := &fake{
		start: time.Now(), down: map[string]bool{}, stopped: map[string]bool{}, leader: "n2", term: 1,
		voters: map[string]string{}, disk: map[string]int64{}, joins: map[string]time.Time{}, joining: 500 * time.Millisecond,
		electing: 300 * time.Millisecond,
	}
	for _, n := range f.Nodes() {
		f.lastID++
		f.voters[n], f.disk[n] = strconv.Itoa(f.lastID), 1000
	}
	return f
}

// note logs a call with its effect.
func (f *fake) note(effect func(), parts ...string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	call := strings.Join(parts, " ")
	f.log = append(f.log, call)
	if call == f.broken {
		return errors.New(call + ": broken")
	}
	effect()
	if call == f.panics {
		f.panics = ""
		panic("boom")
	}
	if call == f.fail {
		f.fail = ""
		return errors.New(call + ": broken")
	}
	return nil
}

func (f *fake) Nodes() []string { return cluster(3) }

func (f *fake) Leader(ctx context.Context) string {
	leader, _ := f.Reign(ctx)
	return leader
}

func (f *fake) Reign(context.Context) (string, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.leader, f.term
}

func (f *fake) Transfer(_ context.Context, from, to string) error {
	return f.note(func() {
		if !f.stubborn && f.leader == from {
			f.leader, f.term = to, f.term+1
		}
	}, "transfer", from, to)
}

func (f *fake) Voters(context.Context) (map[string]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, at := range f.joins {
		if !time.Now().Before(at) {
			f.lastID++
			f.voters[n] = strconv.Itoa(f.lastID)
			delete(f.joins, n)
		}
	}
	return maps.Clone(f.voters), nil
}

func (f *fake) Remove(_ context.Context, n string) error {
	return f.note(func() { delete(f.voters, n) }, "remove", n)
}

func (f *fake) Wipe(_ context.Context, n string) (files int, bytes int64, err error) {
	up := f.PID(n) != 0
	err = f.note(func() {
		if !up {
			bytes, f.disk[n] = f.disk[n], 0
		}
	}, "wipe", n)
	if up {
		err = errors.New("it runs already")
	}
	return 1, bytes, err
}

func (f *fake) Joined(ctx context.Context, n string) error {
	voters, _ := f.Voters(ctx)
	if voters[n] == "" {
		return errors.New("it does not vote")
	}
	return nil
}

func (f *fake) Stopped(n string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stopped[n]
}

func (f *fake) PID(n string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down[n] {
		return 0
	}
	return 100 + f.starts
}

func (f *fake) Kill(_ context.Context, n string) error {
	return f.note(func() {
		f.down[n], f.stopped[n] = true, false
		if n == f.leader {
			f.killed = time.Now()
		}
	}, "kill", n)
}

// Term is a new one some time after the leader was killed.
func (f *fake) Term(_ context.Context, n string) (uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.down[n], f.silent == n:
		return 0, errors.New("it does not answer")
	case f.leader != "" && f.down[f.leader] && time.Since(f.killed) >= f.electing:
		return f.term + 1, nil
	case n != f.leader && f.killed.IsZero() && (f.lags == "" || f.lags == n):
		return f.term - f.lag, nil
	}
	return f.term, nil
}

func (f *fake) Start(_ context.Context, n string) error {
	return f.note(func() {
		f.down[n] = false
		f.starts++
		if f.disk[n] == 0 {
			delete(f.voters, n)
			f.joins[n] = time.Now().Add(f.joining)
			f.disk[n] = 1
		}
	}, "start", n)
}

func (f *fake) Pause(_ context.Context, n string) error {
	already := false
	err := f.note(func() { already, f.stopped[n] = f.stopped[n], true }, "pause", n)
	if already {
		return ErrAnothers
	}
	return err
}

func (f *fake) Resume(_ context.Context, n string) error {
	return f.note(func() { f.stopped[n] = false }, "resume", n)
}

func (f *fake) Cut(context.Context, string, [][2]string) error  { return f.note(func() {}, "cut") }
func (f *fake) Heal(context.Context, string) error              { return f.note(func() {}, "heal") }
func (f *fake) Dropped(context.Context, string) (uint64, error) { return f.dropped, nil }

func (f *fake) runner() *Runner {
	return &Runner{
		Cluster: f, Seed: 1, Elapsed: func() time.Duration { return time.Since(f.start) },
		Record: func(e history.Event) {
			f.mu.Lock()
			defer f.mu.Unlock()
			e.Index = len(f.events)
			f.events = append(f.events, e)
		},
	}
}

// window runs one step and returns its window.
func (f *fake) window(t *testing.T, s Step) (history.Window, error) {
	err := f.runner().Run(t.Context(), Schedule{Steps: []Step{s}})
	windows, werr := history.Windows(f.events)
	require.NoError(t, werr)
	require.Len(t, windows, 1)
	return windows[0], err
}

// undoneTwice injects a fault, lets it last a second, and undoes it, twice.
func (f *fake) undoneTwice(t *testing.T, s Step) {
	kind, _ := kindOf(s.Fault)
	undo, err := kind.New(s.Params, rand.New(rand.NewPCG(1, 1))).Inject(t.Context(), f, []string{"n1"})
	require.NoError(t, err)
	sleepUntil(t.Context(), time.Second)
	require.NoError(t, undo(t.Context()))
	before := strings.Join(f.log, ", ")
	require.NoError(t, undo(t.Context()))
	for call := range strings.SplitSeq(strings.TrimPrefix(strings.Join(f.log, ", "), before), ", ") {
		require.Contains(t, []string{"", "resume n1", "heal"}, call, "what is done already must not be done again")
	}
}

// ends are the values of the events that end a window.
func (f *fake) ends(t *testing.T) (ends []history.WindowValue) {
	for _, e := range f.events {
		var v history.WindowValue
		require.NoError(t, json.Unmarshal(e.Value, &v))
		if v.Phase == history.PhaseEnd {
			ends = append(ends, v)
		}
	}
	return ends
}
