package checker

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// A counter of which every add is above zero has each sum during one interval of time. So every
// answer tells where in the order its call belongs: an add that left s and added d took the counter from
// s−d to s, a read stands on s, and the calls that were answered are the rungs of a ladder:
//
//  1. No two adds go over the same ground, none begins below the start, and no read stands inside
//     an add. (conflict)
//  2. No call had ended before one that stands lower began; reads of one sum may have any order. (conflict)
//  3. Where one rung does not end where the next begins there is a gap. Only adds of unknown outcome
//     can fill it, each of them one gap at most, and only if they had begun before any call above the
//     gap ended. They have no end, so nothing else is asked of them. Those left over go last. (climb)
//
// If all three hold, the rungs in their order with the fillers in their gaps are a legal order: the
// sums are right, and no call had ended before one that comes earlier began. 1 and 2 hold for any
// two calls whatever the others are, so two that break them are a witness by themselves.
type ladder struct {
	rungs []counterCall // answered, from the lowest
	loose []counterCall // adds of unknown outcome, from the largest; of one size by begin
	sizes []size
	start int64
	gaps  []gap
}

// Bytes that a ladder and its order hold for each call, and besides for each rung, which may have a gap below it, and for each add
// that may fill one, as TestOrdersHoldWhatTheySay measures.
const (
	ladderCallBytes   = 57
	ladderGapBytes    = 24
	ladderFillerBytes = 52
)

func (p *counterProblem) ladderHolds() int64 {
	loose := int64(p.loose())
	rungs := int64(len(p.calls)) - loose
	return ladderCallBytes*(rungs+loose) + ladderGapBytes*rungs + ladderFillerBytes*loose
}

// loose counts the calls that were not answered.
func (p *counterProblem) loose() (n int) {
	for i := range p.calls {
		if !p.calls[i].answered {
			n++
		}
	}
	return n
}

// gap lies below a rung.
type gap struct {
	above int32 // in rungs
	bound int32 // the rung that ends first of those above it
	size  int64
	until time.Duration // when that ends
}

// grows tells whether p has a ladder: all adds are above zero, and all that are sure have an answer.
func (p *counterProblem) grows() bool {
	return !slices.ContainsFunc(p.calls, func(c counterCall) bool {
		return c.add && c.delta <= 0 || !c.answered && !c.maybe
	})
}

func newLadder(p *counterProblem) *ladder {
	l, loose := &ladder{start: p.start}, p.loose()
	l.rungs, l.loose = make([]counterCall, 0, len(p.calls)-loose), make([]counterCall, 0, loose)
	for _, c := range p.calls {
		if c.answered {
			l.rungs = append(l.rungs, c)
		} else {
			l.loose = append(l.loose, c)
		}
	}
	slices.SortFunc(l.rungs, func(a, b counterCall) int {
		return cmp.Or(cmp.Compare(a.sum, b.sum), cmp.Compare(a.from(), b.from()), cmp.Compare(a.begin, b.begin), cmp.Compare(a.index, b.index))
	})
	slices.SortFunc(l.loose, func(a, b counterCall) int {
		return cmp.Or(cmp.Compare(b.delta, a.delta), cmp.Compare(a.begin, b.begin), cmp.Compare(a.index, b.index))
	})
	l.sizes = sizesOf(l.loose)
	l.measure()
	return l
}

// measure finds the gaps.
func (l *ladder) measure() {
	n := 0
	for at := range l.rungs {
		if l.below(at) > 0 {
			n++
		}
	}
	l.gaps = make([]gap, n)
	until, bound := time.Duration(math.MaxInt64), int32(0)
	for at, c := range slices.Backward(l.rungs) {
		if c.end < until {
			until, bound = c.end, int32(at)
		}
		if size := l.below(at); size > 0 {
			n--
			l.gaps[n] = gap{above: int32(at), bound: bound, size: size, until: until}
		}
	}
}

// below is how far a rung is above the one below it.
func (l *ladder) below(at int) int64 {
	if at == 0 {
		return l.rungs[at].from() - l.start
	}
	return l.rungs[at].from() - l.rungs[at-1].sum
}

// conflict returns one or two calls that break 1 or 2: of two the first stands lower.
func (l *ladder) conflict() ([]counterCall, bool) {
	latest := -1 // of the rungs below the present one: the one that begins last
	level := 0   // the first rung on the sum of the present one, if that is a read
	for i, c := range l.rungs {
		switch {
		case c.from() < l.start:
			return []counterCall{c}, true
		case i > 0 && c.from() < l.rungs[i-1].sum:
			return []counterCall{l.rungs[i-1], c}, true
		}
		if i > 0 && !(sameRead(l.rungs[i-1], c)) {
			for ; level < i; level++ {
				if latest < 0 || l.rungs[level].begin > l.rungs[latest].begin {
					latest = level
				}
			}
		}
		if latest >= 0 && c.end < l.rungs[latest].begin {
			return []counterCall{l.rungs[latest], l.lastBefore(l.rungs[latest], i)}, true
		}
	}
	return nil, false
}

// lastBefore is, of the rungs from i on, the one that ended last before low began.
func (l *ladder) lastBefore(low counterCall, i int) counterCall {
	last := l.rungs[i]
	for _, c := range l.rungs[i:] {
		if c.end < low.begin && c.end > last.end {
			last = c
		}
	}
	return last
}

func sameRead(a, b counterCall) bool { return !a.add && !b.add && a.sum == b.sum }

// order writes the linearization out: the rungs, with what fills a gap before the rung above it.
func (l *ladder) order(p *counterProblem, filled []filling) []int32 {
	byIndex := make([]int32, len(p.calls)) // what is found by binary search; most are in order already
	for i := range byIndex {
		byIndex[i] = int32(i)
	}
	slices.SortFunc(byIndex, func(a, b int32) int { return cmp.Compare(p.calls[a].index, p.calls[b].index) })
	place := func(c *counterCall) int32 {
		at, _ := slices.BinarySearchFunc(byIndex, c.index, func(i, index int32) int { return cmp.Compare(p.calls[i].index, index) })
		return byIndex[at]
	}
	order := make([]int32, 0, len(p.calls))
	for i := range l.rungs {
		for len(filled) > 0 && int(l.gaps[filled[0].gap].above) == i {
			order = append(order, place(&l.loose[filled[0].loose]))
			filled = filled[1:]
		}
		order = append(order, place(&l.rungs[i]))
	}
	return order
}

// around is the part of the problem about gaps that nothing fills. In a legal order of the whole the
// counter once stands where the rung below the gaps begins. From there on the rungs up to the one above
// them and the adds in the gaps are a legal order; every other add goes last. The rung above comes before
// those that are higher, so it ends no later than they do.
func (l *ladder) around(gaps []gap) *counterProblem {
	first, last := gaps[0], gaps[len(gaps)-1]
	p := &counterProblem{start: l.start, bound: l.rungs[last.bound].index}
	if first.above > 0 {
		p.start = l.rungs[first.above-1].from()
	}
	p.calls = slices.Clone(l.rungs[max(first.above-1, 0) : last.above+1])
	p.calls[len(p.calls)-1].end = last.until
	most := slices.MaxFunc(gaps, func(a, b gap) int { return cmp.Compare(a.size, b.size) }).size
	for _, c := range l.loose {
		if c.delta <= most && c.begin <= last.until {
			p.calls = append(p.calls, c)
		}
	}
	return p
}
