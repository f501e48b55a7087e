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
//
// What breaks 2 or 3 is shown by the calls that do and the appends of the elements that they differ in, without all other
// elements (see Keep): a part that is illegal by itself. If elements that are shown were appended more than once, what is
// left without these may be illegal already, which is tried if there is room for it.
func (p *listProblem) ordered(ctx context.Context, memory int64) Answer {
	appends := p.appends()
	seen := make([]int32, len(p.values)) // by value: the last call that shows it, from 1
	longest, several := -1, none
	for i, c := range p.calls {
		if expired(ctx, i) {
			return Answer{Result: outOfTime}
		}
		if c.strange {
			return p.illegal(nil, i)
		}
		if longest < 0 || len(c.shows) > len(p.calls[longest].shows) {
			longest = i
		}
		for _, v := range c.shows {
			switch {
			case appends[v] == 0 || appends[v] == 1 && seen[v] == int32(i+1):
				return p.illegal([]value{v}, i)
			case appends[v] > 1:
				several = v
			}
			seen[v] = int32(i + 1)
		}
	}
	if several != none {
		if memory >= 2*p.orderHolds()+p.Size() {
			p.Groups()
			if a := p.Keep(func(g int) bool { return appends[p.groups[g]] == 1 }).(*listProblem).ordered(ctx, memory); a.Result == illegal {
				return a
			}
		}
		return Answer{Result: unfit, Why: fmt.Sprintf("%s was appended more than once", history.ValueLabel(p.values[several]))}
	}
	if longest < 0 {
		return Answer{Result: legal}
	}
	return p.inPlace(ctx, longest)
}

// Bytes that ordered holds for each call and for each value, as TestOrdersHoldWhatTheySay measures.
const (
	listCallBytes  = 37
	listValueBytes = 16
)

func (p *listProblem) orderHolds() int64 {
	return listCallBytes*int64(len(p.calls)) + listValueBytes*int64(len(p.values))
}

// placedCall is a call with its place in the order.
type placedCall struct {
	call       int32
	place      int
	begin, end time.Duration
}

// inPlace is step 2 without what ordered has done of it, and 3.
func (p *listProblem) inPlace(ctx context.Context, longest int) Answer {
	list := p.calls[longest].shows
	position := make([]int32, len(p.values)) // by value: in the longest list, from 1
	for i, v := range list {
		position[v] = int32(i + 1)
	}
	all := make([]placedCall, 0, len(p.calls))
	for i, c := range p.calls {
		if expired(ctx, i) {
			return Answer{Result: outOfTime}
		}
		at := placedCall{int32(i), math.MaxInt, c.begin, c.end}
		switch {
		case c.reads():
			for j, v := range c.shows {
				if v != list[j] {
					return p.illegal([]value{v, list[j]}, i, longest)
				}
			}
			at.place = 2 * len(c.shows)
		case position[c.element] > 0:
			at.place = 2*int(position[c.element]) - 1
		case c.maybe:
			continue
		}
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b placedCall) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.begin, b.begin))
	})
	if early, late, ok := against(all); ok {
		return p.overtaken(int(early), int(late), longest)
	}
	order := make([]int32, len(all))
	for i, c := range all {
		order[i] = c.call
	}
	return Answer{Result: legal, Order: order}
}

// against is step 3: a call, and one of a later place that had ended when it began.
func against(all []placedCall) (early, late int32, ok bool) {
	earlier, latest := -1, -1 // of earlier places, and of all so far: the one that begins last
	for i, c := range all {
		if i > 0 && all[i-1].place < c.place {
			earlier = latest
		}
		if earlier >= 0 && c.end < all[earlier].begin {
			return all[earlier].call, c.call, true
		}
		if latest < 0 || c.begin > all[latest].begin {
			latest = i
		}
	}
	return 0, 0, false
}

// overtaken answers with two calls that go against time. The list differs between them in one element at least, which is
// the one that either appends, or the first that only the later one shows. Of what nobody shows, other appends are not needed.
func (p *listProblem) overtaken(early, late, longest int) Answer {
	a, b := &p.calls[early], &p.calls[late]
	var elements []value
	switch {
	case !b.reads() && slices.Contains(p.calls[longest].shows, b.element):
		elements = append(elements, b.element)
	case a.reads() && b.reads():
		elements = append(elements, b.shows[len(a.shows)])
	}
	if a.reads() {
		return p.illegal(elements, early, late)
	}
	elements = append(elements, a.element)
	if b.reads() {
		return p.illegal(elements, early, late)
	}
	return p.illegal(elements, early, late, longest)
}

// illegal answers with the part of p that some calls make, with the appends of some elements and without all others.
func (p *listProblem) illegal(elements []value, calls ...int) Answer {
	var part []listCall
	for i, c := range p.calls {
		if !slices.Contains(calls, i) && !slices.Contains(elements, c.element) {
			continue
		}
		c.shows = slices.DeleteFunc(slices.Clone(c.shows), func(v value) bool { return !slices.Contains(elements, v) })
		part = append(part, c)
	}
	return Answer{Result: illegal, Part: p.with(part)}
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
