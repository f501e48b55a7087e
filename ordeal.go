// Package ordeal puts a replicated system on trial: it starts the system's nodes as real processes on
// a private network, loads them with clients, injects faults, records every operation, and decides
// whether what happened was legal.
//
// A test suite does it like this:
//
//	func TestMain(m *testing.M) { os.Exit(ordeal.Main(m)) }
//
//	func TestChaos(t *testing.T) {
//		ordeal.Test(t, ordeal.Config{System: mySystem{}, Time: 20 * time.Second})
//	}
//
// The package knows neither the system nor the faults: those are rows in the tables of packages
// systems, nemesis and workloads.
package ordeal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"ordeal/internal/sandbox"
	"ordeal/kv/bugs"
	"ordeal/results"
	"ordeal/systems"
)

// Run puts a system on trial and judges it: plan, run, check, report, each from what the one before
// left on disk. If ctx ends, the load is stopped, faults are undone, and what was recorded is judged.
// It must be called inside the sandbox; see Main. A mistake in c is a *UsageError; every other error
// means that the harness itself failed, and the directory then holds what had been recorded.
func Run(ctx context.Context, c Config) (*results.Run, error) {
	return run(ctx, c, nil)
}

// run is Run; again makes the command that repeats it with a seed, nil is the ordeal command line.
func run(ctx context.Context, c Config, again func(seed uint64) []string) (*results.Run, error) {
	p, err := c.plan()
	if err != nil {
		return nil, err
	}
	if err := sandbox.Ready(); err != nil {
		return nil, fmt.Errorf("ordeal.Run needs TestMain to call ordeal.Main: %w", err)
	}
	cleanup, err := p.plant(ctx)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	t, err := newTrial(p, again)
	if err != nil {
		return nil, err
	}
	if err := t.record(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", t.dir.Path(), err)
	}
	return Judge(context.WithoutCancel(ctx), t.dir.Path(), t.Budget)
}

// newTrial puts the plan on disk.
func newTrial(p *plan, again func(seed uint64) []string) (*trial, error) {
	dir, err := results.Create(p.Out, p.Workload, p.Seed, time.Now())
	if err != nil {
		return nil, err
	}
	command := p.command(dir.Schedule())
	if again != nil {
		command = again(p.Seed)
	}
	t := &trial{plan: p, dir: dir, tally: newTally(), manifest: p.manifest(command)}
	t.crashed, t.crash = context.WithCancel(context.Background())
	t.violated, t.violate = context.WithCancel(context.Background())
	if p.workload.Online != nil && !p.Offline {
		t.online = p.workload.Online(p.Concurrency)
	}
	return t, t.save()
}

// save writes the manifest and the schedule: before the first operation there is a plan on disk.
func (t *trial) save() error {
	if err := t.dir.WriteManifest(t.manifest); err != nil {
		return err
	}
	f, err := os.Create(t.dir.Schedule())
	if err != nil {
		return fmt.Errorf("save schedule: %w", err)
	}
	return errors.Join(t.schedule.Write(f), f.Close())
}

// plant builds the node with the planted bug, if one was asked for.
func (p *plan) plant(ctx context.Context) (cleanup func(), err error) {
	if p.bug == nil {
		return func() {}, nil
	}
	binary, cleanup := p.Planted, func() {}
	if binary == "" {
		if binary, cleanup, err = buildMutant(ctx, *p.bug); err != nil {
			return nil, err
		}
	}
	p.System = systems.NewKV(systems.Options{Binary: binary})
	return cleanup, nil
}

func buildMutant(ctx context.Context, bug bugs.Bug) (binary string, cleanup func(), err error) {
	tmp, err := os.MkdirTemp("", "ordeal-bug-")
	if err != nil {
		return "", nil, fmt.Errorf("build bug %s: %w", bug.ID, err)
	}
	cleanup = func() { _ = os.RemoveAll(tmp) } // a leftover in the temporary directory harms nobody
	binary = filepath.Join(tmp, "kvnode")
	if err := bug.Build(ctx, binary); err != nil {
		cleanup()
		return "", nil, fmt.Errorf("build bug %s: %w", bug.ID, err)
	}
	return binary, cleanup, nil
}
