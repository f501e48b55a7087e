package checker

import (
	"slices"

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
	p := &plainProblem[queueCall, *queueCall, []value]{calls: calls, m: queue()}
	p.quick = func() ([]queueCall, machine[queueCall, []value]) { return quickQueue(calls, len(in.values)) }
	return p, nil
}

// quickQueue leaves out what an enqueue of unknown outcome put in and no call is known to have taken out: in a
// legal order it goes, together with who took it.
//
// And it sees a dead end when an element goes in behind another that comes out later for certain: since its own dequeue
// had ended before that of the other began, or since no call can take the other out.
func quickQueue(calls []queueCall, values int) ([]queueCall, machine[queueCall, []value]) {
	taken := slices.Repeat([]interval{{end: -1}}, values) // by element: who took it
	inputs := make([]int, values)
	open := false // a dequeue has no answer
	for _, c := range calls {
		switch {
		case c.in != none:
			inputs[c.in]++
		case c.out != none:
			taken[c.out] = c.interval
		default:
			open = true
		}
	}
	known := func(v value) bool { return taken[v].end >= 0 && inputs[v] == 1 }
	calls = slices.DeleteFunc(slices.Clone(calls), func(c queueCall) bool { return c.maybe && c.in != none && taken[c.in].end < 0 })
	m := queue()
	step := m.step
	m.step = func(state []value, c *queueCall) ([]value, bool) {
		if c.in != none && known(c.in) {
			for _, first := range state {
				if known(first) && taken[c.in].end < taken[first].begin || taken[first].end < 0 && !open {
					return state, false
				}
			}
		}
		return step(state, c)
	}
	return calls, m
}

// queue is the sequential specification; states are the elements, the first out first.
func queue() machine[queueCall, []value] {
	return machine[queueCall, []value]{
		step: func(state []value, c *queueCall) ([]value, bool) {
			switch {
			case c.in != none:
				return append(slices.Clip(state), c.in), true
			case c.out == null:
				return state, len(state) == 0
			case len(state) == 0:
				return state, c.out == none
			default:
				return state[1:], c.out == none || c.out == state[0]
			}
		},
		equal: slices.Equal[[]value],
		hash:  hashOf[value],
		reads: func(c *queueCall) bool { return c.out == null },
	}
}
