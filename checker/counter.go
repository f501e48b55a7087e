package checker

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
)

// Counter is a key that is added to and read. It begins as 0, and absent is 0.
//
//   - add: what is added, an integer; if ok with a value, that is the sum which it left. One of
//     unknown outcome took effect at some time after its call, or never.
//   - read: the sum, or null. One without an answer says nothing.
//
// An answer that is no integer has no place in any order.
func Counter() Model { return Model{Name: "counter", Parse: parseCounter} }

// Bounds that keep sums in 64 bits: what is added is the workload's, what is answered may be hostile.
const (
	deltaMax = int64(1) << 40
	sumMax   = int64(1) << 62
)

// counterCall is an add or a read.
type counterCall struct {
	index      int   // Op.Index
	add        bool  //
	delta      int64 // of an add
	answered   bool  // sum is known
	sum        int64 // what a read found, what an add left
	strange    bool  // it was answered with what is no integer
	maybe      bool  // an add that may not have happened
	begin, end time.Duration
}

// from is the sum just before a call that was answered.
func (c *counterCall) from() int64 { return c.sum - c.delta }

// counterProblem is the Problem of a counter.
type counterProblem struct {
	calls []counterCall
	start int64 // the sum before all calls
	// rising problems demand less: adds that are not among the calls, of any size, may come at any
	// time. All calls of such a problem are answered.
	rising bool
	// bound is the index of an operation that begins the end of another's interval; -1 if there is none.
	bound int
}

func parseCounter(ops []history.Op) (Problem, error) {
	p := &counterProblem{calls: make([]counterCall, 0, len(ops)), bound: -1}
	for _, op := range ops {
		c := counterCall{index: op.Index, begin: op.Call, end: op.Return, maybe: op.Type == history.Info}
		keep, reason := c.read(op)
		if reason != "" {
			return nil, &OpError{Op: op, Reason: reason}
		}
		if keep {
			p.calls = append(p.calls, c)
		}
	}
	return p, nil
}

// read fills c with what op says; keep is false if that is nothing.
func (c *counterCall) read(op history.Op) (keep bool, reason string) {
	switch op.F {
	case "add":
		if op.Type == history.Fail {
			return false, ""
		}
		var ok bool
		if c.delta, ok = integer(op.Input, deltaMax); !ok {
			return false, "what is added should be an integer of no more than 40 bits"
		}
		c.add, c.answered = true, op.Type == history.OK && len(op.Output) > 0
	case "read":
		if op.Type != history.OK {
			return false, ""
		}
		c.answered = true
	default:
		return false, "a counter knows add and read"
	}
	if c.answered && (c.add || len(op.Output) > 0 && string(op.Output) != "null") {
		var ok bool
		c.sum, ok = integer(op.Output, sumMax)
		c.strange = !ok
	}
	return true, ""
}

// integer reads one that is at most max above or below zero.
func integer(raw json.RawMessage, most int64) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil && -most <= n && n <= most
}

// Machine implements Problem; states are sums.
func (p *counterProblem) Machine() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return p.start },
		Step: func(state, input, _ any) (bool, any) {
			c, sum := input.(*counterCall), state.(int64)
			switch {
			case c.strange:
				return false, state
			case p.rising:
				return c.from() >= sum, c.sum
			default:
				return !c.answered || c.from() == sum, sum + c.delta
			}
		},
		Equal: func(a, b any) bool { return a.(int64) == b.(int64) },
		Hash:  func(state any) uint64 { return uint64(state.(int64)) * 0x9e3779b97f4a7c15 },
	}
}

// Operations implements Problem.
func (p *counterProblem) Operations() []porcupine.Operation {
	ops := make([]porcupine.Operation, len(p.calls))
	for i := range p.calls {
		c := &p.calls[i]
		ops[i] = porcupine.Operation{ClientId: c.index, Input: c, Call: int64(c.begin), Return: int64(c.end)}
	}
	return ops
}

func (p *counterProblem) with(calls []counterCall) *counterProblem {
	return &counterProblem{calls: calls, start: p.start, rising: p.rising, bound: p.bound}
}

// Simplify implements Problem. A counter that only grows is decided here (see ladder); any other is
// left to the search.
func (p *counterProblem) Simplify() (Problem, bool) {
	if slices.ContainsFunc(p.calls, func(c counterCall) bool { return c.strange }) {
		return p, false
	}
	if !p.grows() {
		return p, true
	}
	l := newLadder(p)
	if _, found := l.conflict(); found {
		return p, false
	}
	if p.rising {
		return p.with(nil), true
	}
	switch l.climb() {
	case legal:
		return p.with(nil), true
	case illegal:
		return p, false
	default:
		return p, true
	}
}

// Core implements proven.
func (p *counterProblem) Core() (Problem, bool) {
	if i := slices.IndexFunc(p.calls, func(c counterCall) bool { return c.strange }); i >= 0 {
		return p.with(p.calls[i : i+1]), true
	}
	if !p.grows() {
		return nil, false
	}
	l := newLadder(p)
	if pair, found := l.conflict(); found {
		return &counterProblem{calls: pair, start: p.start, rising: true, bound: -1}, true
	}
	if gaps, found := l.unfilled(); found {
		return l.around(gaps), true
	}
	return nil, false
}

// Groups implements Problem: an add cannot be left out, for it is in every sum that follows, so there
// are none.
func (p *counterProblem) Groups() int { return 0 }

// Keep implements Problem.
func (p *counterProblem) Keep(func(int) bool) Problem { return p }

// Weaken implements Problem: a read is left out, and in a rising problem so is an add. What Core made
// for gaps keeps its first call, which is where it starts.
func (p *counterProblem) Weaken(i int) (Problem, bool) {
	if p.calls[i].add && !p.rising || p.bound >= 0 && i == 0 {
		return nil, false
	}
	return p.with(slices.Delete(slices.Clone(p.calls), i, i+1)), true
}
