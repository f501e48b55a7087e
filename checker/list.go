package checker

import (
	"encoding/json"
	"slices"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
)

// List is a key that is appended to and read as a whole. It begins empty, and absent is empty.
//
//   - append: the element. One of unknown outcome took effect at some time after its call, or never;
//     so it did if a read shows its element.
//   - read: the list, or null. One without an answer says nothing; one that answered with anything
//     else has no place in any order.
//
// Elements are compared as a register's values are.
func List() Model { return Model{Name: "list", Parse: parseList} }

// listCall is an append or a read.
type listCall struct {
	interval
	element value   // of an append; none for a read
	shows   []value // of a read
	strange bool    // a read of what is no list
}

func (c *listCall) reads() bool { return c.element == none }

func (c *listCall) parts() (element value, shows []value) { return c.element, c.shows }

// listProblem is the Problem of a list.
type listProblem struct {
	calls  []listCall
	values []json.RawMessage // by value; shared with large problems made of this one
	groups []value           // in the order of first calls; made by Groups
}

func parseList(ops []*history.Op) (Problem, error) {
	in := newInterner(len(ops) / 2)
	calls, err := parseCalls(ops, func(op *history.Op) (listCall, bool, string) {
		c := listCall{interval: intervalOf(op), element: none}
		keep, reason := in.list(&c, op)
		return c, keep, reason
	})
	if err != nil {
		return nil, err
	}
	return &listProblem{calls: calls, values: in.values}, nil
}

// elements reads an answer that should be an array; nothing at all and null are empty, and anything else is strange.
func (in *interner) elements(raw json.RawMessage) (shows []value, strange bool, reason string) {
	var elements []json.RawMessage
	strange = len(raw) > 0 && json.Unmarshal(raw, &elements) != nil
	shows = make([]value, len(elements))
	for i, e := range elements {
		if shows[i], reason = in.value(e); reason != "" {
			return nil, false, reason
		}
	}
	return shows, strange, ""
}

// list fills c with what op says; keep is false if that is nothing.
func (in *interner) list(c *listCall, op *history.Op) (keep bool, reason string) {
	switch op.F {
	case "append":
		if op.Type == history.Fail {
			return false, ""
		}
		if len(op.Input) == 0 {
			return false, "an append should have an element"
		}
		c.element, reason = in.value(op.Input)
		return true, reason
	case "read":
		if op.Type != history.OK {
			return false, ""
		}
		c.shows, c.strange, reason = in.elements(op.Output)
		return true, reason
	default:
		return false, "a list knows append and read"
	}
}

// sizeOfValues is what a list holds, in bytes. What was cut off at its front counts where it was made.
func sizeOfValues(list []value) int64 { return 4 * int64(cap(list)) }

// list is the sequential specification; states are lists of values, which are never changed.
func list() machine[listCall, []value] {
	return machine[listCall, []value]{
		step: func(state []value, c *listCall) ([]value, bool) {
			if c.reads() {
				return state, !c.strange && slices.Equal(c.shows, state)
			}
			return slices.Concat(state, []value{c.element}), true
		},
		equal: slices.Equal[[]value],
		hash:  hashOf[value],
		reads: (*listCall).reads,
		size:  sizeOfValues,
	}
}

// Machine implements Problem.
func (p *listProblem) Machine() Machine { return list().porcupine() }

// Operations implements Problem.
func (p *listProblem) Operations() []porcupine.Operation { return porcupineOps(p.calls) }

// Len implements Problem.
func (p *listProblem) Len() int { return len(p.calls) }

// Engines implements Problem.
func (p *listProblem) Engines() []Engine {
	return []Engine{
		{Name: "list order", Decide: p.ordered, Holds: p.orderHolds()},
		{Name: "search", Decide: p.searched, Holds: searchBytes * int64(len(p.calls))},
	}
}

func (p *listProblem) with(calls []listCall) *listProblem {
	if !sparse(len(p.values), len(calls)+countShown(calls)) {
		return &listProblem{calls: calls, values: p.values}
	}
	calls, numbers := slices.Clone(calls), renumbered(p.values, 0)
	for i := range calls {
		numbers.both(&calls[i].element, &calls[i].shows)
	}
	return &listProblem{calls: calls, values: numbers.some}
}

// appends counts, by value, the calls that append it.
func (p *listProblem) appends() []int {
	n := make([]int, len(p.values))
	for _, c := range p.calls {
		if !c.reads() {
			n[c.element]++
		}
	}
	return n
}

// Groups implements Problem: a group is an element.
func (p *listProblem) Groups() int {
	if p.groups == nil {
		p.groups = byElement(len(p.values), p.calls)
	}
	return len(p.groups)
}

// Size implements Problem.
func (p *listProblem) Size() int64 {
	return bytesOf[listCall](len(p.calls)) + bytesOf[value](countShown(p.calls)) + groupBytes*int64(len(p.values))
}

// Keep implements Problem. To leave an element out is to drop its appends and to strike it from every
// list: what was legal stays so, since nobody could ask for an element but by its place among the others.
func (p *listProblem) Keep(keep func(group int) bool) Problem {
	kept := make([]bool, len(p.values))
	for g := range p.Groups() {
		kept[p.groups[g]] = keep(g)
	}
	left := 0 // of what lists show
	for i := range p.calls {
		for _, v := range p.calls[i].shows {
			if kept[v] {
				left++
			}
		}
	}
	calls, all := make([]listCall, 0, len(p.calls)), make([]value, 0, left)
	for _, c := range p.calls {
		if !c.reads() && !kept[c.element] {
			continue
		}
		from := len(all)
		for _, v := range c.shows {
			if kept[v] {
				all = append(all, v)
			}
		}
		c.shows = all[from:len(all):len(all)]
		calls = append(calls, c)
	}
	return p.with(calls)
}

// Weaken implements Problem: a read is left out, and so is an append that no read shows. Any other
// append must stay, for without it those that show its element would be convicted.
func (p *listProblem) Weaken(i int) (Problem, bool) {
	if c := p.calls[i]; !c.reads() && isShown(p.calls, c.element) {
		return nil, false
	}
	return p.with(slices.Delete(slices.Clone(p.calls), i, i+1)), true
}
