package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/checker"
	"ordeal/internal/sandbox"
	"ordeal/kv/bugs"
	"ordeal/results"
)

// campaign puts planted bugs on trial, one after another, and counts convictions.
type campaign struct {
	tier   string
	n      int
	seed   uint64
	out    string
	asJSON *bool

	cmd     *cobra.Command
	view    campaignView
	stop    chan os.Signal
	stopped bool // by an interrupt
	broken  int  // trials in a row that gave no verdict
	tallies []*bugTally
}

// trialsMax is the largest -n.
const trialsMax = 10_000

// suspect is a bug, and the id or the path that names it.
type suspect struct {
	bugs.Bug
	name string
}

func bugsRunCommand(asJSON *bool) *cobra.Command {
	r := &campaign{asJSON: asJSON, stop: make(chan os.Signal, 1)}
	c := &cobra.Command{
		Use:   "run [ID|FILE.diff...]",
		Short: "See that planted bugs are convicted",
		Long: `Build each bug's node once, put it on trial as its header says, -n times with seeds derived from --seed, and count
how often one of the checks that the header names convicts it. Without arguments: all bugs that are ready; one that
waits for something runs only if it is named.

A trial that is valid, unknown, or invalid by another check only is a miss, and so is a conviction of tier A that took
more than ` + unit(convictionMax) + `: its directory is kept, and the summary names it. Of the convictions of a bug the last one's
directory is kept. Times are from the start of a trial, its cluster's included, to the verdict.

Exit codes: 0 each bug was convicted as often as its tier asks (A: in 95 % of its trials, rounded up, which is every
time of fewer than 20; B: once; C, or none: it is only counted), 1 one falls short, whatever happens after it did, 2
interrupted, or a bug of which no trial could be judged, 254 wrong usage or input, such as a diff that does not apply,
255 the harness itself broke, or a diff does not compile.`,
		Example: `  ordeal bugs run --tier A -n 20
  ordeal bugs run leader-local-read mine.diff --seed 7`,
		ValidArgsFunction: completeBugs,
		RunE: func(c *cobra.Command, args []string) error {
			r.cmd = c
			return r.run(args)
		},
	}
	f := c.Flags()
	f.StringVar(&r.tier, "tier", "", "run the bugs of a tier that are ready: A, B or C")
	f.IntVarP(&r.n, "trials", "n", 5, "trials of each bug")
	f.Uint64Var(&r.seed, "seed", 1, "seed that the trials' seeds are derived from")
	f.StringVar(&r.out, "out", results.DefaultOut, "directory for the runs' directories")
	complete(c, "tier", []string{"A", "B", "C"})
	return c
}

func (r *campaign) run(args []string) error {
	suspects, waiting, err := r.choose(args)
	if err != nil {
		return err
	}
	if err := sandbox.Probe(); err != nil {
		return orSkipped(err, *r.asJSON, r.cmd.OutOrStdout())
	}
	if err := r.check(suspects); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "ordeal-bugs-")
	if err != nil {
		return fmt.Errorf("make a place for the nodes: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }() // a leftover in the temporary directory harms nobody
	signal.Notify(r.stop, os.Interrupt)
	defer signal.Stop(r.stop)
	// A trial dies with the thread that started it: that thread must stay.
	runtime.LockOSThread()
	r.view = newCampaignView(r.cmd.ErrOrStderr(), *r.asJSON)
	width := 0
	for _, s := range suspects {
		width = max(width, len(s.ID))
	}
	for _, s := range suspects {
		if r.interrupted() {
			break
		}
		t := newBugTally(s.Bug, r.n)
		err = r.try(s, t, tmp)
		r.view.clear()
		if t.finish(); t.Trials > 0 {
			r.tallies = append(r.tallies, t)
			r.print(t, t.line(width))
		}
		if err != nil {
			break
		}
	}
	r.summarize(waiting)
	return r.exit(err)
}

// choose finds the bugs to run, and those of the same kind that wait for something.
func (r *campaign) choose(args []string) (suspects []suspect, waiting []bugs.Bug, err error) {
	switch {
	case r.n < 1 || r.n > trialsMax:
		return nil, nil, &ordeal.UsageError{Err: fmt.Errorf("-n: %d is not within 1 and %d", r.n, trialsMax)}
	case r.seed == 0:
		return nil, nil, &ordeal.UsageError{Err: errors.New("--seed: it must not be 0")}
	case r.tier != "" && len(args) > 0:
		return nil, nil, &ordeal.UsageError{Err: errors.New("--tier and names of bugs exclude each other")}
	case r.tier != "" && r.tier != "A" && r.tier != "B" && r.tier != "C":
		return nil, nil, &ordeal.UsageError{Err: fmt.Errorf("--tier: %q is not A, B or C", r.tier)}
	}
	names := args
	if len(args) == 0 {
		all, err := bugs.All()
		if err != nil {
			return nil, nil, err
		}
		for _, b := range all {
			switch {
			case r.tier != "" && b.Tier != r.tier:
			case b.Needs != "":
				waiting = append(waiting, b)
			default:
				names = append(names, b.ID)
			}
		}
		if len(names) == 0 {
			return nil, nil, &ordeal.UsageError{Err: nothingReady(r.tier)}
		}
	}
	for _, name := range names {
		b, err := ordeal.FindBug(name)
		if err != nil {
			return nil, nil, err
		}
		suspects = append(suspects, suspect{b, name})
	}
	return suspects, waiting, nil
}

func nothingReady(tier string) error {
	if tier == "" {
		return errors.New("no bug is ready")
	}
	return fmt.Errorf("no bug of tier %s is ready", tier)
}

// check finds out before anything is built which diff does not apply.
func (r *campaign) check(suspects []suspect) error {
	sources, err := bugs.Sources(r.cmd.Context())
	if err != nil {
		return err
	}
	for _, s := range suspects {
		if err := s.Check(sources); err != nil {
			return &ordeal.UsageError{Err: err}
		}
	}
	return nil
}

// try builds a bug's node in a directory and makes its trials. The error is the harness's own.
func (r *campaign) try(s suspect, t *bugTally, tmp string) error {
	node := filepath.Join(tmp, "kvnode")
	r.view.show(s.ID + "  building its node")
	ctx, cancel := signal.NotifyContext(r.cmd.Context(), os.Interrupt)
	err := s.Build(ctx, node)
	cancel()
	if r.interrupted() || err != nil {
		return err
	}
	for i := range r.n {
		trial, err := r.trial(s, t, node, i)
		if r.interrupted() {
			return nil // it may have been cut short: no trial
		}
		t.add(trial)
		r.view.clear()
		if *r.asJSON {
			r.print(trial, "")
		} else {
			r.view.done(trial.line(s.Bug), trial.Convicted)
		}
		if err := r.retain(t, trial); err != nil {
			return err
		}
		if r.broken++; err == nil {
			r.broken = 0
		}
		if r.broken == brokenMax {
			return fmt.Errorf("bug %s: %d trials in a row broke: %w", s.ID, brokenMax, err)
		}
	}
	return nil
}

// trial makes the ith trial of a bug, from 0. Its seed depends on nothing but i and --seed.
func (r *campaign) trial(s suspect, t *bugTally, node string, i int) (bugTrial, error) {
	trial := bugTrial{Event: "trial", Bug: s.ID, N: i + 1, Seed: derive(r.seed, uint64(i)), By: []string{}, Status: checker.Unknown}
	headline := fmt.Sprintf("%s  trial %d of %d  %d convicted", s.ID, i+1, r.n, t.Convicted)
	r.view.show(headline)
	c := child{stop: r.stop, patience: s.Time + hangs, watch: func(p progressLine) {
		r.view.show(fmt.Sprintf("%s  %s %s/%s   %s ops", headline, bar(p.Elapsed, p.Load, 18), seconds(p.Elapsed), seconds(p.Load), thousands(p.Ops.All())))
	}}
	began := time.Now()
	last, err := c.run(r.cmd.Context(), []string{
		"--bug", s.name, "--" + plantedFlag, node, "--seed", strconv.FormatUint(trial.Seed, 10), "--out", r.out,
	})
	trial.Elapsed, trial.Dir = time.Since(began), c.dir
	r.stopped = r.stopped || c.interrupted
	if err != nil {
		trial.Reason = "broken: " + err.Error()
		return trial, err
	}
	trial.judge(s.Bug, last.Verdict)
	return trial, nil
}

// interrupted tells whether somebody wants the campaign to end.
func (r *campaign) interrupted() bool {
	select {
	case <-r.stop:
		r.stopped = true
	default:
	}
	return r.stopped
}

// retain keeps of a bug's convictions the last.
func (r *campaign) retain(t *bugTally, trial bugTrial) error {
	if !trial.Convicted {
		return nil
	}
	was := t.kept
	t.kept = trial.Dir
	if was == "" {
		return nil
	}
	if err := os.RemoveAll(was); err != nil {
		return fmt.Errorf("remove run: %w", err)
	}
	return nil
}

// print writes a result: a JSON line, or text.
func (r *campaign) print(line any, text string) {
	w := r.cmd.OutOrStdout()
	if *r.asJSON {
		_ = json.NewEncoder(w).Encode(line) // a reader that is gone cannot be told
		return
	}
	_, _ = fmt.Fprintln(w, text)
}

// summarize says what all bugs together come to, and names every trial that missed.
func (r *campaign) summarize(waiting []bugs.Bug) {
	if *r.asJSON {
		return // each line says it
	}
	w := r.cmd.OutOrStdout()
	trials, convicted := 0, 0
	var short, unjudged []string
	for _, t := range r.tallies {
		trials += t.Trials
		convicted += t.Convicted
		switch {
		case t.FallsShort:
			short = append(short, t.Bug)
		case t.Judged == 0:
			unjudged = append(unjudged, t.Bug)
		}
		for _, m := range t.missed {
			_, _ = fmt.Fprintln(w, "missed ", m.line(t.bug))
		}
	}
	for _, b := range waiting {
		_, _ = fmt.Fprintf(w, "not run  %s  %s\n", b.ID, stateOf(b))
	}
	end := fmt.Sprintf("convicted in %d of %d trials; bugs: %d, seed: %d", convicted, trials, len(r.tallies), r.seed)
	if len(short) > 0 {
		end += "; fall short: " + strings.Join(short, ", ")
	}
	if len(unjudged) > 0 {
		end += "; not judged: " + strings.Join(unjudged, ", ")
	}
	if r.stopped {
		end += "; interrupted"
	}
	_, _ = fmt.Fprintln(w, end)
}

// exit is what the campaign comes to, if err ended it or nothing did. Unknown never hides invalid: a bug that fell
// short did so whatever came after it.
func (r *campaign) exit(err error) error {
	if r.stopped {
		err = nil // it is the interrupt's
	}
	switch {
	case slices.ContainsFunc(r.tallies, func(t *bugTally) bool { return t.FallsShort }):
		if err != nil {
			_, _ = fmt.Fprintln(r.cmd.ErrOrStderr(), "ordeal:", err)
		}
		return exit(exitInvalid)
	case err != nil:
		return err
	case r.stopped || slices.ContainsFunc(r.tallies, func(t *bugTally) bool { return t.Judged == 0 }):
		return exit(exitUnknown)
	}
	return exit(exitValid)
}
