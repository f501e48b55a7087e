package checker

import (
	"context"
	"slices"
)

// searched searches, without what cannot help (see with), and sees a dead end when an element goes in behind another
// that comes out later for certain.
func (p *queueProblem) searched(ctx context.Context, memory int64) Answer {
	some := p.with(slices.Clone(p.calls))
	order, r := wgl(ctx, some.calls, some.foreseeing(), memory)
	return Answer{Result: r, Order: places(order, some.calls, p.calls)}
}

// foreseeing is the machine that sees dead ends. It knows of elements that went in once and came out: the later of two
// comes out later if its dequeue began when that of the other had ended. One that no call can take out never comes out.
func (p *queueProblem) foreseeing() machine[queueCall, []value] {
	out := slices.Repeat([]interval{{end: -1}}, len(p.values)) // by element: who took it; the end is -1 if nobody is known to have
	ins := make([]int, len(p.values))
	open := false // a dequeue has no answer
	for _, c := range p.calls {
		switch {
		case c.in != none:
			ins[c.in]++
		case c.out != none:
			out[c.out] = c.interval
		default:
			open = true
		}
	}
	once := func(v value) bool { return out[v].end >= 0 && ins[v] == 1 }
	m := queue()
	step := m.step
	m.step = func(state []value, c *queueCall) ([]value, bool) {
		if c.in != none && once(c.in) {
			for _, v := range state {
				if once(v) && out[c.in].end < out[v].begin || out[v].end < 0 && !open {
					return state, false
				}
			}
		}
		return step(state, c)
	}
	return m
}
