package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordeal/checker"
	"ordeal/kv/bugs"
	"ordeal/results"
)

// bugTrial is one trial of a bug, and a line of bugs run --json.
type bugTrial struct {
	Event     string         `json:"event"` // "trial"
	Bug       string         `json:"bug"`
	N         int            `json:"n"` // from 1
	Seed      uint64         `json:"seed"`
	Convicted bool           `json:"convicted"` // by a check that the bug names
	By        []string       `json:"by"`        // the checks that found something
	Status    checker.Status `json:"status"`
	Reason    string         `json:"reason,omitempty"`
	Elapsed   time.Duration  `json:"elapsed"` // nanoseconds, from the start of the trial to its verdict
	Dir       string         `json:"dir"`

	late bool // convicted, but too late to count
}

// convictionMax is how long a conviction of tier A may take, from the start of the trial to its verdict, on two cores.
// The tier asks for it: a check that convicts in the end, but slowly, would otherwise go unnoticed.
const convictionMax = time.Minute

// judge takes a verdict as one on the bug.
func (t *bugTrial) judge(b bugs.Bug, v results.Verdict) {
	t.Status, t.Reason = v.Status, v.Reason
	if v.Status != checker.Invalid {
		return
	}
	for _, f := range v.Findings {
		if !slices.Contains(t.By, f.Checker) {
			t.By = append(t.By, f.Checker)
		}
	}
	switch {
	case !slices.ContainsFunc(t.By, b.Convicts):
	case b.Tier == "A" && t.Elapsed > convictionMax:
		t.late = true
		t.Reason = fmt.Sprintf("the verdict took %s, which tier A may not: %s at most", unit(t.Elapsed), unit(convictionMax))
	default:
		t.Convicted = true
	}
}

func (t *bugTrial) line(b bugs.Bug) string {
	outcome := t.Status.String() + reason(t.Reason)
	switch {
	case t.Convicted:
		outcome = "convicted by " + strings.Join(t.By, ", ")
	case t.late:
		outcome = "convicted too late by " + strings.Join(t.By, ", ") + reason(t.Reason)
	case t.Status == checker.Invalid:
		outcome = fmt.Sprintf("invalid by %s, and not by %s", strings.Join(t.By, ", "), strings.Join(b.Checks, " or "))
	}
	return fmt.Sprintf("%s  #%d  seed %d  %s  %s  %s", t.Bug, t.N, t.Seed, unit(t.Elapsed), outcome, t.Dir)
}

// bugTally is how a bug fared, and a line of bugs run --json.
type bugTally struct {
	Event      string        `json:"event"` // "bug"
	Bug        string        `json:"bug"`
	Tier       string        `json:"tier"`
	Trials     int           `json:"trials"`
	Judged     int           `json:"judged"` // trials that were not unknown
	Convicted  int           `json:"convicted"`
	Needed     int           `json:"needed"` // convictions, of all trials that were asked for
	FallsShort bool          `json:"falls_short"`
	Median     time.Duration `json:"median"` // time to conviction, nanoseconds; 0 if there was none
	P95        time.Duration `json:"p95"`
	Checks     []string      `json:"checks"` // that convicted it, or are to

	bug    bugs.Bug
	asked  int // trials
	times  []time.Duration
	missed []bugTrial
	kept   string // directory of the last conviction
}

// needed is how many of n trials must convict a bug of a tier.
func needed(tier string, n int) int {
	switch tier {
	case "A":
		return (n*95 + 99) / 100 // 95 % at least: all of fewer than 20
	case "B":
		return 1
	default:
		return 0
	}
}

func newBugTally(b bugs.Bug, n int) *bugTally {
	return &bugTally{Event: "bug", Bug: b.ID, Tier: b.Tier, Needed: needed(b.Tier, n), Checks: []string{}, bug: b, asked: n}
}

func (t *bugTally) add(trial bugTrial) {
	t.Trials++
	if trial.Status != checker.Unknown {
		t.Judged++
	}
	if !trial.Convicted {
		t.missed = append(t.missed, trial)
		return
	}
	t.Convicted++
	t.times = append(t.times, trial.Elapsed)
	for _, by := range trial.By {
		if t.bug.Convicts(by) && !slices.Contains(t.Checks, by) {
			t.Checks = append(t.Checks, by)
		}
	}
}

// finish works out what the trials come to. A bug falls short once the trials that are left could not save it any
// more; one of which no trial could be judged has not been tried.
func (t *bugTally) finish() {
	t.FallsShort = t.Judged > 0 && t.Convicted+t.asked-t.Trials < t.Needed
	slices.Sort(t.times)
	t.Median, t.P95 = percentile(t.times, 50), percentile(t.times, 95)
	if t.Convicted == 0 {
		t.Checks = append(t.Checks, t.bug.Checks...)
	}
}

// line is lease-read  A  20 of 20  median 11.2 s  p95 12.0 s  linearizable.
func (t *bugTally) line(width int) string {
	text := fmt.Sprintf("%-*s  %s  %2d of %d", width, t.Bug, cmp.Or(t.Tier, "-"), t.Convicted, t.Trials)
	if t.Convicted > 0 {
		text += fmt.Sprintf("  median %s  p95 %s", unit(t.Median), unit(t.P95))
	}
	text += "  " + strings.Join(t.Checks, ",")
	switch {
	case t.FallsShort:
		text += fmt.Sprintf("  FALLS SHORT of %d", t.Needed)
	case t.Judged == 0:
		text += "  NOT JUDGED"
	}
	return text
}

// unit is a time with its unit, as tables of figures have it.
func unit(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// percentile is the smallest of sorted times that is not exceeded by p of 100 of them.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}
