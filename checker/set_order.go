package checker

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// included decides a set. Every element is inserted once and never goes, so of two reads one shows all that the other
// does:
//
//  1. An insert of unknown outcome whose element no read shows is left out, as from a list (see ordered).
//  2. Reads by size are a chain: each shows all of the one before it, and those of one size show the same. Or else two
//     reads show each an element that the other does not, and none can be first.
//  3. The chain says where each call belongs: the inserts of what the first read shows, the reads of that size, the
//     inserts of what the next one shows beside, and so on; after them the inserts that nobody read. Calls of one place
//     can have any order. So there is a legal order iff no call of a place had ended before one of an earlier place
//     began.
//
// After sorting, it takes a few looks at each element of each read.
func (p *setProblem) included(ctx context.Context, _ int64) Answer {
	s := setChain{p: p, inserts: make([]int32, len(p.values)), first: make([]int32, len(p.values))}
	for _, step := range [...]func(context.Context) Problem{s.indexInserts, s.chain} {
		if part := step(ctx); part != nil {
			return Answer{Result: illegal, Part: part}
		}
		if ctx.Err() != nil { // so it may have stopped early
			return Answer{Result: outOfTime}
		}
	}
	all := s.placed()
	if x, y, ok := overtaken(all); ok {
		return Answer{Result: illegal, Part: s.part(x, y)}
	}
	order := make([]int32, len(all))
	for i, c := range all {
		order[i] = c.call
	}
	return Answer{Result: legal, Order: order}
}

// What a chain allocates, by TestOrdersHoldWhatTheySay: 57 bytes a call, and two numbers an element.
const (
	setChainBytes        = 64
	setChainElementBytes = 8
)

type setChain struct {
	p       *setProblem
	inserts []int32 // by value: the call that inserts it; -1 for none
	first   []int32 // by value: the read that first shows it, by its place in the chain, from 1; 0 for none
	reads   []int32 // the chain
}

// indexInserts finds the insert of each element. If a read shows what cannot be, it returns a part with that read.
func (s *setChain) indexInserts(ctx context.Context) Problem {
	for v := range s.inserts {
		s.inserts[v] = -1
	}
	for i, c := range s.p.calls {
		if c.element != none {
			s.inserts[c.element] = int32(i)
		}
	}
	looked := 0
	for i, c := range s.p.calls {
		if c.strange {
			return s.of(nil, int32(i))
		}
		shown := map[value]bool{} // by a read that shows an element twice
		for _, v := range c.shows {
			if looked++; expired(ctx, looked) {
				return nil
			}
			if s.inserts[v] < 0 || shown[v] {
				return s.of([]value{v}, int32(i))
			}
			if c.twice {
				shown[v] = true
			}
		}
		if c.element == none {
			s.reads = append(s.reads, int32(i))
		}
	}
	return nil
}

// of is the part of some calls that some elements make, with the inserts of these.
func (s *setChain) of(elements []value, calls ...int32) Problem {
	for _, v := range elements {
		if s.inserts[v] >= 0 {
			calls = append(calls, s.inserts[v])
		}
	}
	slices.Sort(calls)
	var some []setCall
	for _, i := range slices.Compact(calls) {
		some = append(some, s.p.calls[i])
	}
	return s.p.only(some, func(v value) bool { return slices.Contains(elements, v) })
}

// chain sorts the reads by size. If they are no chain, it returns a part of two of them.
func (s *setChain) chain(ctx context.Context) Problem {
	calls := s.p.calls
	looked := 0
	slices.SortFunc(s.reads, func(a, b int32) int {
		return cmp.Or(cmp.Compare(calls[a].sees.n, calls[b].sees.n), cmp.Compare(a, b))
	})
	for i, at := range s.reads {
		known := 0
		if i > 0 {
			before := s.reads[i-1]
			if calls[before].sees == calls[at].sees {
				continue
			}
			known = calls[before].sees.n
		}
		for _, v := range calls[at].shows {
			if looked++; expired(ctx, looked) {
				return nil
			}
			if s.first[v] != 0 {
				known--
			} else {
				s.first[v] = int32(i + 1)
			}
		}
		if known > 0 {
			return s.fork(s.reads[i-1], at)
		}
	}
	return nil
}

// fork is the part of two reads of which each shows what the other does not.
func (s *setChain) fork(a, b int32) Problem {
	return s.of([]value{s.beside(a, b), s.beside(b, a)}, a, b)
}

// beside is an element that read a shows and read b does not; none if there is none.
func (s *setChain) beside(a, b int32) value {
	shown := make([]bool, len(s.p.values))
	for _, v := range s.p.calls[b].shows {
		shown[v] = true
	}
	i := slices.IndexFunc(s.p.calls[a].shows, func(v value) bool { return !shown[v] })
	if i < 0 {
		return none
	}
	return s.p.calls[a].shows[i]
}

// placed is the calls by place, without those of step 1.
func (s *setChain) placed() []placedCall {
	all := make([]placedCall, 0, len(s.p.calls))
	put := func(i int32, place int) {
		c := &s.p.calls[i]
		all = append(all, placedCall{i, place, c.begin, c.end})
	}
	place := 0
	for i, at := range s.reads {
		if i == 0 || s.p.calls[s.reads[i-1]].sees != s.p.calls[at].sees {
			place = 2 * (i + 1)
		}
		put(at, place)
	}
	for v, at := range s.inserts {
		switch {
		case at < 0:
		case s.first[v] > 0:
			put(at, 2*int(s.first[v])-1)
		case !s.p.calls[at].maybe:
			put(at, math.MaxInt)
		}
	}
	slices.SortFunc(all, func(a, b placedCall) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.begin, b.begin))
	})
	return all
}

// overtaken finds a call x that had ended before a call y of an earlier place began.
func overtaken(all []placedCall) (x, y int32, ok bool) {
	earlier, latest := -1, -1 // the last to begin: of earlier places, of all so far
	for i, c := range all {
		if i > 0 && all[i-1].place < c.place {
			earlier = latest
		}
		if earlier >= 0 && c.end < all[earlier].begin {
			return c.call, all[earlier].call, true
		}
		if latest < 0 || c.begin > all[latest].begin {
			latest = i
		}
	}
	return 0, 0, false
}

// part is the part that x and y are of; x had ended before y, of an earlier place, began.
func (s *setChain) part(x, y int32) Problem {
	v, w := s.p.calls[x].element, s.p.calls[y].element
	switch {
	case v == none && w == none: // y shows less than x
		return s.of([]value{s.beside(x, y)}, x, y)
	case v == none: // x shows w before it was inserted
		return s.of([]value{w}, x)
	case w == none: // y does not show v
		return s.of([]value{v}, y)
	default: // a read shows w and not v
		return s.of([]value{v, w}, s.reads[s.first[w]-1])
	}
}
