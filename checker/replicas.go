package checker

import (
	"fmt"
	"maps"
	"slices"

	"ordeal/history"
	"ordeal/internal/words"
)

// The rules of replicated logs.
const (
	ruleDiverged     = "diverged"      // one index, two commands
	ruleGap          = "gap"           // an index was skipped
	ruleAppliedTwice = "applied twice" // an index was applied again without a restart
	ruleTwoLeaders   = "two leaders"   // one term, two leaders
	ruleTermBack     = "term went back"
)

// ApplyLogs judges by the apply logs of the nodes, by node name, whether they are replicas of one
// state machine: see ApplyCheck.
func ApplyLogs(logs map[string][]history.Applied) Verdict {
	c := NewApplyCheck()
	for _, node := range slices.Sorted(maps.Keys(logs)) {
		for _, a := range logs[node] {
			c.Add(node, a)
		}
	}
	return c.Verdict()
}

// ApplyCheck judges apply logs as they come, one node after the other or mixed. It holds the first
// report of every index, so its memory grows with the distinct indexes, not with nodes or restarts.
//
//   - An index has the same term and command on all nodes and after every restart (State Machine
//     Safety, Ongaro & Ousterhout, USENIX ATC 2014, figure 3).
//   - Between two boots a node applies every index once, in order; a snapshot jumps forward.
//   - Terms do not go down from one index to the next.
//   - A term has at most one leader (Election Safety); a node that leads the same term again after a restart
//     is another one: it has forgotten its vote.
//
// A node that breaks a rule many times makes one finding, which says how often.
type ApplyCheck struct {
	applied  map[uint64]firstApplied
	leaders  map[uint64]reign // by term
	nodes    map[string]*nodeLog
	entries  int
	findings []*brokenRule
	broken   map[[2]string]*brokenRule // node, rule
}

type firstApplied struct {
	term, digest uint64
	hasDigest    bool // false if only a snapshot has told of this index
	node         string
}

type reign struct {
	node string
	boot int // in which of its lives
}

type nodeLog struct {
	boot        int  // how often it has booted
	begun       bool // the index from which the state began is known
	index, term uint64
}

type brokenRule struct {
	rule, text string
	times      int
}

// NewApplyCheck makes an ApplyCheck that has seen nothing.
func NewApplyCheck() *ApplyCheck {
	return &ApplyCheck{
		applied: map[uint64]firstApplied{}, leaders: map[uint64]reign{},
		nodes: map[string]*nodeLog{}, broken: map[[2]string]*brokenRule{},
	}
}

// Add takes the next line of the apply log of node.
func (c *ApplyCheck) Add(node string, a history.Applied) {
	n := c.nodes[node]
	if n == nil {
		n = &nodeLog{}
		c.nodes[node] = n
	}
	switch a.Kind {
	case history.AppliedBoot:
		*n = nodeLog{boot: n.boot + 1, begun: true, index: a.Index}
	case history.AppliedEntry:
		c.entries++
		c.order(node, n, a)
		c.agree(node, a)
	case history.AppliedRestore:
		if n.begun && a.Index < n.index {
			c.report(node, ruleAppliedTwice, "%s put a snapshot of index %d in place of its state of index %d", history.Word(node), a.Index, n.index)
		}
		*n = nodeLog{boot: n.boot, begun: true, index: a.Index, term: a.Term}
		c.agree(node, a)
	case history.AppliedLeader:
		c.elected(reign{node, n.boot}, a.Term)
	}
}

// elected checks a new leader against the one that its term has had.
func (c *ApplyCheck) elected(now reign, term uint64) {
	first, known := c.leaders[term]
	switch {
	case !known:
		c.leaders[term] = now
	case first.node != now.node:
		c.report(now.node, ruleTwoLeaders, "%s and %s both became leader of term %d", history.Word(first.node), history.Word(now.node), term)
	case first.boot != now.boot:
		c.report(now.node, ruleTwoLeaders, "%s became leader of term %d again after a restart", history.Word(now.node), term)
	}
}

// order checks an entry against the one before it on the same node.
func (c *ApplyCheck) order(node string, n *nodeLog, a history.Applied) {
	name := history.Word(node)
	switch {
	case n.begun && a.Index <= n.index:
		c.report(node, ruleAppliedTwice, "%s applied index %d when it already had index %d", name, a.Index, n.index)
	case n.begun && a.Index > n.index+1:
		c.report(node, ruleGap, "%s applied index %d right after index %d", name, a.Index, n.index)
	}
	if a.Term < n.term {
		c.report(node, ruleTermBack, "%s applied index %d of term %d after one of term %d", name, a.Index, a.Term, n.term)
	}
	*n = nodeLog{boot: n.boot, begun: true, index: a.Index, term: max(n.term, a.Term)}
}

// agree checks an entry or a snapshot against what others, or an earlier boot, had at its index.
func (c *ApplyCheck) agree(node string, a history.Applied) {
	isEntry := a.Kind == history.AppliedEntry
	first, known := c.applied[a.Index]
	switch {
	case !known || !first.hasDigest && first.term == a.Term:
		c.applied[a.Index] = firstApplied{term: a.Term, digest: a.Digest, hasDigest: isEntry, node: node}
	case first.term != a.Term:
		c.report(node, ruleDiverged, "index %d has term %d on %s and term %d on %s",
			a.Index, first.term, history.Word(first.node), a.Term, history.Word(node))
	case isEntry && first.digest != a.Digest:
		c.report(node, ruleDiverged, "index %d of term %d is command %016x on %s and command %016x on %s",
			a.Index, a.Term, first.digest, history.Word(first.node), a.Digest, history.Word(node))
	}
}

func (c *ApplyCheck) report(node, rule, format string, args ...any) {
	b := c.broken[[2]string{node, rule}]
	if b == nil {
		b = &brokenRule{rule: rule, text: fmt.Sprintf(format, args...)}
		c.broken[[2]string{node, rule}] = b
		c.findings = append(c.findings, b)
	}
	b.times++
}

// Verdict is what the lines added so far come to. It is Unknown if no node has applied anything.
func (c *ApplyCheck) Verdict() Verdict {
	v := Verdict{Checker: "apply-log", Engine: "scan"}
	for _, b := range c.findings {
		text := b.text + "."
		if b.times > 1 {
			text = fmt.Sprintf("%s, and %s more.", b.text, words.Count(b.times-1, "time"))
		}
		v.Findings = append(v.Findings, Finding{Rule: b.rule, Text: text, Ops: []int{}})
	}
	switch {
	case len(v.Findings) > 0:
		v.Status, v.Reason = Invalid, fmt.Sprintf("the apply logs of %s break %s", words.Count(len(c.nodes), "node"), words.Count(len(v.Findings), "rule"))
	case c.entries == 0:
		v.Status, v.Reason = Unknown, "no apply log has an entry"
	}
	return v
}
