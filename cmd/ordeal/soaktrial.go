package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"ordeal/checker"
	"ordeal/internal/sandbox"
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

// hangs is how long a trial may take beyond its load before it is killed and counts as broken.
const hangs = 15 * time.Minute

// trialArgs are the arguments that all trials of the soak share.
func (s *soak) trialArgs() []string {
	args := slices.Clone(s.args)
	for _, name := range []string{"system", "nodes", "time", "concurrency", "rate", "keys", "bug"} {
		if f := s.cmd.Flags().Lookup(name); f.Changed {
			args = append(args, "--"+name, f.Value.String())
		}
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
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	args := append([]string{"run"}, s.trialArgs()...)
	args = append(args, "--json", "--seed", strconv.FormatUint(t.Seed, 10), "--faults", t.Faults, "--out", out)
	ctx, cancel := context.WithTimeout(s.cmd.Context(), s.flags.timeOfLoad+hangs)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &tail{buf: &complaint}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	sandbox.DieWithParent(cmd) // and in a group of its own: a terminal's interrupt must reach it once
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	done, forwarded := make(chan struct{}), make(chan bool)
	go func() { forwarded <- s.forward(cmd.Process, done) }()
	last := lastVerdict(stdout)
	err = cmd.Wait()
	close(done)
	t.interrupted = <-forwarded
	if last == nil {
		return fmt.Errorf("no verdict (%v): %s", err, strings.TrimSpace(complaint.String())) //nolint:errorlint // an exit code is nothing to unwrap
	}
	t.Dir, t.Status, t.Reason, t.OK = last.Dir, last.Verdict.Status, last.Verdict.Reason, last.Verdict.Ops.OK
	return nil
}

// lastVerdict reads the JSON lines of run --json to their end; nil if there is none.
func lastVerdict(r io.Reader) (last *verdictLine) {
	lines := bufio.NewReader(r)
	for {
		data, err := lines.ReadBytes('\n')
		var v verdictLine
		if json.Unmarshal(data, &v) == nil && v.Event == "verdict" {
			last = &v
		}
		if err != nil {
			return last
		}
	}
}

// tail keeps the last 4 KiB.
type tail struct{ buf *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - 4096; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

// derive makes the nth seed of a soak: splitmix64 (Steele, Lea and Flood, OOPSLA 2014), cut to 32 bits to
// stay readable.
func derive(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return max(1, (z^z>>31)&0xffffffff)
}
