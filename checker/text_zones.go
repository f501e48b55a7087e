package checker

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
)

// zoned decides a text as a register. It needs that each element that is shown was written or appended once. Then each
// text that somebody found is a value of its own, and an append whose element is shown somewhere found what stands before
// it there: it is a cas from that to the same with the element behind it. One whose element is not shown anywhere may have found
// anything, and whatever it left nobody found: it is a write of a value of its own.
//
// If some elements that are shown were made several times, the text without these may be illegal already, which is tried if there
// is room for it.
func (p *textProblem) zoned(ctx context.Context, memory int64) Answer {
	c := p.chained()
	if several := c.several; several != none {
		if memory >= 2*p.zonesHold()+p.Size() {
			if a := c.unique().zoned(ctx, memory); a.Result == illegal {
				return a
			}
		}
		return Answer{Result: unfit, Why: strconv.Quote(p.elements[several]) + " was written more than once and found"}
	}
	r, failed := c.register(ctx, memory)
	if r == nil {
		return Answer{Result: failed}
	}
	a := r.zoned(ctx, memory)
	if part, ok := a.Part.(*registerProblem); ok {
		a.Part = p.with(c.around(part))
	}
	return a
}

// textChain is a text as values of a register, each but the empty one being another with an element behind it.
type textChain struct {
	p       *textProblem
	twice   []bool  // by element: several calls make it
	several value   // one of them that is shown; none if there is no such
	makers  []int32 // by element: the call that writes or appends it; -1 if none does
	reads   []int32 // by element: the shortest read that shows it, which says where it was appended; -1 if none does
	before  []value // by element: the text behind which that read shows it
	values  map[textStep]value
	count   value // of values: the empty text, those of the map, and those that nobody read
}

// textStep is the text of a value with an element behind it.
type textStep struct{ before, element value }

func (p *textProblem) chained() *textChain {
	n := len(p.elements)
	c := &textChain{p: p, several: none, makers: slices.Repeat([]int32{-1}, n), reads: slices.Repeat([]int32{-1}, n),
		twice: make([]bool, n), before: make([]value, n), values: map[textStep]value{}, count: 1}
	for i := range p.calls {
		if e := p.calls[i].element; e != none {
			c.twice[e] = c.makers[e] >= 0
			c.makers[e] = int32(i)
		}
	}
	for i := range p.calls {
		for _, e := range p.calls[i].shows {
			if c.twice[e] {
				c.several = e
			}
			if r := c.reads[e]; r < 0 || len(p.calls[r].shows) > len(p.calls[i].shows) {
				c.reads[e] = int32(i)
			}
		}
	}
	return c
}

// unique is the text without the elements that several calls make.
func (c *textChain) unique() *textProblem {
	c.p.Groups()
	return c.p.Keep(func(g int) bool { return !c.twice[c.p.groups[g]] }).(*textProblem)
}

// step is the value of v's text with an element behind it.
func (c *textChain) step(v, element value) value {
	next, known := c.values[textStep{v, element}]
	if !known {
		next = c.fresh()
		c.values[textStep{v, element}] = next
	}
	return next
}

func (c *textChain) fresh() value {
	c.count++
	return c.count - 1
}

// textCallBytes and textElementBytes are what zones hold of a text for each call and element, with the register and what they
// hold of that. Reads that agree on nothing take textElementBytes for each text on the way to theirs.
const (
	textCallBytes    = 50
	textElementBytes = 160
)

// register is the problem of the register, call by call; nil if there is no time or memory for it.
func (c *textChain) register(ctx context.Context, memory int64) (p *registerProblem, failed result) {
	calls := make([]call, len(c.p.calls))
	shown := 0
	for i := range calls {
		t := &c.p.calls[i]
		calls[i] = call{interval: t.interval, reads: none, writes: none, refused: none}
		if !t.reads() {
			continue
		}
		v := null
		for _, e := range t.shows {
			switch shown++; {
			case expired(ctx, shown):
				return nil, outOfTime
			case textElementBytes*int64(c.count) > memory:
				return nil, outOfMemory
			}
			if c.reads[e] == int32(i) {
				c.before[e] = v
			}
			v = c.step(v, e)
		}
		calls[i].reads = v
	}
	for i := range calls {
		switch t := &c.p.calls[i]; {
		case t.reads():
		case t.f == "write":
			calls[i].writes = c.step(null, t.element)
		case c.reads[t.element] >= 0:
			calls[i].reads = c.before[t.element]
			calls[i].writes = c.step(calls[i].reads, t.element)
		default:
			calls[i].writes = c.fresh()
		}
	}
	return &registerProblem{calls: calls, values: make([]json.RawMessage, c.count)}, legal
}

// around is the part of the text that is as illegal as a part of the register: its calls, the reads that say where its
// appends were, and the read that says where that was appended which each of them found last.
func (c *textChain) around(part *registerProblem) []textCall {
	in := make([]bool, len(c.p.calls))
	at := 0
	for i := range c.p.calls {
		if at == len(part.calls) || part.calls[at].index != c.p.calls[i].index {
			continue
		}
		at++
		in[i] = true
		found, e := c.p.calls[i].shows, c.p.calls[i].element
		if e != none && c.reads[e] >= 0 {
			c.show(c.reads[e], in)
			found = c.p.calls[c.reads[e]].shows
			found = found[:slices.Index(found, e)]
		} else if e == none {
			c.show(int32(i), in)
		}
		if n := len(found); n > 0 {
			c.show(c.reads[found[n-1]], in)
		}
	}
	n := 0
	for _, in := range in {
		if in {
			n++
		}
	}
	calls := make([]textCall, 0, n)
	for i, in := range in {
		if in {
			calls = append(calls, c.p.calls[i])
		}
	}
	return calls
}

// show takes a read and what it shows.
func (c *textChain) show(read int32, in []bool) {
	in[read] = true
	for _, e := range c.p.calls[read].shows {
		if m := c.makers[e]; m >= 0 {
			in[m] = true
		}
	}
}
