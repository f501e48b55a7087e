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

// ordered decides if every element that is shown was appended once:
//
//  1. An append of unknown outcome whose element no read shows is left out. In a legal order no read
//     comes after it, for reads show everything; so without it that order is legal too, and with it
//     the append goes last.
//  2. An element that was never appended cannot be shown, and one that was appended once cannot be
//     shown twice. Every list is a prefix of every later one, so all reads are prefixes of the longest.
//  3. The longest read then says where each call belongs: append 1, reads of length 1, append 2,
//     reads of length 2, and so on, after them the appends that nobody read. Calls of one place can
//     have any order. So there is a legal order iff no call of a place had ended before one of an
//     earlier place began: the order by place, and by begin within one, keeps every other.
func (p *listProblem) ordered(context.Context, int64) Answer {
	appends := p.appends()
	var longest []value
	for _, c := range p.calls {
		if c.strange {
			return Answer{Result: illegal}
		}
		if len(c.shows) > len(longest) {
			longest = c.shows
		}
		for _, v := range c.shows {
			switch {
			case appends[v] == 0:
				return Answer{Result: illegal}
			case appends[v] > 1:
				return Answer{Result: unfit, Why: fmt.Sprintf("%s was appended more than once", history.ValueLabel(p.values[v]))}
			}
		}
	}
	all, ok := p.placed(longest)
	if !ok || !keepsTime(all) {
		return Answer{Result: illegal}
	}
	order := make([]int32, len(all))
	for i, c := range all {
		order[i] = c.call
	}
	return Answer{Result: legal, Order: order}
}

// placedCall is a call with its place in the order.
type placedCall struct {
	call       int32
	place      int
	begin, end time.Duration
}

// placed is step 2: the calls by place, without those of step 1.
func (p *listProblem) placed(longest []value) ([]placedCall, bool) {
	position := make([]int, len(p.values)) // by value: in the longest list, from 1
	for i, v := range longest {
		if position[v] > 0 {
			return nil, false
		}
		position[v] = i + 1
	}
	all := make([]placedCall, 0, len(p.calls))
	for i, c := range p.calls {
		at := placedCall{int32(i), math.MaxInt, c.begin, c.end}
		switch {
		case c.reads() && !slices.Equal(c.shows, longest[:len(c.shows)]):
			return nil, false
		case c.reads():
			at.place = 2 * len(c.shows)
		case position[c.element] > 0:
			at.place = 2*position[c.element] - 1
		case c.maybe:
			continue
		}
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b placedCall) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.begin, b.begin))
	})
	return all, true
}

// keepsTime is step 3.
func keepsTime(all []placedCall) bool {
	earlier, latest := time.Duration(math.MinInt64), time.Duration(math.MinInt64) // begins: of earlier places, of all so far
	for i, c := range all {
		if i > 0 && all[i-1].place < c.place {
			earlier = latest
		}
		if c.end < earlier {
			return false
		}
		latest = max(latest, c.begin)
	}
	return true
}

// searched searches, without the appends that step 1 leaves out.
func (p *listProblem) searched(ctx context.Context, memory int64) Answer {
	shown := make([]bool, len(p.values))
	for _, c := range p.calls {
		for _, v := range c.shows {
			shown[v] = true
		}
	}
	calls := slices.DeleteFunc(slices.Clone(p.calls), func(c listCall) bool { return c.maybe && !c.reads() && !shown[c.element] })
	order, r := wgl(ctx, calls, list(), memory)
	return Answer{Result: r, Order: places(order, calls, p.calls)}
}

// Replay implements Problem. It keeps one list, where the machine would make a new one for each append.
func (p *listProblem) Replay(order []int32) error {
	var state []value
	m := list()
	m.step = func(_ []value, c *listCall) ([]value, bool) {
		if c.reads() {
			return state, !c.strange && slices.Equal(c.shows, state)
		}
		state = append(state, c.element)
		return state, true
	}
	return replay(p.calls, m, order)
}
