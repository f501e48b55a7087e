package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/kv/bugs"
	"ordeal/results"
)

func TestNeeded(t *testing.T) {
	for _, c := range []struct {
		tier    string
		n, want int
	}{
		{"A", 1, 1}, {"A", 19, 19}, {"A", 20, 19}, {"A", 21, 20}, {"A", 30, 29}, {"A", 40, 38}, {"A", 100, 95},
		{"B", 1, 1}, {"B", 20, 1}, {"C", 20, 0}, {"", 20, 0},
	} {
		require.Equal(t, c.want, needed(c.tier, c.n), "%s %d", c.tier, c.n)
	}
}

// verdictBy is an invalid verdict with findings of some checks.
func verdictBy(checks ...string) results.Verdict {
	v := results.Verdict{Status: checker.Invalid, Reason: "because"}
	for _, c := range checks {
		v.Findings = append(v.Findings, results.Finding{Checker: c})
	}
	return v
}

// TestTally: only an invalid verdict with a finding by a named check is a conviction.
func TestTally(t *testing.T) {
	b := bugs.Bug{ID: "b", Tier: "A", Checks: []string{"linearizable", "apply-log"}}
	tally := newBugTally(b, 4)
	for i, c := range []struct {
		verdict results.Verdict
		line    string
	}{
		{verdictBy("liveness", "apply-log", "apply-log"), "b  #1  seed 0  1.0 s  convicted by liveness, apply-log  d"},
		{verdictBy("liveness"), "b  #2  seed 0  2.0 s  invalid by liveness, and not by linearizable or apply-log  d"},
		{results.Verdict{Status: checker.Unknown, Reason: "no fault bit"}, `b  #3  seed 0  3.0 s  unknown  "no fault bit"  d`},
		{results.Verdict{}, "b  #4  seed 0  4.0 s  valid  d"},
	} {
		trial := bugTrial{Bug: "b", N: i + 1, Elapsed: time.Duration(i+1) * time.Second, Dir: "d", By: []string{}}
		trial.judge(b, c.verdict)
		require.Equal(t, c.line, trial.line(b))
		tally.add(trial)
	}
	tally.finish()
	require.Len(t, tally.missed, 3)
	require.Equal(t, 3, tally.Judged)
	require.Equal(t, "b    A   1 of 4  median 1.0 s  p95 1.0 s  apply-log  FALLS SHORT of 4", tally.line(3))
	text, err := json.Marshal(tally)
	require.NoError(t, err)
	require.JSONEq(t, `{"event":"bug","bug":"b","tier":"A","trials":4,"judged":3,"convicted":1,"needed":4,"falls_short":true,
		"median":1000000000,"p95":1000000000,"checks":["apply-log"]}`, string(text))
}

// TestLateConviction: tier A has a minute, the others have not.
func TestLateConviction(t *testing.T) {
	for _, c := range []struct {
		tier    string
		elapsed time.Duration
		line    string
	}{
		{"A", convictionMax, "b  #1  seed 0  60.0 s  convicted by linearizable  d"},
		{"A", convictionMax + time.Second, `b  #1  seed 0  61.0 s  convicted too late by linearizable  "the verdict took 61.0 s, which tier A may not: 60.0 s at most"  d`},
		{"B", convictionMax + time.Second, "b  #1  seed 0  61.0 s  convicted by linearizable  d"},
	} {
		b := bugs.Bug{ID: "b", Tier: c.tier, Checks: []string{"linearizable"}}
		trial := bugTrial{Bug: "b", N: 1, Elapsed: c.elapsed, Dir: "d", By: []string{}}
		trial.judge(b, verdictBy("linearizable"))
		require.Equal(t, c.line, trial.line(b))
		tally := newBugTally(b, 1)
		tally.add(trial)
		tally.finish()
		require.Equal(t, !trial.Convicted, tally.FallsShort)
	}
}

// TestFallsShort: a bug falls short once it cannot be saved any more, and only if it was tried.
func TestFallsShort(t *testing.T) {
	valid := bugTrial{Status: checker.Valid}
	for _, c := range []struct {
		name   string
		asked  int
		trials []bugTrial
		short  bool
		line   string
	}{
		{"cut short before the first trial", 20, nil, false, "b  A   0 of 0    NOT JUDGED"},
		{"cut short while 19 of 20 may still convict", 20, []bugTrial{valid}, false, "b  A   0 of 1  "},
		{"cut short after that", 20, []bugTrial{valid, valid}, true, "b  A   0 of 2    FALLS SHORT of 19"},
		{"an unknown trial is a miss", 1 + 1, []bugTrial{{Convicted: true, Status: checker.Invalid}, {Status: checker.Unknown}}, true,
			"b  A   1 of 2  median 0.0 s  p95 0.0 s    FALLS SHORT of 2"},
		{"no trial was one", 1, []bugTrial{{Status: checker.Unknown}}, false, "b  A   0 of 1    NOT JUDGED"},
	} {
		tally := newBugTally(bugs.Bug{ID: "b", Tier: "A"}, c.asked)
		for _, trial := range c.trials {
			tally.add(trial)
		}
		tally.finish()
		require.Equal(t, c.short, tally.FallsShort, c.name)
		require.Equal(t, c.line, tally.line(1), c.name)
	}
}

func TestExitOfACampaign(t *testing.T) {
	fine, short, unjudged := &bugTally{Judged: 1}, &bugTally{Judged: 1, FallsShort: true}, &bugTally{}
	broke := errors.New("bug b: go build: no")
	for _, c := range []struct {
		tallies []*bugTally
		stopped bool
		err     error
		want    error
		says    string
	}{
		{tallies: []*bugTally{fine}, want: exit(exitValid)},
		{tallies: []*bugTally{unjudged, fine}, want: exit(exitUnknown)},
		{tallies: []*bugTally{unjudged, short, fine}, want: exit(exitInvalid)},
		{tallies: []*bugTally{fine}, stopped: true, want: exit(exitUnknown)},
		{stopped: true, want: exit(exitUnknown)},
		{stopped: true, err: broke, want: exit(exitUnknown)},
		{tallies: []*bugTally{fine, unjudged}, err: broke, want: broke},
		{tallies: []*bugTally{short, fine}, stopped: true, want: exit(exitInvalid)},
		{tallies: []*bugTally{short, fine}, stopped: true, err: broke, want: exit(exitInvalid)},
		{tallies: []*bugTally{short, fine}, err: broke, want: exit(exitInvalid), says: "ordeal: bug b: go build: no\n"},
	} {
		var said bytes.Buffer
		cmd := &cobra.Command{}
		cmd.SetErr(&said)
		require.Equal(t, c.want, (&campaign{tallies: c.tallies, stopped: c.stopped, cmd: cmd}).exit(c.err))
		require.Equal(t, c.says, said.String())
	}
}

func TestPercentile(t *testing.T) {
	var times []time.Duration
	require.Zero(t, percentile(times, 50))
	for i := range 20 {
		times = append(times, time.Duration(i+1))
	}
	require.EqualValues(t, 10, percentile(times, 50))
	require.EqualValues(t, 19, percentile(times, 95))
	require.EqualValues(t, 1, percentile(times[:1], 95))
}
