package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"ordeal/checker"
)

// soakTrial is one line of soak.jsonl.
type soakTrial struct {
	N       int            `json:"n"` // from 1
	Seed    uint64         `json:"seed"`
	Faults  string         `json:"faults"`
	Status  checker.Status `json:"status"`
	Reason  string         `json:"reason,omitempty"`
	OK      int            `json:"ok"` // operations
	Started time.Time      `json:"started"`
	Elapsed time.Duration  `json:"elapsed"` // nanoseconds
	Dir     string         `json:"dir"`

	interrupted bool
}

func (t soakTrial) line() string {
	return fmt.Sprintf("#%-4d %s  %-16s seed %-12d %-8s %10s ops  %6s/s  %s%s", t.N, t.Started.Format(time.TimeOnly), t.Faults, t.Seed,
		t.Status, thousands(t.OK), thousands(int(float64(t.OK)/t.Elapsed.Seconds())), t.Dir, reason(t.Reason))
}

func reason(r string) string {
	if r == "" {
		return ""
	}
	return fmt.Sprintf("  %q", r)
}

// trialArgs are the arguments that all trials of the soak share.
func (s *soak) trialArgs() []string {
	args := slices.Clone(s.args)
	for _, name := range []string{"system", "nodes", "time", "concurrency", "rate", "keys", "bug"} {
		if f := s.cmd.Flags().Lookup(name); f.Changed {
			args = append(args, "--"+name, f.Value.String())
		}
	}
	if !s.flags.online {
		args = append(args, "--online=false")
	}
	return args
}

// trial runs the nth trial, from 0, as a process of its own. One that breaks is Unknown.
func (s *soak) trial(n int, out string) (soakTrial, error) {
	sets := faultSets()
	t := soakTrial{N: n + 1, Seed: derive(s.seed, uint64(n)), Faults: sets[n%len(sets)], Status: checker.Unknown, Started: time.Now()}
	err := s.runTrial(&t, out)
	t.Elapsed = time.Since(t.Started)
	if err != nil {
		t.Reason = "broken: " + err.Error()
	}
	return t, err
}

func (s *soak) runTrial(t *soakTrial, out string) error {
	args := append(s.trialArgs(), "--seed", strconv.FormatUint(t.Seed, 10), "--faults", t.Faults, "--out", out)
	c := child{stop: s.stop, patience: s.load + hangs}
	last, err := c.run(s.cmd.Context(), args)
	t.interrupted = c.interrupted
	if err != nil {
		return err
	}
	t.Dir, t.Status, t.Reason, t.OK = last.Dir, last.Verdict.Status, last.Verdict.Reason, last.Verdict.Ops.OK
	return nil
}
