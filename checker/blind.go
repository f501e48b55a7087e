package checker

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// withBlind answers with order, which holds but for the blind cas, and puts these into it. One can stand in a gap if what
// had ended when it began is before it, what begins after its end is behind it, and the register holds another
// value than its old one. Each takes the first such gap, which leaves most to those that begin after its end. If
// there is none, this order cannot be completed, but another may.
func (p *registerProblem) withBlind(ctx context.Context, order []int32) Answer {
	n := p.blinds()
	if n == 0 {
		return Answer{Result: legal, Order: order}
	}
	blind := make([]int32, 0, n)
	for i := range p.calls {
		if p.calls[i].blind() {
			blind = append(blind, int32(i))
		}
	}
	slices.SortStableFunc(blind, func(a, b int32) int { return cmp.Compare(p.calls[a].begin, p.calls[b].begin) })
	g, in, over := newGaps(p, order), make([]int32, n), newEnded(p.calls, blind) // in: the gap where each stands
	for i, b := range blind {
		if expired(ctx, i) {
			return Answer{Result: outOfTime}
		}
		c := &p.calls[b]
		var ok bool
		if in[i], ok = g.first(c, over.last(c.begin, func(i int32) int32 { return in[i] })); !ok {
			return Answer{Result: unfit, Why: "a failed cas did not tell what it found, and it does not fit into the order by zones"}
		}
	}
	byGap := over.byEnd // which is done with
	slices.SortFunc(byGap, func(a, b int32) int { return cmp.Or(cmp.Compare(in[a], in[b]), cmp.Compare(a, b)) })
	whole := make([]int32, 0, len(order)+n)
	next := int32(0)
	for _, i := range byGap {
		whole = append(whole, order[next:in[i]]...)
		whole, next = append(whole, blind[i]), in[i]
	}
	return Answer{Result: legal, Order: append(whole, order[next:]...)}
}

// ended is, while some calls are put into places by begin, those that had ended when the next one begins.
type ended struct {
	calls []call
	some  []int32 // by begin
	byEnd []int32 // in some
	n     int     // of byEnd, that had ended
	floor int32   // their last place
}

func newEnded(calls []call, some []int32) ended {
	e := ended{calls: calls, some: some, byEnd: make([]int32, len(some))}
	for i := range e.byEnd {
		e.byEnd[i] = int32(i)
	}
	slices.SortFunc(e.byEnd, func(a, b int32) int { return cmp.Compare(calls[some[a]].end, calls[some[b]].end) })
	return e
}

// last is the last place of those that had ended at begin, which is that of a call among them and never goes back.
func (e *ended) last(begin time.Duration, place func(i int32) int32) int32 {
	for ; e.calls[e.some[e.byEnd[e.n]]].end < begin; e.n++ {
		e.floor = max(e.floor, place(e.byEnd[e.n]))
	}
	return e.floor
}

// blinds counts the blind cas.
func (p *registerProblem) blinds() (n int) {
	for i := range p.calls {
		if p.calls[i].blind() {
			n++
		}
	}
	return n
}

// gaps are the places between the calls of an order; gap i is before call i.
type gaps struct {
	holds  []value         // by gap: what the register holds
	change []int32         // by gap: the next one in which it holds something else
	begun  []time.Duration // by gap: the last begin of the calls before it
	due    []time.Duration // by gap: the first end of the calls behind it
}

func newGaps(p *registerProblem, order []int32) gaps {
	n := len(order)
	g := gaps{make([]value, n+1), make([]int32, n+1), begun(p.calls, order), due(p.calls, order)}
	g.change[n] = int32(n + 1)
	step := register().step
	for i, at := range order {
		g.holds[i+1], _ = step(g.holds[i], &p.calls[at])
	}
	for i := n - 1; i >= 0; i-- {
		g.change[i] = int32(i + 1)
		if g.holds[i] == g.holds[i+1] {
			g.change[i] = g.change[i+1]
		}
	}
	return g
}

// first is the first gap from floor on in which c can stand.
func (g *gaps) first(c *call, floor int32) (gap int32, ok bool) {
	at, _ := slices.BinarySearch(g.due, c.begin)
	if gap = max(int32(at), floor); int(gap) < len(g.holds) && g.holds[gap] == c.refused {
		gap = g.change[gap]
	}
	return gap, int(gap) < len(g.holds) && g.begun[gap] <= c.end
}
