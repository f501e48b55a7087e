package checker

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"time"

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
	index      int     // Op.Index
	element    value   // of an append; none for a read
	shows      []value // of a read
	strange    bool    // a read of what is no list
	maybe      bool    // it may not have happened
	begin, end time.Duration
}

func (c *listCall) reads() bool { return c.element == none }

// listProblem is the Problem of a list.
type listProblem struct {
	calls  []listCall
	values []json.RawMessage // by value; shared with the problems made of this one
	groups []value           // in the order of first calls; made by Groups
}

func parseList(ops []history.Op) (Problem, error) {
	in := interner{ids: map[string]value{}}
	p := &listProblem{calls: make([]listCall, 0, len(ops))}
	for _, op := range ops {
		c := listCall{index: op.Index, element: none, begin: op.Call, end: op.Return, maybe: op.Type == history.Info}
		keep, reason := in.list(&c, op)
		if reason != "" {
			return nil, &OpError{Op: op, Reason: reason}
		}
		if keep {
			p.calls = append(p.calls, c)
		}
	}
	p.values = in.values
	return p, nil
}

// list fills c with what op says; keep is false if that is nothing.
func (in *interner) list(c *listCall, op history.Op) (keep bool, reason string) {
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
		var elements []json.RawMessage
		if len(op.Output) > 0 && json.Unmarshal(op.Output, &elements) != nil {
			c.strange = true
		}
		c.shows = make([]value, len(elements))
		for i, e := range elements {
			if c.shows[i], reason = in.value(e); reason != "" {
				return false, reason
			}
		}
		return true, ""
	default:
		return false, "a list knows append and read"
	}
}

// Machine implements Problem; states are lists of values, which are never changed.
func (p *listProblem) Machine() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return []value(nil) },
		Step: func(state, input, _ any) (bool, any) {
			c, list := input.(*listCall), state.([]value)
			if c.reads() {
				return !c.strange && slices.Equal(c.shows, list), state
			}
			return true, append(slices.Clip(list), c.element)
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]value), b.([]value)) },
		Hash: func(state any) uint64 {
			h := uint64(0)
			for _, v := range state.([]value) {
				h = (h + uint64(v) + 1) * 0x9e3779b97f4a7c15
			}
			return h
		},
	}
}

// Operations implements Problem.
func (p *listProblem) Operations() []porcupine.Operation {
	ops := make([]porcupine.Operation, len(p.calls))
	for i := range p.calls {
		c := &p.calls[i]
		ops[i] = porcupine.Operation{ClientId: c.index, Input: c, Call: int64(c.begin), Return: int64(c.end)}
	}
	return ops
}

func (p *listProblem) with(calls []listCall) *listProblem {
	return &listProblem{calls: calls, values: p.values}
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

// Simplify implements Problem. If every element that is shown was appended once, it decides:
//
//  1. An append of unknown outcome whose element no read shows is left out. In a legal order no read
//     comes after it, for reads show everything; so without it that order is legal too, and with it
//     the append goes last.
//  2. An element that was never appended cannot be shown, and one that was appended once cannot be
//     shown twice. Every list is a prefix of every later one, so all reads are prefixes of the longest.
//  3. The longest read then says where each call belongs: append 1, reads of length 1, append 2,
//     reads of length 2, and so on, after them the appends that nobody read. Calls of one place can
//     have any order. So there is a legal order iff no call of a place had ended before one of an
//     earlier place began: the order by place, and by call within one, keeps every other.
//
// Otherwise the rest after step 1 is left to the search.
func (p *listProblem) Simplify() (Problem, bool) {
	appends := p.appends()
	shown := make([]bool, len(p.values))
	unique := true
	var longest []value
	for _, c := range p.calls {
		if c.strange {
			return p, false
		}
		if len(c.shows) > len(longest) {
			longest = c.shows
		}
		for _, v := range c.shows {
			if appends[v] == 0 {
				return p, false
			}
			shown[v] = true
			unique = unique && appends[v] == 1
		}
	}
	calls := make([]listCall, 0, len(p.calls))
	for _, c := range p.calls {
		if c.reads() || !c.maybe || shown[c.element] {
			calls = append(calls, c)
		}
	}
	if !unique {
		return p.with(calls), true
	}
	return p.with(nil), inPlace(calls, longest, len(p.values))
}

// inPlace is steps 2 and 3.
func inPlace(calls []listCall, longest []value, values int) bool {
	position := make([]int, values) // by value: in the longest list, from 1
	for i, v := range longest {
		if position[v] > 0 {
			return false
		}
		position[v] = i + 1
	}
	type placed struct {
		place      int
		begin, end time.Duration
	}
	all := make([]placed, len(calls))
	for i, c := range calls {
		switch {
		case c.reads() && !slices.Equal(c.shows, longest[:len(c.shows)]):
			return false
		case c.reads():
			all[i] = placed{2 * len(c.shows), c.begin, c.end}
		case position[c.element] > 0:
			all[i] = placed{2*position[c.element] - 1, c.begin, c.end}
		default:
			all[i] = placed{math.MaxInt, c.begin, c.end}
		}
	}
	slices.SortFunc(all, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	earlier, latest := time.Duration(math.MinInt64), time.Duration(math.MinInt64) // begins: of earlier places, of all so far
	for i, c := range all {
		if i > 0 && all[i-1].place < c.place {
			earlier = latest
		}
		if c.end < earlier {
			return false
		}
		latest = max(latest, c.begin)
	}
	return true
}

// Groups implements Problem: a group is an element.
func (p *listProblem) Groups() int {
	if p.groups != nil {
		return len(p.groups)
	}
	first := make([]time.Duration, len(p.values))
	for v := range first {
		first[v] = math.MaxInt64
	}
	touch := func(v value, at time.Duration) {
		if first[v] == math.MaxInt64 {
			p.groups = append(p.groups, v)
		}
		first[v] = min(first[v], at)
	}
	for _, c := range p.calls {
		if !c.reads() {
			touch(c.element, c.begin)
		}
		for _, v := range c.shows {
			touch(v, c.begin)
		}
	}
	slices.SortStableFunc(p.groups, func(a, b value) int { return cmp.Compare(first[a], first[b]) })
	return len(p.groups)
}

// Keep implements Problem. To leave an element out is to drop its appends and to strike it from every
// list: what was legal stays so, since nobody could ask for an element but by its place among the others.
func (p *listProblem) Keep(keep func(group int) bool) Problem {
	kept := make([]bool, len(p.values))
	for g := range p.Groups() {
		kept[p.groups[g]] = keep(g)
	}
	var calls []listCall
	for _, c := range p.calls {
		if !c.reads() && !kept[c.element] {
			continue
		}
		shows := make([]value, 0, len(c.shows))
		for _, v := range c.shows {
			if kept[v] {
				shows = append(shows, v)
			}
		}
		c.shows = shows
		calls = append(calls, c)
	}
	return p.with(calls)
}

// Weaken implements Problem: a read is left out, and so is an append that no read shows. Any other
// append must stay, for without it those that show its element would be convicted.
func (p *listProblem) Weaken(i int) (Problem, bool) {
	if c := p.calls[i]; !c.reads() && slices.ContainsFunc(p.calls, func(r listCall) bool { return slices.Contains(r.shows, c.element) }) {
		return nil, false
	}
	return p.with(slices.Delete(slices.Clone(p.calls), i, i+1)), true
}
