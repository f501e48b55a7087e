package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/checker"
	"ordeal/nemesis"
	"ordeal/results"
)

// faultSets are what the trials of a soak take turns with: each fault, each pair, all, none.
func faultSets() []string {
	names := nemesis.Names()
	sets := slices.Clone(names)
	for i, a := range names {
		for _, b := range names[i+1:] {
			sets = append(sets, a+","+b)
		}
	}
	return append(sets, "all", "none")
}

// soak is trials back to back, each a process of its own, so that one that breaks or leaks takes
// nothing along.
type soak struct {
	flags     trialFlags
	lasting   time.Duration
	seed      uint64
	keep      int
	keepGoing bool

	cmd  *cobra.Command
	args []string      // workload
	load time.Duration // of a trial
	log  *soakLog
	stop chan os.Signal
}

func soakCommand() *cobra.Command {
	s := &soak{stop: make(chan os.Signal, 1)}
	c := &cobra.Command{
		Use:   "soak [WORKLOAD]",
		Short: "Run trials back to back with derived seeds over the sets of faults",
		Long: `Run trials back to back, each with a seed derived from --seed and the next of these sets of faults:
  ` + strings.Join(faultSets(), "\n  ") + `
Every convicted run is kept, of the valid and of the unknown ones the last --keep. Given the --out of a
soak that was stopped or killed, it goes on where that one ended. A trial that breaks is unknown; three
in a row end the soak. Exit codes are those of run.`,
		Example: `  ordeal soak --for 8h --out nightly
  ordeal soak --for 8h --out nightly --keep-going     start the next trial after a conviction`,
		Args:      usageArgs(cobra.MaximumNArgs(1)),
		ValidArgs: workloadNames(),
		RunE: func(c *cobra.Command, args []string) error {
			s.cmd, s.args = c, args
			return s.run()
		},
	}
	s.flags.bind(c)
	c.Flags().DurationVar(&s.lasting, "for", 8*time.Hour, "length of the soak, all its parts together")
	c.Flags().Uint64Var(&s.seed, "seed", 1, "seed that the trials' seeds are derived from")
	c.Flags().IntVar(&s.keep, "keep", 20, "clean runs to keep")
	c.Flags().BoolVar(&s.keepGoing, "keep-going", false, "start the next trial after a conviction; a trial itself ends as --online says")
	return c
}

func (s *soak) run() error {
	config, err := s.flags.read(s.args)
	if err != nil {
		return err
	}
	if s.load, err = config.Load(); err != nil {
		return err
	}
	if s.lasting <= 0 || s.keep < 0 {
		return &ordeal.UsageError{Err: errors.New("--for must be positive and --keep must not be negative")}
	}
	out := filepath.Clean(s.flags.config.Out)
	if out == filepath.Clean(results.DefaultOut) {
		out = filepath.Join(out, fmt.Sprintf("soak-%d", s.seed))
	}
	if s.log, err = openSoakLog(out, soakHeader{Soak: s.seed, Trial: s.trialArgs()}); err != nil {
		return &ordeal.UsageError{Err: err}
	}
	defer func() { _ = s.log.Close() }() // every line was written when it was made
	signal.Notify(s.stop, os.Interrupt)
	defer signal.Stop(s.stop)
	// A trial dies with the thread that started it: that thread must stay.
	runtime.LockOSThread()
	if err := dropDisks(out); err != nil {
		return err
	}
	if n := len(s.log.trials); n > 0 {
		s.say("going on after %d trials, %v of %v", n, s.log.elapsed().Round(time.Second), s.lasting)
	}
	return s.loop(out)
}

// dropDisks removes the nodes' disks that trials of a killed soak have left.
func dropDisks(out string) error {
	runs, err := results.List(out)
	if err != nil {
		return err
	}
	for _, r := range runs {
		if r.State == results.Unfinished {
			if err := os.RemoveAll(filepath.Join(r.Dir.Path(), "data")); err != nil {
				return fmt.Errorf("remove disks of a killed trial: %w", err)
			}
		}
	}
	return nil
}

// brokenMax is how many trials in a row may break before the soak gives up.
const brokenMax = 3

func (s *soak) loop(out string) error {
	for broken := 0; s.log.elapsed() < s.lasting && !s.interrupted(); {
		trial, err := s.trial(len(s.log.trials), out)
		if trial.interrupted && trial.Status != checker.Invalid {
			break // it was cut short: made again when the soak goes on
		}
		if broken++; err == nil {
			broken = 0
		}
		if err := s.log.add(trial); err != nil {
			return err
		}
		s.say("%s", trial.line())
		if err := errors.Join(s.retain(out), results.WriteIndex(out), s.log.summarize()); err != nil {
			return err
		}
		if broken == brokenMax {
			return fmt.Errorf("%d trials in a row broke, the last one: %w", broken, err)
		}
		if trial.Status == checker.Invalid && (trial.interrupted || !s.keepGoing) {
			break
		}
	}
	worst := s.log.worst()
	if s.log.elapsed() < s.lasting {
		worst = max(worst, checker.Unknown) // interrupted, or convicted
	}
	s.say("%s  %s", strings.ToUpper(worst.String()), s.log.counts())
	return verdictExit(worst)
}

// interrupted tells whether somebody wants the soak to end between two trials.
func (s *soak) interrupted() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

func (s *soak) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.cmd.OutOrStdout(), format+"\n", args...)
}

// retain removes this soak's oldest valid and unknown runs over the number to keep of each.
func (s *soak) retain(out string) error {
	kept := map[checker.Status]int{checker.Invalid: math.MinInt}
	for _, t := range slices.Backward(s.log.trials) {
		name := filepath.Base(t.Dir)
		// The log may have been tampered with: nothing but a run in out is removed.
		if kept[t.Status]++; kept[t.Status] <= s.keep || !results.IsRunName(name) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(out, name)); err != nil {
			return fmt.Errorf("remove run: %w", err)
		}
	}
	return nil
}
