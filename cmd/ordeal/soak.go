package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ordeal"
	"ordeal/checker"
	"ordeal/results"
)

// faultSets are what the trials of a soak take turns with.
var faultSets = []string{"kill", "pause", "partition", "kill,pause", "kill,partition", "pause,partition", "all", "none"}

// soak is trials back to back, each a process of its own, so that one that breaks or leaks takes
// nothing along.
type soak struct {
	flags     trialFlags
	lasting   time.Duration
	seed      uint64
	keep      int
	keepGoing bool

	cmd  *cobra.Command
	args []string // workload
	log  *soakLog
	stop chan os.Signal
}

func soakCommand() *cobra.Command {
	s := &soak{stop: make(chan os.Signal, 1)}
	c := &cobra.Command{
		Use:   "soak [WORKLOAD]",
		Short: "Run trials back to back with derived seeds over the sets of faults",
		Long: `Run trials back to back, each with a seed derived from --seed and the next of these sets of faults:
  ` + strings.Join(faultSets, "\n  ") + `
Every run that is not valid is kept, of the clean ones the last --keep. Given the --out of a soak that
was stopped or killed, it goes on where that one ended. Exit codes are those of run.`,
		Example: `  ordeal soak --for 8h --out nightly
  ordeal soak --for 8h --out nightly --keep-going     go on after a conviction`,
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
	c.Flags().BoolVar(&s.keepGoing, "keep-going", false, "go on after a conviction")
	return c
}

func (s *soak) run() error {
	if _, err := s.flags.read(s.args); err != nil {
		return err
	}
	if s.lasting <= 0 || s.keep < 0 {
		return &ordeal.UsageError{Err: errors.New("--for must be positive and --keep must not be negative")}
	}
	out := s.flags.config.Out
	if out == results.DefaultOut {
		out = filepath.Join(results.DefaultOut, fmt.Sprintf("soak-%d", s.seed))
	}
	var err error
	if s.log, err = openSoakLog(out, s.seed); err != nil {
		return &ordeal.UsageError{Err: err}
	}
	defer func() { _ = s.log.Close() }() // every line was written when it was made
	signal.Notify(s.stop, os.Interrupt)
	defer signal.Stop(s.stop)
	// A trial dies with the thread that started it: that thread must stay.
	runtime.LockOSThread()
	if n := len(s.log.trials); n > 0 {
		s.say("going on after %d trials, %v of %v", n, s.log.elapsed().Round(time.Second), s.lasting)
	}
	return s.loop(out)
}

func (s *soak) loop(out string) error {
	for s.log.elapsed() < s.lasting {
		n := len(s.log.trials)
		trial, err := s.trial(n, out)
		if err != nil {
			return fmt.Errorf("trial %d: %w", n+1, err)
		}
		if trial.interrupted && trial.Status == checker.Unknown {
			break // it was cut short: made again when the soak goes on
		}
		if err := s.log.add(trial); err != nil {
			return err
		}
		s.say("%s", trial.line())
		if err := errors.Join(s.retain(out), results.WriteIndex(out), s.log.summarize()); err != nil {
			return err
		}
		if trial.interrupted || trial.Status == checker.Invalid && !s.keepGoing {
			break
		}
	}
	worst := s.log.worst()
	s.say("%s  %s", strings.ToUpper(worst.String()), s.log.counts())
	return verdictExit(worst)
}

func (s *soak) say(format string, args ...any) {
	_, _ = fmt.Fprintf(s.cmd.OutOrStdout(), format+"\n", args...)
}

// retain removes the oldest valid runs over the number to keep.
func (s *soak) retain(out string) error {
	runs, err := results.List(out)
	if err != nil {
		return err
	}
	clean := 0
	for _, r := range runs { // newest first
		if r.State != results.IsValid {
			continue
		}
		if clean++; clean > s.keep {
			if err := os.RemoveAll(r.Dir.Path()); err != nil {
				return fmt.Errorf("remove clean run: %w", err)
			}
		}
	}
	return nil
}

// forward passes the interrupts that reach us on to a trial until done is closed, and tells whether there
// were any.
func (s *soak) forward(p *os.Process, done <-chan struct{}) (interrupted bool) {
	for {
		select {
		case <-s.stop:
			interrupted = true
			_ = p.Signal(syscall.SIGINT) // it may have ended by itself
		case <-done:
			return interrupted
		}
	}
}
