package checker

import (
	"slices"
	"strings"
)

// textProblem is the Problem of a text whose reads can be read: each is made of *elements*, texts that were written or
// appended, in one way only.
type textProblem struct {
	plainProblem[textCall, *textCall, string]
	// By value; behind those that were written or appended, what was read and is none of them. Shared with large problems
	// made of this one.
	elements []string
	groups   []value // in the order of first calls; made by Groups
}

// elementsOf numbers the texts that calls write and append, and takes apart what they read. It is not ok if a text is
// empty or begins with another, for then that could be done in several ways.
func elementsOf(calls []textCall) (elements []string, ok bool) {
	for i := range calls {
		if !calls[i].reads() {
			elements = append(elements, calls[i].text)
		}
	}
	slices.Sort(elements)
	elements = slices.Compact(elements)
	for i, e := range elements {
		if e == "" || i > 0 && strings.HasPrefix(e, elements[i-1]) {
			return nil, false
		}
	}
	numbers := make(map[string]value, len(elements))
	for i, e := range elements {
		numbers[e] = value(i)
	}
	sorted := slices.Clone(elements)
	for i := range calls {
		c := &calls[i]
		if !c.reads() {
			c.element = numbers[c.text]
			continue
		}
		for rest := c.text; rest != ""; {
			// No element begins with another, so the one that rest begins with is the last that is not behind it.
			at, _ := slices.BinarySearchFunc(sorted, rest, func(e, rest string) int {
				if e <= rest {
					return -1
				}
				return 1
			})
			e := rest // what nobody wrote
			if at > 0 && strings.HasPrefix(rest, sorted[at-1]) {
				e = sorted[at-1]
			}
			v, known := numbers[e]
			if !known {
				v = value(len(elements))
				numbers[e], elements = v, append(elements, e)
			}
			c.shows, rest = append(c.shows, v), rest[len(e):]
		}
	}
	return elements, true
}

func (p *textProblem) with(calls []textCall) *textProblem {
	elements := p.elements
	if sparse(len(elements), len(calls)+countShown(calls)) {
		numbers := renumbered(elements, 0)
		calls = slices.Clone(calls)
		for i := range calls {
			numbers.both(&calls[i].element, &calls[i].shows)
		}
		elements = numbers.some
	}
	return &textProblem{plainProblem: plainProblem[textCall, *textCall, string]{calls: calls, m: p.m}, elements: elements}
}

// Engines implements Problem.
func (p *textProblem) Engines() []Engine {
	return append([]Engine{{Name: "zones", Decide: p.zoned, Holds: p.zonesHold()}}, p.plainProblem.Engines()...)
}

func (p *textProblem) zonesHold() int64 {
	return textCallBytes*int64(len(p.calls)) + textElementBytes*int64(len(p.elements))
}

// Replay implements Problem. It keeps one text, where the machine would make a new one for each append.
func (p *textProblem) Replay(order []int32) error {
	var state []byte
	return replay(p.calls, machine[textCall, struct{}]{step: func(_ struct{}, c *textCall) (struct{}, bool) {
		switch c.f {
		case "write":
			state = append(state[:0], c.text...)
		case "append":
			state = append(state, c.text...)
		default:
			return struct{}{}, string(state) == c.text
		}
		return struct{}{}, true
	}}, order)
}

// Groups implements Problem: a group is an element.
func (p *textProblem) Groups() int {
	if p.groups == nil {
		p.groups = byElement(len(p.elements), p.calls)
	}
	return len(p.groups)
}

// Size implements Problem.
func (p *textProblem) Size() int64 {
	read := 0
	for i := range p.calls {
		if c := &p.calls[i]; c.reads() {
			read += len(c.text)
		}
	}
	return bytesOf[textCall](len(p.calls)) + bytesOf[value](countShown(p.calls)) + int64(read) + groupBytes*int64(len(p.elements))
}

// Keep implements Problem. To leave an element out is to drop what writes and appends it, and to strike it from what is
// read: what was legal stays so, but for reads of what was appended to a write that is not there any more. So reads that begin
// with what was written are dropped.
func (p *textProblem) Keep(keep func(group int) bool) Problem {
	kept, written := make([]bool, len(p.elements)), make([]bool, len(p.elements))
	for g := range p.Groups() {
		kept[p.groups[g]] = keep(g)
	}
	for i := range p.calls {
		if p.calls[i].f == "write" {
			written[p.calls[i].element] = true
		}
	}
	calls := make([]textCall, 0, len(p.calls))
	for _, c := range p.calls {
		switch {
		case !c.reads() && kept[c.element]:
			calls = append(calls, c)
		case c.reads() && (len(c.shows) == 0 || kept[c.shows[0]] || !written[c.shows[0]]):
			calls = append(calls, p.struck(c, kept))
		}
	}
	return p.with(calls)
}

// struck is a read without the elements that are not kept.
func (p *textProblem) struck(c textCall, kept []bool) textCall {
	var text strings.Builder
	text.Grow(len(c.text))
	shows := make([]value, 0, len(c.shows))
	for _, v := range c.shows {
		if kept[v] {
			shows = append(shows, v)
			text.WriteString(p.elements[v])
		}
	}
	c.shows, c.text = shows, text.String()
	return c
}

// Weaken implements Problem: a read is left out, and so is what no read shows. Anything else must stay, for without it
// those that show it would be convicted.
func (p *textProblem) Weaken(i int) (Problem, bool) {
	if c := &p.calls[i]; !c.reads() && isShown(p.calls, c.element) {
		return nil, false
	}
	return p.with(slices.Delete(slices.Clone(p.calls), i, i+1)), true
}
