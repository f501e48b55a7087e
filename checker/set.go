package checker

import (
	"encoding/json"
	"slices"

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
	strange bool // a read of what is no list
	twice   bool // a read that shows an element twice
}

func (c *setCall) parts() (element value, shows []value) { return c.element, c.shows }

// setState stands for a set: the size, and two sums over scattered elements, which no two sets that occur share but by
// a chance of one in 2^100.
type setState struct {
	n    int
	a, b uint64
}

func (s setState) with(v value) setState {
	return setState{s.n + 1, s.a + scatter(uint64(v)*2+1), s.b + scatter(uint64(v)*2+2)}
}

func stateOf(shows []value) (s setState) {
	for _, v := range shows {
		s = s.with(v)
	}
	return s
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
	return newSetProblem(calls, in.values), nil
}

// setProblem is the Problem of a set.
type setProblem struct {
	plainProblem[setCall, *setCall, setState]
	values []json.RawMessage // by value; shared with the problems made of this one
	groups []value           // in the order of first calls; made by Groups
}

func newSetProblem(calls []setCall, values []json.RawMessage) *setProblem {
	p := &setProblem{values: values}
	p.calls, p.m = calls, set()
	return p
}

// Engines implements Problem: the one decides every set.
func (p *setProblem) Engines() []Engine {
	holds := int64(len(p.calls))*setChainBytes + int64(len(p.values))*setChainElementBytes
	return []Engine{{Name: "inclusion order", Decide: p.included, Holds: holds}}
}

// Groups implements Problem: a group is an element.
func (p *setProblem) Groups() int {
	if p.groups == nil {
		p.groups = byElement(len(p.values), p.calls)
	}
	return len(p.groups)
}

// Size implements Problem.
func (p *setProblem) Size() int64 {
	return bytesOf[setCall](len(p.calls)) + bytesOf[value](countShown(p.calls)) + groupBytes*int64(len(p.values))
}

// Keep implements Problem. To leave an element out is to drop its insert and to strike it from every answer: what
// was legal stays so, since nothing else depends on it.
func (p *setProblem) Keep(keep func(group int) bool) Problem {
	kept := make([]bool, len(p.values))
	for g := range p.Groups() {
		kept[p.groups[g]] = keep(g)
	}
	return p.only(p.calls, func(v value) bool { return kept[v] })
}

// only is some calls of p with those elements alone that are kept.
func (p *setProblem) only(calls []setCall, kept func(v value) bool) *setProblem {
	var left []setCall
	for _, c := range calls {
		if c.element != none && !kept(c.element) {
			continue
		}
		shows := make([]value, 0, min(len(c.shows), 8))
		for _, v := range c.shows {
			if kept(v) {
				shows = append(shows, v)
			}
		}
		c.shows, c.sees, c.twice = shows, stateOf(shows), c.twice && hasTwice(shows)
		left = append(left, c)
	}
	return newSetProblem(left, p.values)
}

// Weaken implements Problem: a read is left out, and so is an insert that no read shows. Any other insert must stay,
// for without it those that show its element would be convicted.
func (p *setProblem) Weaken(i int) (Problem, bool) {
	c := p.calls[i]
	if c.element != none && isShown(p.calls, c.element) {
		return nil, false
	}
	return newSetProblem(slices.Delete(slices.Clone(p.calls), i, i+1), p.values), true
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
		c.sees = stateOf(c.shows)
		c.twice = hasTwice(c.shows)
		return true, reason
	default:
		return false, "a set knows insert and read"
	}
}

func hasTwice(shows []value) bool {
	sorted := slices.Sorted(slices.Values(shows))
	return len(slices.Compact(sorted)) < len(shows)
}

// set is the sequential specification.
func set() machine[setCall, setState] {
	return machine[setCall, setState]{
		step: func(state setState, c *setCall) (setState, bool) {
			if c.element == none {
				return state, !c.strange && !c.twice && c.sees == state
			}
			return state.with(c.element), true
		},
		equal: func(a, b setState) bool { return a == b },
		hash:  func(s setState) uint64 { return s.a },
		reads: func(c *setCall) bool { return c.element == none },
	}
}
