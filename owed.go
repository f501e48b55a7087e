package ordeal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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

// asked is the node that a client sent its operation to, whoever answered it.
func (c *trialCase) asked(op history.Op) string { return c.events[op.Index].Node }

// applyLogs compares what the replicas applied.
func applyLogs(_ context.Context, c *trialCase) ([]checker.Verdict, error) {
	if !c.manifest.ApplyLogs {
		return nil, nil // a system that keeps none
	}
	v := checker.ApplyLogs(c.applyLogs)
	if v.Status != checker.Valid {
		return []checker.Verdict{v}, nil
	}
	applied := func(a history.Applied) bool {
		return a.Kind == history.AppliedEntry || a.Kind == history.AppliedRestore
	}
	for _, node := range c.manifest.NodeNames() {
		if !slices.ContainsFunc(c.applyLogs[node], applied) {
			v.Status, v.Reason = checker.Unknown, "the apply log of "+node+" has no entry"
		}
	}
	if len(c.unread) > 0 {
		v.Status, v.Reason = checker.Unknown, c.unread[0]
	}
	return []checker.Verdict{v}, nil
}

// stateHashes compares what the replicas held in the end.
func stateHashes(_ context.Context, c *trialCase) ([]checker.Verdict, error) {
	if !c.manifest.TellsState || c.manifest.Nodes == 1 {
		return nil, nil // nobody tells, or there is nobody to compare with
	}
	states, err := checker.NodeStates(c.events)
	v := checker.StateHashes(states)
	if err != nil {
		v.Status, v.Reason = max(v.Status, checker.Unknown), err.Error()
	}
	return []checker.Verdict{v}, nil
}

// recovery is, for each node that was asked, the time from the last heal to its first answer.
func (c *trialCase) recovery() map[string]time.Duration {
	took := map[string]time.Duration{}
	healed, ok := c.saw(history.SawHealed)
	if !ok {
		return took
	}
	for _, op := range c.ops {
		refused := op.Type == history.Fail && op.Output == nil // a cas that found another value was answered
		elsewhere := op.Type == history.OK && op.Err != ""     // the node that was asked did not answer, another did
		if op.Type == history.Info || refused || elsewhere || op.Return < healed.Time {
			continue
		}
		node, t := c.asked(op), op.Return-healed.Time
		if first, seen := took[node]; !seen || t < first {
			took[node] = t
		}
	}
	return took
}

// liveness judges what the cluster owes once every fault is over: an answer from every node within the
// bound, replicas that catch up, and no node that ended unasked. It judges nothing that the harness
// may have caused: a cluster that never came up, a fault that could not be undone, a run cut short.
func liveness(_ context.Context, c *trialCase) ([]checker.Verdict, error) {
	v := checker.Verdict{Checker: "liveness", Engine: "observation"}
	if e, ok := c.saw(history.SawUnready); ok {
		v.Status, v.Reason = checker.Unknown, "the cluster did not come up: "+e.Err+c.exits()
		return []checker.Verdict{v}, nil
	}
	v.Findings = c.crashes()
	healed, ok := c.saw(history.SawHealed)
	end, ended := c.saw(history.SawEnd)
	doubt := "the cluster did not get the chance to show that it recovers"
	if ok && ended && healed.Err == "" && end.Err == "" {
		var found []checker.Finding
		found, doubt = c.unserved(healed.Time, end.Time)
		v.Findings = append(v.Findings, found...)
		found, silent := c.behind()
		v.Findings = append(v.Findings, found...)
		doubt = cmp.Or(doubt, silent)
	}
	switch {
	case len(v.Findings) > 0:
		v.Status, v.Reason = checker.Invalid, v.Findings[0].Text
	case doubt != "":
		v.Status, v.Reason = checker.Unknown, doubt
	}
	return []checker.Verdict{v}, nil
}

// crashes are the nodes that ended though nobody killed them.
func (c *trialCase) crashes() []checker.Finding {
	var found []checker.Finding
	for _, e := range c.events {
		if e.Process == history.Observer && e.F == history.SawExit {
			found = append(found, checker.Finding{
				Rule: "crash", Text: fmt.Sprintf("%s ended by itself at %.3fs: %s.", e.Node, e.Time.Seconds(), e.Err),
				Ops: []int{}, From: e.Time, To: e.Time,
			})
		}
	}
	return found
}

// exits are the crashes as the end of a reason.
func (c *trialCase) exits() (text string) {
	for _, f := range c.crashes() {
		text += "; " + f.Text
	}
	return text
}

// asksMin is how often a node must have been asked within the bound before its silence convicts it.
const asksMin = 3

// unserved finds nodes that were asked and did not answer in time; doubt names one that was hardly asked.
func (c *trialCase) unserved(healed, end time.Duration) (found []checker.Finding, doubt string) {
	if c.counts().OK == 0 {
		return nil, "no operation ever succeeded" // no trial took place, as the evidence says
	}
	bound := c.manifest.Bound
	asks := map[string]int{}
	for _, op := range c.ops {
		if op.Call >= healed && op.Ended <= healed+bound {
			asks[c.asked(op)]++
		}
	}
	recovered := c.recovery()
	for _, node := range c.manifest.NodeNames() {
		took, answered := recovered[node]
		switch {
		case answered && took <= bound:
			continue
		case asks[node] < asksMin || end < healed+bound:
			doubt = fmt.Sprintf("%s was asked only %d times in the %v after the last fault, and did not answer", node, asks[node], bound)
			continue
		}
		late := "none"
		if answered {
			late = fmt.Sprintf("the first after %v", took.Round(time.Millisecond))
		}
		found = append(found, checker.Finding{
			Rule: "no recovery", Ops: []int{}, From: healed, To: healed + bound,
			Text: fmt.Sprintf("%s was asked %d times in the %v after the last fault was over and gave no answer (%s at all).", node, asks[node], bound, late),
		})
	}
	return found, doubt
}

// behind finds replicas that did not catch up though nothing was written any more; doubt names one that did
// not say.
func (c *trialCase) behind() (found []checker.Finding, doubt string) {
	if !c.manifest.TellsState {
		return nil, ""
	}
	states, err := checker.NodeStates(c.events)
	if err != nil {
		return nil, err.Error()
	}
	var at time.Duration
	says, applied := map[string]string{}, map[uint64]bool{}
	for _, s := range states {
		at = s.At
		says[s.Node] = fmt.Sprintf("%s had applied %d", s.Node, s.Applied)
		applied[s.Applied] = true
	}
	var parts []string
	for _, node := range c.manifest.NodeNames() {
		parts = append(parts, cmp.Or(says[node], node+" did not say"))
		if says[node] == "" {
			doubt = node + " did not tell its state after the load"
		}
	}
	if len(applied) <= 1 {
		return nil, doubt
	}
	return []checker.Finding{{
		Rule: "no convergence", Ops: []int{}, From: at, To: at,
		Text: fmt.Sprintf("%v after the load had ended the replicas had not applied the same entries: %s.", c.manifest.Bound, strings.Join(parts, ", ")),
	}}, doubt
}
