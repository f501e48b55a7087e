package ordeal

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"time"

	"ordeal/checker"
	"ordeal/kv/bugs"
	"ordeal/nemesis"
	"ordeal/results"
	"ordeal/systems"
	"ordeal/workloads"
)

// Config says what to put on trial and how. Its zero value is the default trial: the reference KV on
// five nodes, the register workload, thirty seconds of all faults.
type Config struct {
	Workload    string         // "" is register
	System      systems.System // nil is the reference KV
	Nodes       int            // 0 is 5
	Faults      string         // as nemesis.ParseSpecs reads it; "all" is all that the system can take, "" is that, or what Bug's header names
	Time        time.Duration  // of the load; 0 is 30 s
	Seed        uint64         // 0 draws one
	Concurrency int            // clients at a time; 0 is four a node
	Rate        float64        // operations per second over all clients; 0 is as fast as possible
	Keys        int            // in use at a time; 0 is 5
	Timeout     time.Duration  // of one operation; 0 is 500 ms

	// Bug is a planted bug of the reference KV: an id, or the path of a diff. What its header names stands in for
	// the defaults of workload, faults, time, nodes and concurrency.
	Bug string
	// Planted is a node's program that has Bug already, so that many trials need only one build; "" builds it.
	Planted string
	// Budget is what each check of the operations may spend; zeros are its defaults.
	Budget checker.Budget
	// Offline judges operations only after the run. Otherwise those of register and kv are followed, and the run ends at
	// the response that made their history impossible; of a kv, what is found is followed, and not what is absent.
	Offline bool
	// KeepGoing records on after such a response; not with Offline.
	KeepGoing bool
	// Schedule replaces the one that is drawn from Seed and Faults.
	Schedule *nemesis.Schedule
	// Bound is the time after the last heal within which every node must have answered; 0 is 10 s.
	Bound time.Duration
	// Out is the directory in which the run's directory is made; "" is results/_runs.
	Out string
	// Watch is told how the run goes, about five times a second, from one goroutine.
	Watch func(Progress)
}

// UsageError is a mistake in what was asked for, or in what was to be read: nothing was started.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Err }

// nodesMax is the largest cluster.
const nodesMax = 25

// limits are the values that make sense; all are inclusive.
var limits = []struct {
	name     string
	min, max float64
	get      func(Config) float64
}{
	{"nodes", 1, nodesMax, func(c Config) float64 { return float64(c.Nodes) }},
	{"time (seconds)", 1, 30 * 24 * 3600, func(c Config) float64 { return c.Time.Seconds() }},
	{"concurrency", 1, 10_000, func(c Config) float64 { return float64(c.Concurrency) }},
	{"rate", 0, 10_000_000, func(c Config) float64 { return c.Rate }},
	{"keys", 1, 100_000, func(c Config) float64 { return float64(c.Keys) }},
	{"timeout (seconds)", 0.001, 3600, func(c Config) float64 { return c.Timeout.Seconds() }},
	{"recovery bound (seconds)", 0.1, 3600, func(c Config) float64 { return c.Bound.Seconds() }},
}

// plan is a Config with nothing left open.
type plan struct {
	Config
	specs    []nemesis.Spec
	bug      *bugs.Bug
	schedule nemesis.Schedule
	workload workloads.Workload
}

// Check reports the first thing in c that cannot be run, as a *UsageError, and starts nothing.
func (c Config) Check() error {
	_, err := c.plan()
	return err
}

func (c Config) plan() (*plan, error) {
	p := &plan{Config: c}
	if err := p.checkBug(); err != nil {
		return nil, &UsageError{err}
	}
	p.defaults()
	for _, check := range []func() error{p.checkLimits, p.checkWorkload, p.checkOnline, p.checkSchedule} {
		if err := check(); err != nil {
			return nil, &UsageError{err}
		}
	}
	return p, nil
}

func (p *plan) defaults() {
	set(&p.Faults, "all") // somebody's own diff need not say
	set(&p.Workload, workloads.Kinds()[0].Name)
	set(&p.Nodes, 5)
	set(&p.Time, 30*time.Second)
	set(&p.Concurrency, 4*p.Nodes)
	set(&p.Keys, 5)
	set(&p.Timeout, 500*time.Millisecond)
	set(&p.Bound, 10*time.Second)
	set(&p.Out, results.DefaultOut)
	for p.Seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		p.Seed = uint64(binary.LittleEndian.Uint32(b[:]))
	}
}

// set fills in a zero value.
func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (p *plan) checkLimits() error {
	for _, l := range limits {
		if v := l.get(p.Config); !(v >= l.min && v <= l.max) { // NaN is neither
			return fmt.Errorf("%s: %v is not within %v and %v", l.name, v, l.min, l.max)
		}
	}
	if p.Timeout >= p.Bound {
		return fmt.Errorf("timeout: %v leaves no time to answer within the recovery bound of %v", p.Timeout, p.Bound)
	}
	return nil
}

// checkBug fills in what the bug's header names.
func (p *plan) checkBug() error {
	if p.System == nil {
		p.System = systems.NewKV(systems.Options{})
	}
	if p.Bug == "" {
		return nil
	}
	if p.System.Name() != "kv" {
		return fmt.Errorf("bug %s: bugs are planted in kv, not in %s", p.Bug, p.System.Name())
	}
	bug, err := bugs.Find(p.Bug)
	if err != nil {
		return err
	}
	p.bug = &bug
	if bug.Workload != "" {
		if _, err := workloads.New(bug.Workload, workloads.Options{Keys: 1}); err != nil {
			return fmt.Errorf("%s: header workload: %w", p.Bug, err)
		}
	}
	if _, err := nemesis.ParseSpecs(bug.Faults); err != nil {
		return fmt.Errorf("%s: header faults: %w", p.Bug, err)
	}
	set(&p.Workload, bug.Workload)
	set(&p.Faults, bug.Faults)
	set(&p.Time, bug.Time)
	set(&p.Nodes, bug.Nodes)
	set(&p.Concurrency, bug.Concurrency)
	return nil
}

func (p *plan) checkWorkload() (err error) {
	p.workload, err = workloads.New(p.Workload, workloads.Options{Keys: p.Keys, Budget: p.Budget})
	return err
}

func (p *plan) checkOnline() error {
	if p.Offline && p.KeepGoing {
		return errors.New("keep-going: without online no violation is seen while the run goes on, so there is nothing to go on after")
	}
	return nil
}

func (p *plan) checkSchedule() (err error) {
	if p.specs, err = nemesis.ParseSpecs(p.Faults); err != nil {
		return err
	}
	can := abilities(p.System)
	if p.Faults == "all" {
		p.specs = nemesis.Possible(p.specs, p.Nodes, can)
	}
	if p.Schedule != nil {
		p.schedule = *p.Schedule
	} else {
		rng := mathrand.New(mathrand.NewPCG(p.Seed, 0))
		if p.schedule, err = nemesis.Plan(rng, p.specs, p.Time, p.Nodes, can); err != nil {
			return err
		}
	}
	if err := p.schedule.Check(p.Nodes, can); err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	if end := p.schedule.End(); end > p.Time {
		return fmt.Errorf("schedule: it ends after %v, the load after %v", end, p.Time)
	}
	return nil
}
