package checker

import (
	"slices"
	"time"

	"ordeal/history"
)

// Set is a key into which elements are inserted, each once, and that is read as a whole. It begins empty,
// and absent is empty.
//
//   - insert, or add as Jepsen has it: the element. One of unknown outcome took effect at some time after its
//     call, or never.
//   - read: the elements in any order, or null. One without an answer says nothing; one with anything
//     else, or with an element twice, has no place in any order.
//
// Elements are compared as a register's values are.
func Set() Model { return Model{Name: "set", Parse: parseSet} }

// setCall is an insert or a read.
type setCall struct {
	interval
	element value   // of an insert; none for a read
	shows   []value // of a read
	sees    setState
	strange bool // a read of what is no set
}

// setState stands for a set: the size, and two sums over scattered elements, which no two sets that occur share but by
// a chance of one in 2^100.
type setState struct {
	n    int
	a, b uint64
}

func (s setState) with(v value) setState {
	return setState{s.n + 1, s.a + scatter(uint64(v)*2+1), s.b + scatter(uint64(v)*2+2)}
}

func parseSet(ops []*history.Op) (Problem, error) {
	in := newInterner(len(ops) / 2)
	inserted := map[value]bool{}
	calls, err := parseCalls(ops, func(op *history.Op) (setCall, bool, string) {
		c := setCall{interval: intervalOf(op), element: none}
		keep, reason := in.set(&c, op)
		if keep && c.element != none {
			if inserted[c.element] && reason == "" {
				reason = "its element was inserted before, and each should be once"
			}
			inserted[c.element] = true
		}
		return c, keep, reason
	})
	if err != nil {
		return nil, err
	}
	p := &plainProblem[setCall, *setCall, setState]{calls: calls, m: set()}
	p.quick = func() ([]setCall, machine[setCall, setState]) { return seenInserts(calls, len(in.values)), p.m }
	return p, nil
}

// seenInserts leaves out inserts of unknown outcome that no read shows, and gives those that one shows its end. A read
// shows everything, so in a legal order the one comes after all reads, and the other before that read.
func seenInserts(calls []setCall, values int) []setCall {
	seen := slices.Repeat([]time.Duration{history.Never}, values) // the first end of a read that shows it
	for _, c := range calls {
		for _, v := range c.shows {
			seen[v] = min(seen[v], c.end)
		}
	}
	return settled(calls, func(c *setCall) time.Duration {
		if c.element == none {
			return history.Never
		}
		return seen[c.element]
	})
}

// set fills c with what op says; keep is false if that is nothing.
func (in *interner) set(c *setCall, op *history.Op) (keep bool, reason string) {
	switch op.F {
	case "insert", "add":
		if op.Type == history.Fail {
			return false, ""
		}
		if len(op.Input) == 0 {
			return false, "an insert should have an element"
		}
		c.element, reason = in.value(op.Input)
		return true, reason
	case "read":
		if op.Type != history.OK {
			return false, ""
		}
		c.shows, c.strange, reason = in.elements(op.Output)
		for _, v := range c.shows {
			c.sees = c.sees.with(v)
		}
		sorted := slices.Sorted(slices.Values(c.shows))
		c.strange = c.strange || len(slices.Compact(sorted)) < len(c.shows)
		return true, reason
	default:
		return false, "a set knows insert and read"
	}
}

// set is the sequential specification.
func set() machine[setCall, setState] {
	return machine[setCall, setState]{
		step: func(state setState, c *setCall) (setState, bool) {
			if c.element == none {
				return state, !c.strange && c.sees == state
			}
			return state.with(c.element), true
		},
		equal: func(a, b setState) bool { return a == b },
		hash:  func(s setState) uint64 { return s.a },
		reads: func(c *setCall) bool { return c.element == none },
	}
}
