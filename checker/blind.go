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
	var blind []int32
	for i := range p.calls {
		if p.calls[i].blind() {
			blind = append(blind, int32(i))
		}
	}
	if len(blind) == 0 {
		return Answer{Result: legal, Order: order}
	}
	slices.SortStableFunc(blind, func(a, b int32) int { return cmp.Compare(p.calls[a].begin, p.calls[b].begin) })
	g := newGaps(p, order)
	in := make([][]int32, len(order)+1) // by gap: the blind cas that stand there
	for i, b := range blind {
		if expired(ctx, i) {
			return Answer{Result: outOfTime}
		}
		gap, ok := g.take(&p.calls[b])
		if !ok {
			return Answer{Result: unfit, Why: "a failed cas did not tell what it found, and it does not fit into the order by zones"}
		}
		in[gap] = append(in[gap], b)
	}
	whole := make([]int32, 0, len(order)+len(blind))
	for gap, some := range in {
		whole = append(whole, some...)
		if gap < len(order) {
			whole = append(whole, order[gap])
		}
	}
	return Answer{Result: legal, Order: whole}
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

// take puts c into the first gap in which it can stand. Calls come by their begins.
func (g *gaps) take(c *call) (gap int, ok bool) {
	gap, _ = slices.BinarySearch(g.due, c.begin)
	if gap < len(g.holds) && g.holds[gap] == c.refused {
		gap = int(g.change[gap])
	}
	if gap >= len(g.holds) || g.begun[gap] > c.end {
		return 0, false
	}
	for before := gap - 1; before >= 0 && g.due[before] > c.end; before-- {
		g.due[before] = c.end
	}
	return gap, true
}
