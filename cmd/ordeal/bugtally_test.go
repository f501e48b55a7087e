package main

import (
	"encoding/json"
	"testing"
	"time"

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
		{"A", 1, 1}, {"A", 19, 19}, {"A", 20, 19}, {"A", 30, 28}, {"A", 100, 95},
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
	require.Equal(t, 3, tally.judged)
	require.Equal(t, "b    A   1 of 4  median 1.0 s  p95 1.0 s  apply-log  FALLS SHORT of 4", tally.line(3))
	text, err := json.Marshal(tally)
	require.NoError(t, err)
	require.JSONEq(t, `{"event":"bug","bug":"b","tier":"A","trials":4,"convicted":1,"needed":4,"falls_short":true,
		"median":1000000000,"p95":1000000000,"checks":["apply-log"]}`, string(text))

	short := newBugTally(b, 20)
	short.finish()
	require.False(t, short.FallsShort, "it was cut short")
}

func TestExitOfACampaign(t *testing.T) {
	fine, short, unjudged := &bugTally{judged: 1}, &bugTally{FallsShort: true}, &bugTally{}
	for _, c := range []struct {
		tallies []*bugTally
		stopped bool
		want    exit
	}{
		{[]*bugTally{fine}, false, exitValid},
		{[]*bugTally{unjudged, fine}, false, exitUnknown},
		{[]*bugTally{unjudged, short, fine}, false, exitInvalid},
		{[]*bugTally{fine}, true, exitUnknown},
		{nil, true, exitUnknown},
	} {
		require.Equal(t, c.want, (&campaign{tallies: c.tallies, stopped: c.stopped}).exit())
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
