package checker

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// fenced decides a lock in O(n log n), for tokens say in which order everything was. They rise, and the lock is never
// held under one again, so each token has one *tenure*: its grant, the calls that found the lock held under it, and its
// release. Tenures follow each other by token, and so do the calls; those that found the lock held are by begin.
//
//   - A tenure that nobody was granted, but that somebody saw or ended, began with an acquire of unknown outcome. Which one does not
//     matter but for its begin, so the one that began first goes to the first such tenure, and so on: if others were
//     possible, then so are these. An acquire of unknown outcome that is not needed did nothing.
//   - A tenure that another follows was ended by its release, or else by one of unknown outcome, of which the one that
//     began first will do.
//   - A release that found the lock free goes to the first place between tenures at which nothing that had ended before it
//     began comes later. Taken by begin, such places never go back.
//
// So there is a legal order iff no token was granted or given back twice, every hidden grant and every needed release has a
// call, no call had ended before an earlier one began, and every place is in time.
//
// It looks at ctx between these steps, each of which is short.
func (p *lockProblem) fenced(ctx context.Context, _ int64) Answer {
	f := fencing{p: p}
	for _, step := range [...]func() Problem{f.sort, f.lay, f.inTime, f.seat} {
		if ctx.Err() != nil {
			return Answer{Result: outOfTime}
		}
		if part := step(); part != nil {
			return Answer{Result: illegal, Part: part}
		}
	}
	return Answer{Result: legal, Order: f.order}
}

// tenure is the time during which a lock is held under a token.
type tenure struct {
	token   uint64
	grant   int32 // a call; of unknown outcome if hidden
	hidden  bool
	sight   int32 // the first call that found it, or else the release if that was answered; -1 for none
	release int32 // -1 for none
}

// fencingBytes is what fencing allocates a call, which is 125 by TestOrdersHoldWhatTheySay.
const fencingBytes = 128

type fencing struct {
	p       *lockProblem
	calls   []fencedCall // about tokens, by token, kind and begin
	unknown []int32      // acquires of unknown outcome, by begin
	looks   []int32      // releases that found the lock free, by begin
	tenures []tenure
	order   []int32
	free    []int32 // places in order where the lock is free
}

// fencedCall is a call about a token.
type fencedCall struct {
	token uint64
	begin time.Duration
	call  int32
	kind  uint8
}

// The kinds of calls about a token, in the order in which they come.
const (
	fencedGrant uint8 = iota
	fencedSight
	fencedRelease
	fencedMaybe // a release of unknown outcome
)

// sort parts the calls; it finds nothing wrong.
func (f *fencing) sort() Problem {
	f.calls = make([]fencedCall, 0, len(f.p.calls))
	for i := range f.p.calls {
		c := &f.p.calls[i]
		var kind uint8
		switch {
		case c.maybe && c.release == 0:
			f.unknown = append(f.unknown, int32(i))
			continue
		case c.refused && c.token == 0:
			f.looks = append(f.looks, int32(i))
			continue
		case c.refused:
			kind = fencedSight
		case c.maybe:
			kind = fencedMaybe
		case c.release > 0:
			kind = fencedRelease
		}
		f.calls = append(f.calls, fencedCall{c.about(), c.begin, int32(i), kind})
	}
	slices.SortFunc(f.calls, func(a, b fencedCall) int {
		if a.token != b.token {
			return cmp.Compare(a.token, b.token)
		}
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.begin, b.begin), cmp.Compare(a.call, b.call))
	})
	byBegin := func(a, b int32) int { return cmp.Compare(f.p.calls[a].begin, f.p.calls[b].begin) }
	slices.SortStableFunc(f.unknown, byBegin)
	slices.SortStableFunc(f.looks, byBegin)
	return nil
}

// lay makes the tenures and their order, or a part of the problem that shows that there is none.
func (f *fencing) lay() Problem {
	f.free = append(f.free, 0)
	hidden := 0
	for from := 0; from < len(f.calls); {
		to := from + 1
		for to < len(f.calls) && f.calls[to].token == f.calls[from].token {
			to++
		}
		about := f.calls[from:to]
		from = to
		t, part := f.tenure(about)
		if part != nil {
			return part
		}
		if t.grant < 0 && t.sight < 0 {
			continue // a release that had no effect
		}
		if t.hidden = t.grant < 0; t.hidden {
			if hidden == len(f.unknown) {
				f.tenures = append(f.tenures, t)
				return f.nowhere(len(f.tenures) - 1)
			}
			t.grant = f.unknown[hidden]
			hidden++
		}
		f.tenures = append(f.tenures, t)
		if n := len(f.tenures); n > 1 && f.tenures[n-2].release < 0 {
			return f.part(f.shown(n-2), f.shown(n-1))
		}
		f.put(t, about)
	}
	return nil
}

// tenure finds the calls of a token.
func (f *fencing) tenure(about []fencedCall) (t tenure, part Problem) {
	t = tenure{token: about[0].token, grant: -1, sight: -1, release: -1}
	for i, c := range about {
		again := i > 0 && about[i-1].kind == c.kind
		switch c.kind {
		case fencedGrant:
			if again {
				return t, f.only(t.grant, c.call)
			}
			t.grant = c.call
		case fencedSight:
			if f.p.calls[c.call].release == t.token {
				return t, f.only(c.call)
			}
			if !again {
				t.sight = c.call
			}
		case fencedRelease:
			if again {
				return t, f.only(t.grant, t.sight, t.release, c.call)
			}
			if t.release = c.call; t.sight < 0 {
				t.sight = c.call
			}
		case fencedMaybe:
			if t.release < 0 {
				t.release = c.call
			}
		}
	}
	return t, nil
}

// put lays a tenure: the lock is free after it if it was given back.
func (f *fencing) put(t tenure, about []fencedCall) {
	f.order = append(f.order, t.grant)
	for _, c := range about {
		if c.kind == fencedSight {
			f.order = append(f.order, c.call)
		}
	}
	if t.release >= 0 {
		f.order = append(f.order, t.release)
		f.free = append(f.free, int32(len(f.order)))
	}
}

// inTime finds a call that had ended before one began that comes earlier.
func (f *fencing) inTime() Problem {
	latest := int32(-1)
	for _, at := range f.order {
		c := &f.p.calls[at]
		switch {
		case latest >= 0 && c.end < f.p.calls[latest].begin:
			if y := &f.p.calls[latest]; y.maybe && y.release == 0 {
				return f.nowhere(slices.IndexFunc(f.tenures, func(t tenure) bool { return t.grant == latest }), at)
			}
			return f.part(at, latest)
		case latest < 0 || c.begin > f.p.calls[latest].begin:
			latest = at
		}
	}
	return nil
}

// seat puts the looks that found the lock free into the order.
func (f *fencing) seat() Problem {
	if len(f.looks) == 0 {
		return nil
	}
	calls, n := f.p.calls, len(f.order)
	latest, ends := begun(calls, f.order), due(calls, f.order)
	order := make([]int32, 0, n+len(f.looks))
	first, next, done := 0, 0, 0
	for _, at := range f.looks {
		c := &calls[at]
		for ends[first] < c.begin {
			first++
		}
		for next < len(f.free) && int(f.free[next]) < first {
			next++
		}
		if next == len(f.free) || latest[f.free[next]] > c.end {
			held := []int32{at, f.order[first-1], f.tenures[f.tenureOf(f.order[first-1])].release}
			last, _ := slices.BinarySearch(latest, c.end+1)
			if last <= n { // the call before that place began after the look had ended
				held = append(held, f.order[last-1])
			}
			return f.part(held...)
		}
		order = append(order, f.order[done:f.free[next]]...)
		done = int(f.free[next])
		order = append(order, at)
	}
	f.order = append(order, f.order[done:]...)
	return nil
}

// only is the part that some calls make; -1 is none.
func (f *fencing) only(calls ...int32) Problem {
	slices.Sort(calls)
	var some []lockCall
	for _, i := range slices.Compact(calls) {
		if i >= 0 {
			some = append(some, f.p.calls[i])
		}
	}
	return newLockProblem(some)
}

// shown is a call that shows that there was the tenure i.
func (f *fencing) shown(i int) int32 {
	if t := f.tenures[i]; t.hidden {
		return t.sight
	}
	return f.tenures[i].grant
}

// tenureOf is the tenure that a call is about.
func (f *fencing) tenureOf(call int32) int {
	i, _ := slices.BinarySearchFunc(f.tenures, f.p.calls[call].about(), func(t tenure, token uint64) int { return cmp.Compare(t.token, token) })
	return i
}

// part is the part that some calls make, with what tells when their tenures were: of each the grant, a call that found it
// if that is of unknown outcome, and of all but the last the release. Without the others, the hidden tenures of the part
// can have begun with the first acquires of unknown outcome.
func (f *fencing) part(calls ...int32) Problem {
	var about []int
	for _, at := range calls {
		if at >= 0 && f.p.calls[at].about() > 0 {
			about = append(about, f.tenureOf(at))
		}
	}
	slices.Sort(about)
	about = slices.Compact(about)
	last, hidden := slices.Max(append(about, -1)), 0
	for _, i := range about {
		t := f.tenures[i]
		if t.hidden {
			hidden++
			calls = append(calls, t.sight)
		} else {
			calls = append(calls, t.grant)
		}
		if i < last && t.release >= 0 {
			calls = append(calls, t.release)
		}
	}
	calls = append(calls, f.unknown[:min(hidden, len(f.unknown))]...)
	return f.only(calls...)
}

// nowhere is the part that shows that there are too few acquires of unknown outcome for the tenures up to the last: all
// that are hidden, and other calls.
func (f *fencing) nowhere(last int, calls ...int32) Problem {
	for _, t := range f.tenures[:last+1] {
		if t.hidden {
			calls = append(calls, t.sight)
		}
	}
	return f.part(calls...)
}
