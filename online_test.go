package ordeal

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
	"ordeal/results"
)

// TestOnlineEndsTheRun: what a planted bug does is seen while the run goes on. The load ends within a second, and so
// does the run, if there is no fault to be undone first.
func TestOnlineEndsTheRun(t *testing.T) {
	for _, c := range []struct {
		config Config
		whole  bool
	}{
		{Config{Bug: "leader-local-read", Time: 20 * time.Second}, false},
		{Config{Bug: "follower-local-read", Faults: "none"}, true},
	} {
		t.Run(c.config.Bug, func(t *testing.T) {
			r := Try(t, c.config)
			require.Equal(t, checker.Invalid, r.Verdict.Status, r.Verdict.Reason)
			f, err := os.Open(r.Dir.History())
			require.NoError(t, err)
			defer func() { _ = f.Close() }()
			h, err := history.Load("history.jsonl", f)
			require.NoError(t, err)

			var last, seen, end history.Event
			for _, e := range h.Events {
				switch {
				case e.Process >= 0:
					last = e
				case e.F == history.SawViolation:
					seen = e
				case e.F == history.SawEnd:
					end = e
				}
			}
			require.Equal(t, cutByViolation, end.Err)
			require.NotEmpty(t, seen.Key)
			require.Less(t, seen.Index, end.Index)
			var index int
			require.NoError(t, json.Unmarshal(seen.Value, &index))
			response := h.Events[index]
			require.Equal(t, seen.Key, response.Key)
			require.Less(t, last.Time, response.Time+time.Second)
			if c.whole {
				require.Less(t, end.Time, response.Time+time.Second)
			}
			require.True(t, slices.ContainsFunc(r.Verdict.Findings, func(f results.Finding) bool {
				return f.Key == seen.Key && f.From < response.Time
			}), "the judge convicts the key by what had happened then")
		})
	}
}

// follow lets a trial of a config record the events.
func follow(t *testing.T, c Config, events []history.Event) (*trial, []history.Event) {
	c.Out = t.TempDir()
	p, err := c.plan()
	require.NoError(t, err)
	run, err := newTrial(p, nil)
	require.NoError(t, err)
	var file bytes.Buffer
	run.rec = history.NewRecorder(&file, time.Now(), run.take)
	for _, e := range events {
		run.rec.Record(e)
	}
	require.Eventually(t, func() bool { return run.tally.progressed() == len(events)/2 }, 10*time.Second, time.Millisecond)
	require.NoError(t, run.rec.Close())
	h, err := history.Load("history.jsonl", &file)
	require.NoError(t, err)
	return run, h.Events
}

// progressed is the number of operations that were taken.
func (t *tally) progressed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ops.All()
}

func TestOnline(t *testing.T) {
	read := func(process int, value string) []history.Event {
		e := history.Event{Type: history.Invoke, Process: process, F: "read", Key: "k", Time: time.Second}
		done := e
		done.Type, done.Value = history.OK, json.RawMessage(value)
		return []history.Event{e, done}
	}
	legal := append(read(0, "null"), read(1, "null")...)
	phantoms := append(append(legal, read(0, "7")...), read(1, "8")...)
	for _, c := range []struct {
		name   string
		config Config
		events []history.Event
		seen   bool
		ends   bool
	}{
		{"legal", Config{}, legal, false, false},
		{"phantoms", Config{}, phantoms, true, true},
		{"keep going", Config{KeepGoing: true}, phantoms, true, false},
		{"offline", Config{Offline: true}, phantoms, false, false},
		{"session", Config{Workload: "session"}, phantoms, false, false},
		{"kv", Config{Workload: "kv"}, phantoms, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			run, events := follow(t, c.config, c.events)
			var saw []history.Event
			for _, e := range events {
				if e.F == history.SawViolation {
					saw = append(saw, e)
				}
			}
			require.Equal(t, c.ends, run.violated.Err() != nil)
			if !c.seen {
				require.Empty(t, saw)
				require.Empty(t, run.tally.violation)
				return
			}
			require.Len(t, saw, 1, "one is enough")
			require.Equal(t, "k", saw[0].Key)
			require.Equal(t, "5", string(saw[0].Value))
			require.Equal(t, "k at 1.0s", run.tally.violation)
		})
	}
}

// What was seen while the run went on and what is judged must agree.
func TestJudgeAndOnlineDisagree(t *testing.T) {
	s := newStory()
	s.checkers = []checker.Checker{checker.Linearizable(checker.Register(), checker.Budget{})}
	s.saw(3*time.Second, history.Event{F: history.SawViolation, Key: "k", Value: json.RawMessage("9")})
	s.prepare(t)
	_, err := s.trialCase.judge(t.Context(), runChecks)
	require.ErrorContains(t, err, `key "k": event 9 was taken for a violation`)
	file := filepath.Join(t.TempDir(), "broken-key.jsonl")
	require.ErrorContains(t, s.keepKey(file, err), "the key's history is in "+file)
	require.FileExists(t, file)

	s.ops[3].Output = json.RawMessage("7")
	v, err := s.trialCase.judge(t.Context(), runChecks)
	require.NoError(t, err)
	require.Equal(t, checker.Invalid, v.Status)
}
