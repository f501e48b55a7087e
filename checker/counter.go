package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
	"ordeal/internal/words"
)

// Counter is a key that is added to and read. It begins as 0, and absent is 0.
//
//   - add: what is added, an integer; if ok with a value but null, that is the sum which it left. One of
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
	interval
	delta    int64 // of an add
	sum      int64 // what a read found, what an add left
	add      bool
	answered bool // sum is known
	strange  bool // it was answered with what is no integer
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
	bound int32
}

func parseCounter(ops []*history.Op) (Problem, error) {
	calls, err := parseCalls(ops, func(op *history.Op) (counterCall, bool, string) {
		c := counterCall{interval: intervalOf(op)}
		keep, reason := c.read(op)
		return c, keep, reason
	})
	if err != nil {
		return nil, err
	}
	return &counterProblem{calls: calls, bound: -1}, nil
}

// read fills c with what op says; keep is false if that is nothing.
func (c *counterCall) read(op *history.Op) (keep bool, reason string) {
	told := op.Type == history.OK && len(op.Output) > 0 && string(op.Output) != "null"
	switch op.F {
	case "add":
		if op.Type == history.Fail {
			return false, ""
		}
		var ok bool
		if c.delta, ok = integer(op.Input, deltaMax); !ok {
			return false, "what is added should be an integer of no more than 40 bits"
		}
		c.add, c.answered = true, told
	case "read":
		if op.Type != history.OK {
			return false, ""
		}
		c.answered = true
	default:
		return false, "a counter knows add and read"
	}
	if told {
		var ok bool
		c.sum, ok = integer(op.Output, sumMax)
		c.strange = !ok
	}
	return true, ""
}

// integer reads one that is at most so much above or below zero.
func integer(raw json.RawMessage, most int64) (int64, bool) {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	return n, err == nil && -most <= n && n <= most
}

// machine is the sequential specification; states are sums. One of more than 64 bits wraps, so that what is taken away again is
// right; it is taken for another only if that is 2^64 away, which takes 2^24 adds, and a ladder adds up to no more than it reads.
func (p *counterProblem) machine() machine[counterCall, int64] {
	return machine[counterCall, int64]{
		start: p.start,
		step: func(sum int64, c *counterCall) (int64, bool) {
			switch {
			case c.strange:
				return sum, false
			case p.rising:
				return c.sum, c.from() >= sum
			default:
				return sum + c.delta, !c.answered || c.from() == sum
			}
		},
		equal: func(a, b int64) bool { return a == b },
		hash:  func(sum int64) uint64 { return scatter(uint64(sum)) },
		reads: func(c *counterCall) bool { return !c.add && !p.rising },
	}
}

// Machine implements Problem.
func (p *counterProblem) Machine() Machine { return p.machine().porcupine() }

// Operations implements Problem.
func (p *counterProblem) Operations() []porcupine.Operation { return porcupineOps(p.calls) }

// Len implements Problem.
func (p *counterProblem) Len() int { return len(p.calls) }

// Replay implements Problem.
func (p *counterProblem) Replay(order []int32) error { return replay(p.calls, p.machine(), order) }

// Engines implements Problem.
func (p *counterProblem) Engines() []Engine {
	return []Engine{
		{Name: "counter ladder", Decide: p.climbed, Holds: p.ladderHolds()},
		{Name: "search", Decide: p.searched, Holds: searchBytes * int64(len(p.calls))},
	}
}

func (p *counterProblem) searched(ctx context.Context, memory int64) Answer {
	order, r := wgl(ctx, p.calls, p.machine(), memory)
	return Answer{Result: r, Order: order}
}

func (p *counterProblem) with(calls []counterCall) *counterProblem {
	return &counterProblem{calls: calls, start: p.start, rising: p.rising, bound: p.bound}
}

// climbed decides a counter that only grows: see ladder.
func (p *counterProblem) climbed(ctx context.Context, _ int64) Answer {
	if i := slices.IndexFunc(p.calls, func(c counterCall) bool { return c.strange }); i >= 0 {
		return Answer{Result: illegal, Part: p.with(p.calls[i : i+1])}
	}
	if !p.grows() {
		return Answer{Result: unfit, Why: "it does not only grow, or an add that is ok does not tell the sum"}
	}
	l := newLadder(p)
	if ctx.Err() != nil {
		return Answer{Result: outOfTime}
	}
	if pair, found := l.conflict(); found {
		return Answer{Result: illegal, Part: &counterProblem{calls: pair, start: p.start, rising: true, bound: -1}}
	}
	if p.rising {
		return Answer{Result: legal, Order: l.order(p, nil)}
	}
	switch r, fillers, gaps := l.climb(ctx); r {
	case legal:
		return Answer{Result: legal, Order: l.order(p, fillers)}
	case illegal:
		return Answer{Result: illegal, Part: l.around(gaps)}
	default:
		return Answer{Result: r, Why: fmt.Sprintf("there are too many ways to fill %s with %s of unknown outcome",
			words.Count(len(l.gaps), "gap"), words.Count(len(l.loose), "add"))}
	}
}

// Groups implements Problem: an add cannot be left out, for it is in every sum that follows, so there
// are none.
func (p *counterProblem) Groups() int { return 0 }

// Keep implements Problem.
func (p *counterProblem) Keep(func(int) bool) Problem { return p }

// Size implements Problem.
func (p *counterProblem) Size() int64 { return 0 }

// Weaken implements Problem: a read is left out, and in a rising problem so is an add. What a
// ladder makes around gaps keeps its first call, which is where it starts.
func (p *counterProblem) Weaken(i int) (Problem, bool) {
	if p.calls[i].add && !p.rising || p.bound >= 0 && i == 0 {
		return nil, false
	}
	return p.with(slices.Delete(slices.Clone(p.calls), i, i+1)), true
}
