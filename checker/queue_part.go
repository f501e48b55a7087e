package checker

import (
	"math"
	"slices"
	"sort"
	"time"
)

// queueBreach is why a queue has no legal order.
type queueBreach struct {
	kind    breachKind
	element value   // of takenTooOften and takenTooEarly
	first   int32   // of overtook: an element that had gone in before second began to, but had not come out when second had
	second  int32   // of overtook
	nothing int32   // of notEmpty: the call that found nothing
	chain   []int32 // of notEmpty: elements of which one or another was inside from before that call began until after it ended
}

type breachKind uint8

const (
	takenTooOften breachKind = iota // more often than it went in, or it never did
	takenTooEarly                   // before it began to go in
	overtook                        // see queueBreach
	notEmpty
)

// breach is steps 1, 3 and 4; nil if none finds one.
func (f *fifo) breach() *queueBreach {
	if f.absurd != nil {
		return f.absurd
	}
	if b := f.overtaken(); b != nil {
		return b
	}
	return f.neverEmpty()
}

// part is the calls that b is about; they have no legal order by themselves. Its values are its own.
func (f *fifo) part(b *queueBreach) *queueProblem {
	var calls []int32
	take := func(e *inside) { calls = append(calls, e.in, e.out) }
	leftover := func(rank int, until time.Duration) { // so many that vanished, and the dequeues that can have taken them
		for k, i := range f.vanished[:rank] {
			calls = append(calls, f.elements[i].in)
			if k < len(f.open) && f.p.calls[f.open[k]].begin <= until {
				calls = append(calls, f.open[k])
			}
		}
	}
	switch b.kind {
	case takenTooOften:
		calls = f.tooOften(b.element)
	case takenTooEarly:
		calls = f.touching(b.element)
	case overtook:
		second := &f.elements[b.second]
		take(second)
		if first := &f.elements[b.first]; first.rank == 0 {
			take(first)
		} else {
			leftover(int(first.rank), second.goneOut)
		}
	case notEmpty:
		rank := int32(0)
		for _, i := range b.chain {
			if e := &f.elements[i]; e.rank == 0 {
				take(e)
			} else {
				rank = max(rank, e.rank)
			}
		}
		leftover(int(rank), f.p.calls[b.nothing].end)
		calls = append(calls, b.nothing)
	}
	slices.Sort(calls)
	some := make([]queueCall, len(calls))
	for k, i := range calls {
		some[k] = f.p.calls[i]
	}
	return f.p.with(some)
}

// touching is the calls that put v in or took it out.
func (f *fifo) touching(v value) []int32 {
	var calls []int32
	for i := range f.p.calls {
		if f.p.calls[i].element() == v {
			calls = append(calls, int32(i))
		}
	}
	return calls
}

// tooOften is the calls that put v in, and the first that took it out, one more.
func (f *fifo) tooOften(v value) []int32 {
	calls := f.touching(v)
	more := 1
	for _, i := range calls {
		if f.p.calls[i].in != none {
			more++
		}
	}
	return slices.DeleteFunc(calls, func(i int32) bool {
		if f.p.calls[i].in != none {
			return false
		}
		more--
		return more < 0
	})
}

// overtaken is step 3: of all pairs one that takes few calls to show. It also finds how late elements are.
func (f *fifo) overtaken() (best *queueBreach) {
	cost := math.MaxInt                         // calls
	latest, latestTaken := int32(-1), int32(-1) // of those that had gone in: which began to come out last, also of those known to be taken
	vanished, next := 0, 0
	for i := range f.elements {
		b := &f.elements[i]
		for ; next < len(f.byGoneIn) && f.elements[f.byGoneIn[next]].goneIn < b.goesIn; next++ {
			a := f.byGoneIn[next]
			f.keepLater(&latest, a)
			if f.elements[a].rank > 0 {
				vanished++
			} else {
				f.keepLater(&latestTaken, a)
			}
		}
		b.late = b.goesOut
		if latest >= 0 {
			b.late = max(b.late, f.elements[latest].goesOut)
		}
		if b.rank > 0 || b.late <= b.goneOut {
			continue
		}
		if latestTaken >= 0 && f.elements[latestTaken].goesOut > b.goneOut && cost > 4 {
			best, cost = &queueBreach{kind: overtook, first: latestTaken, second: int32(i)}, 4
		}
		if begun := f.begunBy(b.goneOut); begun < vanished && cost > 2*begun+3 {
			best, cost = &queueBreach{kind: overtook, first: f.vanished[begun], second: int32(i)}, 2*begun+3
		}
	}
	return best
}

// keepLater sets at to i if element i began to come out later.
func (f *fifo) keepLater(at *int32, i int32) {
	if *at < 0 || f.elements[i].goesOut > f.elements[*at].goesOut {
		*at = i
	}
}

// begunBy counts the dequeues of unknown outcome that had begun at t.
func (f *fifo) begunBy(t time.Duration) int {
	return sort.Search(len(f.open), func(k int) bool { return f.p.calls[f.open[k]].begin > t })
}

// neverEmpty is step 4: of the dequeues that found nothing though there always was something, the first or, if that takes
// fewer elements to show, one of the next, as far as that takes no more time than all else.
func (f *fifo) neverEmpty() (best *queueBreach) {
	spans := f.spans()
	var latest []int32 // by place in byGoneIn: of those so far, which began to come out last
	looked := 0
	for _, n := range f.nothing {
		c := &f.p.calls[n]
		if spans.free(c.begin) <= c.end {
			continue
		}
		if latest == nil {
			latest = slices.Clone(f.byGoneIn)
			for k := range latest[1:] {
				f.keepLater(&latest[k+1], latest[k])
			}
		}
		chain := f.cover(c, latest)
		if best == nil || len(chain) < len(best.chain) {
			best = &queueBreach{kind: notEmpty, nothing: n, chain: chain}
		}
		if looked += len(chain); looked > len(f.elements) || len(best.chain) == 1 {
			break
		}
	}
	return best
}

// cover is the fewest elements of which one or another was inside throughout c. At every moment it takes, of
// those that were, the one that stayed longest.
func (f *fifo) cover(c *queueCall, latest []int32) []int32 {
	var chain []int32
	for at := c.begin; at <= c.end; {
		k := sort.Search(len(f.byGoneIn), func(k int) bool { return f.elements[f.byGoneIn[k]].goneIn >= at })
		chain = append(chain, latest[k-1])
		at = f.elements[latest[k-1]].goesOut
	}
	return chain
}
