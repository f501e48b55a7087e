package checker

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
)

// Queue is a key into which elements are put at one end and taken out at the other. It begins empty.
//
//   - enqueue: the element. One of unknown outcome took effect at some time after its call, or never.
//   - dequeue: the element that was first, or null if the queue was empty. One of unknown outcome took out
//     some element, or none.
//
// Elements are compared as a register's values are.
func Queue() Model { return Model{Name: "queue", Parse: parseQueue} }

// queueCall is an enqueue or a dequeue.
type queueCall struct {
	interval
	in  value // what was put in; none for a dequeue
	out value // what a dequeue took out; none if it was not answered, null if there was nothing
}

// queueProblem is the Problem of a queue.
type queueProblem struct {
	calls  []queueCall
	values []json.RawMessage // by value; shared with large problems made of this one
	groups []value           // in the order of first calls; made by Groups
}

func parseQueue(ops []*history.Op) (Problem, error) {
	in := nullFirst(len(ops) / 2)
	calls, err := parseCalls(ops, func(op *history.Op) (c queueCall, keep bool, reason string) {
		c = queueCall{interval: intervalOf(op), in: none, out: none}
		switch {
		case op.F != "enqueue" && op.F != "dequeue":
			return c, false, "a queue knows enqueue and dequeue"
		case op.Type == history.Fail:
			return c, false, ""
		case op.F == "enqueue":
			if c.in, reason = in.value(op.Input); c.in == null {
				reason = "an enqueue should have an element"
			}
		case op.Type == history.OK:
			c.out, reason = in.value(op.Output)
		}
		return c, true, reason
	})
	if err != nil {
		return nil, err
	}
	return &queueProblem{calls: calls, values: in.values}, nil
}

// element is what c puts in or took out; none if that is not known, null if there was nothing.
func (c *queueCall) element() value { return max(c.in, c.out) }

// queue is the sequential specification; states are the elements, the first out first.
func queue() machine[queueCall, []value] {
	return machine[queueCall, []value]{
		step: func(state []value, c *queueCall) ([]value, bool) {
			if c.in != none {
				return slices.Concat(state, []value{c.in}), true
			}
			return dequeued(state, c)
		},
		equal: slices.Equal[[]value],
		hash:  hashOf[value],
		reads: func(c *queueCall) bool { return c.out == null },
		size:  sizeOfValues,
	}
}

// dequeued is what dequeue c leaves of state.
func dequeued(state []value, c *queueCall) ([]value, bool) {
	switch {
	case c.out == null:
		return state, len(state) == 0
	case len(state) == 0:
		return state, c.out == none
	default:
		return state[1:], c.out == none || c.out == state[0]
	}
}

// Machine implements Problem.
func (p *queueProblem) Machine() Machine { return queue().porcupine() }

// Operations implements Problem.
func (p *queueProblem) Operations() []porcupine.Operation { return porcupineOps(p.calls) }

// Len implements Problem.
func (p *queueProblem) Len() int { return len(p.calls) }

// Replay implements Problem. It keeps one queue, where the machine would make a new one for each enqueue.
func (p *queueProblem) Replay(order []int32) error {
	var state []value
	m := queue()
	m.step = func(_ []value, c *queueCall) (_ []value, ok bool) {
		if c.in != none {
			state = append(state, c.in)
			return state, true
		}
		state, ok = dequeued(state, c)
		return state, ok
	}
	return replay(p.calls, m, order)
}

// Engines implements Problem.
func (p *queueProblem) Engines() []Engine {
	holds := int64(len(p.calls))*fifoBytes + int64(len(p.values))*fifoElementBytes
	return []Engine{
		{Name: "queue order", Decide: p.ordered, Holds: holds},
		{Name: "search", Decide: p.searched, Holds: searchBytes * int64(len(p.calls))},
	}
}

// Groups implements Problem: a group is an element, with all that put it in or took it out.
func (p *queueProblem) Groups() int {
	if p.groups == nil {
		p.groups = byFirst(len(p.values), func(touch func(v value, begin time.Duration)) {
			for i := range p.calls {
				if v := p.calls[i].element(); v > null {
					touch(v, p.calls[i].begin)
				}
			}
		})
	}
	return len(p.groups)
}

// Size implements Problem.
func (p *queueProblem) Size() int64 {
	return bytesOf[queueCall](len(p.calls)) + groupBytes*int64(len(p.values))
}

// Keep implements Problem. What was legal stays so without an element, who took it included: those behind it
// come out as they did, and a queue that was empty still is.
func (p *queueProblem) Keep(keep func(group int) bool) Problem {
	kept := make([]bool, len(p.values))
	for g := range p.Groups() {
		kept[p.groups[g]] = keep(g)
	}
	return p.with(slices.DeleteFunc(slices.Clone(p.calls), func(c queueCall) bool {
		v := c.element()
		return v > null && !kept[v]
	}))
}

// Weaken implements Problem: a dequeue that found nothing is left out. Everything else would be missed.
func (p *queueProblem) Weaken(i int) (Problem, bool) {
	if p.calls[i].out != null {
		return nil, false
	}
	return p.with(slices.Delete(slices.Clone(p.calls), i, i+1)), true
}

// with is the problem of some calls of p, which are changed, less what of unknown outcome cannot help them:
//
//   - An enqueue whose element nobody is known to have taken out. In a legal order it goes, with whoever took
//     it: a dequeue of unknown outcome may as well not have happened.
//   - A dequeue that began when all calls that have an end had ended, for it comes after them.
//   - A dequeue that is not among the first as many as elements are left over. If others took something
//     in a legal order, then so can the first, in their places: they began no later, and have no end.
func (p *queueProblem) with(calls []queueCall) *queueProblem {
	values := p.values
	if sparse(len(values), len(calls)) {
		numbers := renumbered(values, 1)
		for i := range calls {
			numbers.number(&calls[i].in)
			numbers.number(&calls[i].out)
		}
		values = numbers.some
	}
	taken := make([]bool, len(values))
	last := time.Duration(-1)
	for _, c := range calls {
		if c.out > null {
			taken[c.out] = true
		}
		if !c.maybe {
			last = max(last, c.end)
		}
	}
	over := 0
	var open []time.Duration // begins of dequeues
	calls = slices.DeleteFunc(calls, func(c queueCall) bool { return c.maybe && c.in != none && !taken[c.in] })
	for _, c := range calls {
		switch {
		case c.in != none:
			over++
		case c.out > null:
			over--
		case c.out == none:
			open = append(open, c.begin)
		}
	}
	slices.Sort(open)
	switch {
	case over <= 0:
		last = -1
	case over < len(open):
		last = min(last, open[over-1])
	}
	return &queueProblem{
		calls:  slices.DeleteFunc(calls, func(c queueCall) bool { return c.in == none && c.out == none && c.begin > last }),
		values: values,
	}
}
