package checker

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"ordeal/history"
)

// zoned decides a register by zones, in O(n log n), whatever the number of clients and of unknown outcomes.
//
// It needs that each value that somebody found has one producer. Then the register holds it during one
// interval of time, and so it does a *chain* of values that came of each other by cas. Of a chain only two
// moments matter: f, the first end of a call that touched it, and s, the last begin. Two chains are in
// conflict iff a call of each had ended before one of the other began: f < s' and f' < s. A history is legal
// iff every chain is legal by itself and no two are in conflict. (Gibbons & Korach, SIAM J. Comput. 26(4), 1997;
// Golab, Li & Shah, PODC 2011. A chain behaves as one write that takes time.)
//
// A chain with f < s owns the register from f to s: a forward zone. Any other fits into a moment between s
// and f: a backward zone. Two backward zones are never in conflict, so one sweep finds what is.
//
// What is of unknown outcome counts if its value was found, and has no end; else it is dropped (see searched).
//
// Values that were found although several calls wrote them are not covered. Without them less is asked (see Keep), so if
// that is illegal already, the whole is; it is tried if there is room for it.
func (p *registerProblem) zoned(ctx context.Context, memory int64) Answer {
	if i := slices.IndexFunc(p.calls, call.absurd); i >= 0 {
		return Answer{Result: illegal, Part: p.with(p.calls[i : i+1])}
	}
	z := zoning{p: p, s: simplifier{calls: p.calls}}
	if !z.s.index(len(p.values)) || !z.s.settle() {
		return z.phantom()
	}
	z.s.drop()
	if ctx.Err() != nil {
		return Answer{Result: outOfTime}
	}
	if several := z.cluster(); several != none {
		if memory >= 2*p.zonesHold()+p.Size() {
			if a := z.unique().zoned(ctx, memory); a.Result == illegal {
				return a
			}
		}
		return Answer{Result: unfit, Why: history.ValueLabel(p.values[several]) + " was written more than once and found"}
	}
	z.touch()
	for _, pass := range [...]func() (a Answer, bad bool){z.link, z.chain, z.circle, z.sweep} {
		if ctx.Err() != nil {
			return Answer{Result: outOfTime}
		}
		if a, bad := pass(); bad {
			return a
		}
	}
	return p.withBlind(ctx, z.order())
}

// Bytes that zoned holds for each call and for each value, as TestOrdersHoldWhatTheySay measures; and, if there are blind cas,
// for each of them and for each other call besides.
const (
	zonesCallBytes  = 10
	zonesValueBytes = 66
	zonesBlindBytes = 16
	zonesGapBytes   = 28
)

func (p *registerProblem) zonesHold() int64 {
	calls, blind := int64(len(p.calls)), int64(p.blinds())
	holds := zonesCallBytes*calls + zonesValueBytes*int64(len(p.values))
	if blind > 0 {
		holds += zonesBlindBytes*blind + zonesGapBytes*(calls-blind)
	}
	return holds
}

type zoning struct {
	p       *registerProblem
	s       simplifier
	of      []value // by call: the value whose zone it belongs to; none if it does not count. A cas belongs to the value that it wrote
	first   []int32 // by value: of the calls of its zone the one that ended first; -1 if there are none
	last    []int32 // by value: of the same the one that began last; -1
	after   []int32 // by value: the cas that replaced it; -1 if none did
	walked  []int32 // by value: its place in its chain, from 1
	chained []value // by chain and place
	chains  []chain
}

// chain is values that came of each other by cas.
type chain struct {
	f, s        time.Duration
	from, to    int32 // in chained
	first, last int32 // the calls of f and s; first is -1 for the initial value, which is there from the beginning of time
}

func (c *chain) forward() bool { return c.f < c.s }

// key is where the chain stands among others: a backward zone before all forward ones that begin later.
func (c *chain) key() time.Duration {
	if c.forward() {
		return c.f
	}
	return c.s
}

// unique is the problem without the values that several calls wrote.
func (z *zoning) unique() *registerProblem {
	z.p.Groups()
	return z.p.Keep(func(g int) bool { return z.s.producers[z.p.groups[g]] == 1 }).(*registerProblem)
}

// cluster finds the value that each call belongs to. A value that nobody found, but several wrote, is a value of its
// own for each of them. It returns one that was found although several wrote it; none if there is no such.
func (z *zoning) cluster() value {
	z.s.index(len(z.p.values))
	z.of = make([]value, len(z.p.calls))
	for i := range z.p.calls {
		c := &z.p.calls[i]
		z.of[i] = none
		switch {
		case z.s.fates[i] == dropped:
		case c.reads != none && z.s.producers[c.reads] != 1:
			return c.reads
		case c.writes == none:
			z.of[i] = c.reads
		case z.s.producers[c.writes] == 1 || z.s.found[c.writes]:
			z.of[i] = c.writes
		default:
			z.of[i] = value(len(z.s.producers))
			z.s.producers, z.s.producer = append(z.s.producers, 1), append(z.s.producer, int32(i))
		}
	}
	return none
}

// touch finds the calls that bound each value's zone.
func (z *zoning) touch() {
	values := len(z.s.producers)
	z.first, z.last, z.walked = slices.Repeat([]int32{-1}, values), slices.Repeat([]int32{-1}, values), make([]int32, values)
	calls := z.p.calls
	for i, v := range z.of {
		if v == none {
			continue
		}
		if z.first[v] < 0 || calls[i].end < calls[z.first[v]].end {
			z.first[v] = int32(i)
		}
		if z.last[v] < 0 || calls[i].begin > calls[z.last[v]].begin {
			z.last[v] = int32(i)
		}
	}
}

// link finds which cas replaced each value; two are a lost update.
func (z *zoning) link() (Answer, bool) {
	z.after = slices.Repeat([]int32{-1}, len(z.first))
	var twice []int32
	for i := range z.p.calls {
		c := &z.p.calls[i]
		switch {
		case c.reads == none || c.writes == none || z.of[i] == none:
		case z.after[c.reads] >= 0:
			twice = []int32{z.s.sole(c.reads), z.after[c.reads], int32(i)}
		default:
			z.after[c.reads] = int32(i)
		}
	}
	if twice != nil { // told only now, for the part is found by what followed on each value
		return z.illegal(twice...), true
	}
	return Answer{}, false
}

// chain makes all chains but those that go round.
func (z *zoning) chain() (Answer, bool) {
	z.chained, z.chains = make([]value, 0, len(z.first)), make([]chain, 0, len(z.first))
	for v := range value(len(z.first)) {
		if at := z.s.sole(v); at >= 0 && z.p.calls[at].reads == none || v == null && at < 0 && z.s.producers[v] == 1 {
			if a, bad := z.walk(v); bad {
				return a, true
			}
		}
	}
	return Answer{}, false
}

// walk makes the chain that begins with v. Within it, no call of a value had ended before a call
// of an earlier value, or its own writer, began.
func (z *zoning) walk(v value) (Answer, bool) {
	c := chain{from: int32(len(z.chained)), f: math.MaxInt64, s: math.MinInt64, first: -1, last: -1}
	if z.s.sole(v) < 0 {
		c.f = math.MinInt64
	}
	for v != none {
		z.chained = append(z.chained, v)
		z.walked[v] = int32(len(z.chained))
		if first := z.first[v]; first >= 0 {
			end := z.p.calls[first].end
			if w := z.s.sole(v); w >= 0 && z.p.calls[w].begin > end {
				return z.illegal(w, first), true
			}
			if c.s > end {
				return z.illegal(z.between(c.last, first)...), true
			}
			if end < c.f {
				c.f, c.first = end, first
			}
			if last := z.last[v]; z.p.calls[last].begin > c.s {
				c.s, c.last = z.p.calls[last].begin, last
			}
		}
		next := z.after[v]
		if v = none; next >= 0 {
			v = z.of[next]
		}
	}
	c.to = int32(len(z.chained))
	if c.last >= 0 {
		z.chains = append(z.chains, c)
	}
	return Answer{}, false
}

// between are two calls of a chain, of which a may be the -1 of the initial value, and the cas that lead from
// the value of the one to that of the other.
func (z *zoning) between(a, b int32) []int32 {
	from, to := int32(1), z.walked[z.of[b]] // the initial value is the first of all
	if a >= 0 {
		from = z.walked[z.of[a]]
	}
	calls := []int32{a, b}
	for at := min(from, to); at < max(from, to); at++ {
		calls = append(calls, z.s.sole(z.chained[at]))
	}
	return calls
}

// circle finds values that came of each other alone. Since none was replaced twice (link), they go round.
func (z *zoning) circle() (Answer, bool) {
	for v := range value(len(z.walked)) {
		if z.walked[v] > 0 || z.s.sole(v) < 0 {
			continue
		}
		round := []int32{z.s.sole(v)}
		for u := z.p.calls[round[0]].reads; u != v; u = z.p.calls[z.s.sole(u)].reads {
			round = append(round, z.s.sole(u))
		}
		return z.illegal(round...), true
	}
	return Answer{}, false
}

// sweep compares each zone with the last forward one that begins before it: forward zones that went by without
// a conflict do not overlap, so no other can contain it.
func (z *zoning) sweep() (Answer, bool) {
	slices.SortFunc(z.chains, func(a, b chain) int {
		if c := cmp.Compare(a.key(), b.key()); c != 0 || a.forward() == b.forward() {
			return c
		} else if b.forward() {
			return -1
		}
		return 1
	})
	var owner *chain
	for i := range z.chains {
		c := &z.chains[i]
		if owner != nil && owner.f < c.s && c.f < owner.s {
			return z.illegal(slices.Concat(z.between(owner.first, owner.last), z.between(c.first, c.last))...), true
		}
		if c.forward() {
			owner = c
		}
	}
	return Answer{}, false
}

// order writes the linearization out: chain after chain, value after value, the writer and then those that
// found it, by begin.
func (z *zoning) order() []int32 {
	calls := make([]int32, len(z.walked)) // by value: how many
	for _, v := range z.of {
		if v != none {
			calls[v]++
		}
	}
	place, at := z.walked, int32(0) // by value: where its next call goes; what was there is done with
	for _, c := range z.chains {
		for _, v := range z.chained[c.from:c.to] {
			place[v], at = at, at+calls[v]
		}
	}
	order := make([]int32, at)
	for _, writers := range [...]bool{true, false} {
		for i, v := range z.of {
			if v != none && (z.p.calls[i].writes != none) == writers {
				order[place[v]] = int32(i)
				place[v]++
			}
		}
	}
	for v, n := range calls {
		if n == 0 {
			continue
		}
		readers := order[place[v]-n : place[v]]
		if z.p.calls[readers[0]].writes != none {
			readers = readers[1:]
		}
		slices.SortFunc(readers, func(a, b int32) int { return cmp.Compare(z.p.calls[a].begin, z.p.calls[b].begin) })
	}
	return order
}
