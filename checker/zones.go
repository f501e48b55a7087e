package checker

import (
	"cmp"
	"context"
	"fmt"
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
// What is of unknown outcome counts if its value was found, and has no end; else it is dropped (see Simplify).
func (p *registerProblem) zoned(context.Context, int64) Answer {
	if i := slices.IndexFunc(p.calls, func(c call) bool { return c.absurd }); i >= 0 {
		return Answer{Result: illegal, Part: p.with(p.calls[i : i+1])}
	}
	z := zoning{p: p, s: simplifier{calls: slices.Clone(p.calls)}, values: len(p.values)}
	if !z.s.index(z.values) || !z.s.settle() {
		return z.phantom()
	}
	z.s.drop()
	if a, bad := z.separate(); bad {
		return a
	}
	z.touch()
	if a, bad := z.link(); bad {
		return a
	}
	for v := range value(z.values) {
		if at := z.s.sole(v); at >= 0 && z.s.calls[at].reads == none || v == null && at < 0 && z.s.producers[v] == 1 {
			if a, bad := z.walk(v); bad {
				return a
			}
		}
	}
	if a, bad := z.circle(); bad {
		return a
	}
	return z.sweep()
}

type zoning struct {
	p       *registerProblem
	s       simplifier
	values  int
	first   []int32 // by value: of the calls that touched it last of all values the one that ended first; -1
	last    []int32 // by value: of the same the one that began last; -1
	after   []int32 // by value: the cas that replaced it; -1 if none did
	walked  []int32 // by value: its place in its chain, from 1
	chained []value // by chain and place
	chains  []chain
}

// chain is values that came of each other by cas.
type chain struct {
	from, to    int // in chained
	f, s        time.Duration
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

// separate gives each write of a value that nobody found, but several wrote, a value of its own.
func (z *zoning) separate() (Answer, bool) {
	z.s.index(z.values)
	for i := range z.s.calls {
		c := &z.s.calls[i]
		if c.reads != none && z.s.producers[c.reads] != 1 {
			return Answer{Result: unfit, Why: fmt.Sprintf("%s was written more than once and found", history.ValueLabel(z.p.values[c.reads]))}, true
		}
		if c.writes != none && z.s.producers[c.writes] != 1 && z.s.readers[c.writes] < 0 {
			c.writes = value(z.values)
			z.values++
		}
	}
	z.s.index(z.values)
	return Answer{}, false
}

// touch finds the calls that bound each value's zone. A cas belongs to the value that it wrote.
func (z *zoning) touch() {
	z.first, z.last, z.walked = make([]int32, z.values), make([]int32, z.values), make([]int32, z.values)
	for v := range z.values {
		z.first[v], z.last[v] = -1, -1
	}
	for i, c := range z.s.calls {
		v := c.cluster()
		if z.first[v] < 0 || c.end < z.s.calls[z.first[v]].end {
			z.first[v] = int32(i)
		}
		if z.last[v] < 0 || c.begin > z.s.calls[z.last[v]].begin {
			z.last[v] = int32(i)
		}
	}
}

// cluster is the value whose zone the call belongs to.
func (c call) cluster() value {
	if c.writes != none {
		return c.writes
	}
	return c.reads
}

// link finds which cas replaced each value; two are a lost update.
func (z *zoning) link() (Answer, bool) {
	z.after = make([]int32, z.values)
	for v := range z.after {
		z.after[v] = -1
	}
	var twice []int32
	for i, c := range z.s.calls {
		switch {
		case c.reads == none || c.writes == none:
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

// walk makes the chain that begins with v. Within it, no call of a value had ended before a call
// of an earlier value, or its own writer, began.
func (z *zoning) walk(v value) (Answer, bool) {
	c := chain{from: len(z.chained), f: math.MaxInt64, s: math.MinInt64, first: -1, last: -1}
	if z.s.sole(v) < 0 {
		c.f = math.MinInt64
	}
	for v != none {
		z.chained = append(z.chained, v)
		z.walked[v] = int32(len(z.chained))
		if first := z.first[v]; first >= 0 {
			end := z.s.calls[first].end
			if w := z.s.sole(v); w >= 0 && z.s.calls[w].begin > end {
				return z.illegal(w, first), true
			}
			if c.s > end {
				return z.illegal(z.between(c.last, first)...), true
			}
			if end < c.f {
				c.f, c.first = end, first
			}
			if last := z.last[v]; z.s.calls[last].begin > c.s {
				c.s, c.last = z.s.calls[last].begin, last
			}
		}
		next := z.after[v]
		if v = none; next >= 0 {
			v = z.s.calls[next].writes
		}
	}
	c.to = len(z.chained)
	if c.last >= 0 {
		z.chains = append(z.chains, c)
	}
	return Answer{}, false
}

// between are two calls of a chain, of which a may be the -1 of the initial value, and the cas that lead from
// the value of the one to that of the other.
func (z *zoning) between(a, b int32) []int32 {
	from, to := int32(1), z.walked[z.s.calls[b].cluster()] // the initial value is the first of all
	if a >= 0 {
		from = z.walked[z.s.calls[a].cluster()]
	}
	calls := []int32{a, b}
	for at := min(from, to); at < max(from, to); at++ {
		calls = append(calls, z.s.sole(z.chained[at]))
	}
	return calls
}

// circle finds values that came of each other alone.
func (z *zoning) circle() (Answer, bool) {
	for v := range value(z.values) {
		if z.walked[v] > 0 || z.s.sole(v) < 0 {
			continue
		}
		var round []int32
		for at := z.s.sole(v); !slices.Contains(round, at); at = z.s.sole(z.s.calls[at].reads) {
			round = append(round, at)
		}
		return z.illegal(round...), true
	}
	return Answer{}, false
}

// sweep compares each zone with the last forward one that begins before it: forward zones that went by without
// a conflict do not overlap, so no other can contain it.
func (z *zoning) sweep() Answer {
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
			return z.illegal(slices.Concat(z.between(owner.first, owner.last), z.between(c.first, c.last))...)
		}
		if c.forward() {
			owner = c
		}
	}
	return Answer{Result: legal, Order: places(z.order(), z.s.calls, z.p.calls)}
}

// order writes the linearization out: chain after chain, value after value, the writer and then those that
// found it, by begin.
func (z *zoning) order() []int32 {
	from := make([]int32, z.values+1) // by value, where its calls begin
	for _, c := range z.s.calls {
		from[c.cluster()]++
	}
	at := int32(0)
	for _, c := range z.chains {
		for _, v := range z.chained[c.from:c.to] {
			from[v], at = at, at+from[v]
		}
	}
	order := make([]int32, len(z.s.calls))
	put := func(i int32) {
		v := z.s.calls[i].cluster()
		order[from[v]] = i
		from[v]++
	}
	for i, c := range z.s.calls {
		if c.writes != none {
			put(int32(i))
		}
	}
	byBegin := z.s.sorted(func(c call) time.Duration { return c.begin })
	for _, i := range byBegin {
		if z.s.calls[i].writes == none {
			put(i)
		}
	}
	return order
}
