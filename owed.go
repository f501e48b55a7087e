package ordeal

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ordeal/checker"
	"ordeal/history"
)

// saw is the first thing of a kind that the observer reported.
func (c *trialCase) saw(what string) (history.Event, bool) {
	for _, e := range c.events {
		if e.Process == history.Observer && e.F == what {
			return e, true
		}
	}
	return history.Event{}, false
}

// applyLogs compares what the replicas applied.
func applyLogs(_ context.Context, c *trialCase) ([]checker.Verdict, error) {
	if len(c.applyLogs) == 0 {
		return nil, nil // a system that does not tell
	}
	return []checker.Verdict{checker.ApplyLogs(c.applyLogs)}, nil
}

// stateHashes compares what the replicas held in the end.
func stateHashes(_ context.Context, c *trialCase) ([]checker.Verdict, error) {
	if c.manifest.Nodes == 1 {
		return nil, nil // one state agrees with itself
	}
	states, err := checker.NodeStates(c.events)
	if err != nil || len(states) == 0 {
		return nil, err
	}
	return []checker.Verdict{checker.StateHashes(states)}, nil
}

// recovery is, for each node, the time from the last heal to its first ok answer, in milliseconds.
func (c *trialCase) recovery() map[string]float64 {
	ms := map[string]float64{}
	healed, ok := c.saw(history.SawHealed)
	if !ok {
		return ms
	}
	for _, e := range c.events {
		if e.Process < 0 || e.Type != history.OK || e.Time < healed.Time {
			continue
		}
		if _, seen := ms[e.Node]; !seen {
			ms[e.Node] = float64((e.Time - healed.Time).Microseconds()) / 1000
		}
	}
	return ms
}

// liveness judges what the cluster owes once every fault is over: an answer from every node within the
// bound, replicas that catch up, and no node that ended unasked.
func liveness(_ context.Context, c *trialCase) ([]checker.Verdict, error) {
	v := checker.Verdict{Checker: "liveness", Engine: "observation"}
	for _, e := range c.events {
		if e.Process == history.Observer && e.F == history.SawExit {
			v.Findings = append(v.Findings, checker.Finding{
				Rule: "crash", Text: fmt.Sprintf("%s ended by itself at %.3fs: %s.", e.Node, e.Time.Seconds(), e.Err),
				Ops: []int{}, From: e.Time, To: e.Time,
			})
		}
	}
	healed, ok := c.saw(history.SawHealed)
	end, ended := c.saw(history.SawEnd)
	interrupted := !ok || !ended || end.Err != ""
	if !interrupted {
		v.Findings = append(v.Findings, c.unserved(healed.Time, end.Time)...)
		v.Findings = append(v.Findings, c.behind()...)
	}
	switch {
	case len(v.Findings) > 0:
		v.Status, v.Reason = checker.Invalid, v.Findings[0].Text
	case interrupted:
		v.Status, v.Reason = checker.Unknown, "the run ended before the cluster had to show that it recovered"
	}
	return []checker.Verdict{v}, nil
}

// unserved finds nodes that were asked for long enough and never answered.
func (c *trialCase) unserved(healed, end time.Duration) []checker.Finding {
	bound := c.manifest.Bound
	recovered := c.recovery()
	if len(recovered) == 0 && c.counts().OK == 0 {
		return nil // nothing ever worked: no trial took place, as the evidence says
	}
	var found []checker.Finding
	for i := range c.manifest.Nodes {
		node := fmt.Sprintf("n%d", i+1)
		ms, answered := recovered[node]
		took := time.Duration(ms * float64(time.Millisecond))
		if answered && took <= bound || !answered && end-healed < bound {
			continue
		}
		text := fmt.Sprintf("%s gave no ok answer in the %.1f s after the last fault was over; it owed one within %v.", node, (end - healed).Seconds(), bound)
		if answered {
			text = fmt.Sprintf("%s gave its first ok answer %v after the last fault was over; it owed one within %v.", node, took.Round(time.Millisecond), bound)
		}
		found = append(found, checker.Finding{Rule: "no recovery", Text: text, Ops: []int{}, From: healed, To: end})
	}
	return found
}

// behind finds replicas that did not catch up though nothing was written any more.
func (c *trialCase) behind() []checker.Finding {
	var at time.Duration
	var says []string
	applied := map[uint64]bool{}
	for _, e := range c.events {
		if e.Process == history.Observer && e.F == history.SawState {
			at = e.Time
			says = append(says, fmt.Sprintf("%s %d", e.Node, e.Revision))
			applied[e.Revision] = true
		}
	}
	if len(says) == 0 || len(says) == c.manifest.Nodes && len(applied) == 1 {
		return nil
	}
	return []checker.Finding{{
		Rule: "no convergence",
		Text: fmt.Sprintf("%v after the load had ended the replicas had not applied the same entries: %s.", c.manifest.Bound, strings.Join(says, ", ")),
		Ops:  []int{}, From: at, To: at,
	}}
}
