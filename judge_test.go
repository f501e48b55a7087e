package ordeal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
	"ordeal/results"
)

// story is a run of three nodes written by hand: a pause of n1 from 1 s to 2 s, a client a node that reads
// every 100 ms, the end at 5 s. Tests spoil one thing in it.
type story struct {
	trialCase
	lastOK map[string]time.Duration // no operation of this node succeeds from then on
	back   map[string]time.Duration // but from then on they do again
	asks   map[string]time.Duration // nor is it asked
	node   func(string) string      // who answers when this one was asked
	events []history.Event          // of the harness
}

func newStory() *story {
	s := &story{lastOK: map[string]time.Duration{}, back: map[string]time.Duration{}, asks: map[string]time.Duration{}, node: func(n string) string { return n }}
	s.manifest = results.Manifest{Workload: "register", Nodes: 3, Bound: 2 * time.Second, TellsState: true, ApplyLogs: true, Faults: []string{"pause"}}
	s.planned = 1
	s.applyLogs = map[string][]history.Applied{}
	for _, n := range s.manifest.NodeNames() {
		s.applyLogs[n] = []history.Applied{{Kind: history.AppliedBoot, Boot: 1}, {Kind: history.AppliedEntry, Index: 1, Term: 1, Digest: 7}}
	}
	s.window(0, "pause", time.Second, 2*time.Second, true)
	s.saw(2*time.Second, history.Event{F: history.SawHealed})
	for _, n := range s.manifest.NodeNames() {
		s.saw(5*time.Second, history.Event{F: history.SawState, Node: n, Revision: 9, Value: json.RawMessage(`"h"`)})
	}
	s.saw(5*time.Second, history.Event{F: history.SawEnd})
	return s
}

func (s *story) saw(at time.Duration, e history.Event) {
	e.Time, e.Process, e.Type = at, history.Observer, history.Info
	s.events = append(s.events, e)
}

func (s *story) window(step int, fault string, from, to time.Duration, bit bool) {
	for phase, at := range map[string]time.Duration{history.PhaseBegin: from, history.PhaseEnd: to} {
		value, _ := json.Marshal(history.WindowValue{Step: step, Phase: phase, Target: []string{"n1"}, Bit: bit && phase == history.PhaseEnd})
		s.events = append(s.events, history.Event{Time: at, Process: history.Nemesis, Type: history.Info, F: fault, Value: value})
	}
}

// drop removes what the harness saw of a kind, or of a node.
func (s *story) drop(f, node string) {
	kept := s.events[:0]
	for _, e := range s.events {
		if e.F != f || node != "" && e.Node != node {
			kept = append(kept, e)
		}
	}
	s.events = kept
}

// judge lets every check look at the story.
func (s *story) judge(t *testing.T) results.Verdict {
	s.prepare(t)
	v, err := s.trialCase.judge(t.Context(), runChecks)
	require.NoError(t, err)
	return v
}

// prepare writes the story's events out.
func (s *story) prepare(t *testing.T) {
	var all []history.Event
	for i, n := range s.manifest.NodeNames() {
		process := i
		for at := time.Duration(0); at < 5*time.Second; at += 100 * time.Millisecond {
			if until, ok := s.asks[n]; ok && at >= until {
				break
			}
			done := history.Event{Time: at + 10*time.Millisecond, Process: process, Type: history.OK, F: "read", Key: "k", Value: json.RawMessage("null"), Node: s.node(n)}
			from, silenced := s.lastOK[n]
			if until, ok := s.back[n]; silenced && at >= from && (!ok || at < until) {
				done.Type, done.Value = history.Fail, nil
			}
			all = append(all, history.Event{Time: at, Process: process, Type: history.Invoke, F: "read", Key: "k", Node: n}, done)
		}
	}
	// Begin before end, as a history has them.
	for _, phase := range []string{`"begin"`, `"end"`, ""} {
		for _, e := range s.events {
			isWindow := e.Process == history.Nemesis
			if isWindow == (phase != "") && (phase == "" || jsonHas(e.Value, phase)) {
				all = append(all, e)
			}
		}
	}
	for i := range all {
		all[i].Index = i
	}
	var err error
	s.trialCase.events = all
	s.ops, err = history.Pair(all)
	require.NoError(t, err)
	s.windows, err = history.Windows(all)
	require.NoError(t, err)
}

func jsonHas(value json.RawMessage, word string) bool {
	var v history.WindowValue
	return json.Unmarshal(value, &v) == nil && fmt.Sprintf("%q", v.Phase) == word
}

// undecided is a checker that comes to nothing.
type undecided struct{}

func (undecided) Name() string { return "undecided" }

func (undecided) Check(context.Context, []history.Op) checker.Verdict {
	return checker.Verdict{Checker: "undecided", Status: checker.Unknown, Reason: "it takes too long"}
}

// spoilt is a story in which one thing is not as it should be, and what is to be said of it.
type spoilt struct {
	name   string
	spoil  func(*story)
	status checker.Status
	reason string
}

func judgeAll(t *testing.T, all []spoilt) {
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			s := newStory()
			c.spoil(s)
			v := s.judge(t)
			require.Equal(t, c.status, v.Status, v.Reason)
			require.Contains(t, v.Reason, c.reason)
		})
	}
}

func TestJudge(t *testing.T) {
	judgeAll(t, []spoilt{
		{"all is well", func(*story) {}, checker.Valid, ""},
		{"a node ends by itself", func(s *story) {
			s.saw(3*time.Second, history.Event{F: history.SawExit, Node: "n2", Err: "exit status 2"})
		}, checker.Invalid, "n2 ended by itself at 3.000s: exit status 2"},
		{"a node never answers again", func(s *story) { s.lastOK["n2"] = time.Second }, checker.Invalid, "liveness: n2 was asked 20 times in the 2s after"},
		{"a node is not asked any more", func(s *story) { s.asks["n2"] = time.Second }, checker.Unknown, "n2 was asked only 0 times"},
		{"other nodes answer for it", func(s *story) { s.node = func(string) string { return "n1" } }, checker.Valid, ""},
		{"a replica stays behind", func(s *story) {
			s.drop(history.SawState, "n3")
			s.saw(5*time.Second, history.Event{F: history.SawState, Node: "n3", Revision: 8, Value: json.RawMessage(`"h"`)})
		}, checker.Invalid, "n1 had applied 9, n2 had applied 9, n3 had applied 8"},
		{"a replica says nothing", func(s *story) { s.drop(history.SawState, "n3") }, checker.Unknown, "n3 did not tell its state"},
		{"states differ", func(s *story) {
			s.drop(history.SawState, "n3")
			s.saw(5*time.Second, history.Event{F: history.SawState, Node: "n3", Revision: 9, Value: json.RawMessage(`"other"`)})
		}, checker.Invalid, "state-hash"},
		{"replicas applied different things", func(s *story) { s.applyLogs["n3"][1].Digest = 8 }, checker.Invalid, "apply-log"},
		{"an apply log is missing", func(s *story) { delete(s.applyLogs, "n3") }, checker.Unknown, "the apply log of n3 has no entry"},
		{"the harness could not heal", func(s *story) {
			s.lastOK["n2"] = time.Second
			s.drop(history.SawHealed, "")
			s.saw(2*time.Second, history.Event{F: history.SawHealed, Err: "iptables-restore: exit status 1"})
		}, checker.Unknown, "did not undo a fault: iptables-restore"},
		{"it was interrupted", func(s *story) {
			s.drop(history.SawEnd, "")
			s.saw(5*time.Second, history.Event{F: history.SawEnd, Err: interrupted})
		}, checker.Unknown, "interrupted"},
		{"the harness died", func(s *story) { s.drop(history.SawEnd, "") }, checker.Unknown, "the history has no end"},
		{"it never came up", func(s *story) {
			s.events = nil
			s.saw(time.Second, history.Event{F: history.SawExit, Node: "n2", Err: "exit status 2"})
			s.saw(time.Second, history.Event{F: history.SawUnready, Err: "n2 ended"})
		}, checker.Unknown, "the cluster did not come up: n2 ended"},
		{"nothing succeeded", func(s *story) { s.lastOK = map[string]time.Duration{"n1": 0, "n2": 0, "n3": 0} }, checker.Unknown, "only 0 of 150 operations succeeded"},
		{"a fault had no effect", func(s *story) { s.drop("pause", ""); s.window(0, "pause", time.Second, 2*time.Second, false) }, checker.Unknown, "pause at 1.00s had no effect"},
		{"a fault is missing from the history", func(s *story) { s.planned = 2 }, checker.Unknown, "2 faults were planned, and the history has 1"},
		{"no fault was planned", func(s *story) { s.planned = 0; s.drop("pause", "") }, checker.Unknown, "1 faults were asked for, and 0 planned"},
		{"nothing succeeded around the fault", func(s *story) {
			s.drop("pause", "")
			s.window(0, "pause", 4900*time.Millisecond, 4950*time.Millisecond, true)
			for _, n := range s.manifest.NodeNames() {
				s.lastOK[n] = 3500 * time.Millisecond
			}
		}, checker.Unknown, "only 0 operations succeeded while a fault was active"},
		{"unknown does not hide invalid", func(s *story) {
			s.planned = 2
			s.applyLogs["n3"][1].Digest = 8
		}, checker.Invalid, "apply-log"},
	})
}

func TestJudgeOfAViolationSeenOnline(t *testing.T) {
	judgeAll(t, []spoilt{
		{"a violation ended it", func(s *story) {
			s.drop(history.SawEnd, "")
			s.lastOK["n2"] = time.Second
			s.saw(5*time.Second, history.Event{F: history.SawEnd, Err: cutByViolation})
		}, checker.Unknown, "cut short by a violation"},
		{"a violation that is not confirmed ended it", func(s *story) {
			s.checkers = []checker.Checker{undecided{}}
			s.drop(history.SawEnd, "")
			s.saw(3*time.Second, history.Event{F: history.SawViolation, Key: "k", Value: json.RawMessage("9")})
			s.saw(5*time.Second, history.Event{F: history.SawEnd, Err: cutByViolation})
		}, checker.Unknown, "evidence: the run was cut short by a violation: event 9 had made the history of key k impossible, as far as was seen"},
		{"a violation that is not confirmed", func(s *story) {
			s.checkers = []checker.Checker{undecided{}}
			s.saw(3*time.Second, history.Event{F: history.SawViolation, Key: "k", Value: json.RawMessage("9")})
		}, checker.Unknown, "undecided: it takes too long; event 9 had made the history of key k impossible, as far as was seen"},
	})
}

// A node that was removed may refuse everything for as long as its window lasts, and no longer.
func TestJudgeRemovedNode(t *testing.T) {
	s := newStory()
	s.drop("pause", "")
	s.window(0, "member:remove", time.Second, 2*time.Second, true)
	s.lastOK["n1"], s.back["n1"] = time.Second, 2100*time.Millisecond
	require.Equal(t, checker.Valid, s.judge(t).Status)

	delete(s.back, "n1")
	v := s.judge(t)
	require.Equal(t, checker.Invalid, v.Status)
	require.Contains(t, v.Reason, "liveness: n1 was asked 20 times")
}

func TestWindowOfAFinding(t *testing.T) {
	c := trialCase{windows: []history.Window{
		{Fault: "pause", Target: []string{"n1"}, From: 10 * time.Second, To: 20 * time.Second},
		{Fault: "kill", Target: []string{"n2", "n3"}, From: 15 * time.Second, To: history.Never},
	}}
	within := func(from, to time.Duration) string {
		return c.windowOf(checker.Finding{From: from * time.Second, To: to * time.Second})
	}
	require.Empty(t, within(1, 9))
	require.Equal(t, "pause n1 10.00s–20.00s", within(9, 11))
	require.Equal(t, "kill n2,n3 15.00s–end", within(9, 16))
}

// What the checker is wrong about is kept as a history of its own.
func TestTheHistoryOfABrokenKeyIsKept(t *testing.T) {
	s := newStory()
	s.trialCase.events = []history.Event{
		{Process: 1, Type: history.Invoke, F: "read", Key: "good"}, {Process: 2, Type: history.Invoke, F: "read", Key: "bad"},
		{Process: history.Observer, Type: history.Info, F: history.SawEnd},
	}
	file := filepath.Join(t.TempDir(), "broken-key.jsonl")
	err := s.keepKey(file, fmt.Errorf("linearizable: %w", &checker.KeyError{Key: "bad", Err: errors.New("two engines disagree")}))
	require.ErrorContains(t, err, `linearizable: key "bad": two engines disagree; the key's history is in `+file)
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	h, err := history.Load(file, f)
	require.NoError(t, err)
	require.Len(t, h.Events, 1)
	require.Equal(t, "bad", h.Events[0].Key)
	other := errors.New("another")
	require.Equal(t, other, s.keepKey(file, other))
}
