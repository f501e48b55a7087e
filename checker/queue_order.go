package checker

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"ordeal/history"
)

// ordered decides a queue in O(n log n), whatever the number of clients, of dequeues that found nothing and of
// operations of unknown outcome. It needs that each element that came out went in once.
//
//  1. What came out did so after its enqueue began. If that has no answer, it has no end either, and nothing more need be
//     known of it; one whose element nobody is known to have taken can come last.
//  2. An element that nobody is known to have taken has vanished, or is still inside. Say they are in the order of
//     the moments by which they had gone in; and so are, in the order of their begins, the dequeues
//     of unknown outcome. Then the kth of the one are taken by the kth of the other, and what is over is
//     not. That loses nothing: such a dequeue is open for ever, so of it only matters when it began. And
//     what has to be out by some moment, since one behind it is out or since the queue was found empty, is all that had gone in
//     by another moment: so many, the first in this order. They can be out iff as many dequeues had begun.
//  3. Now every element goes in during one interval and comes out during another. Without the dequeues that
//     found nothing there is a legal order iff no a had gone in before b began to, while b had come out before a
//     began to. (Bouajjani, Emmi, Enea & Hamza, ICALP 2015. That two elements are enough to look at is since
//     the intervals' orders have no 2+2: of a longer cycle in both orders two make one.)
//  4. From the moment by which it had gone in to that at which it began to come out, an element was inside for certain.
//     A dequeue that found nothing needs a moment that is in none of these open spans (as in Lee &
//     Mathur, arXiv 2410.04581); one such moment each is enough.
//
// The order: elements by the latest begin of their dequeues and of those whose elements went in before them, see
// sequence. Each goes in as late, and comes out as early, as that lets it; so the queue holds something only
// in the spans of step 4, and every dequeue that found nothing has its place.
//
// It looks at ctx between these three, each of which is short.
func (p *queueProblem) ordered(ctx context.Context, _ int64) Answer {
	f := newFIFO(p)
	if ctx.Err() != nil {
		return Answer{Result: outOfTime}
	}
	switch b := f.breach(); {
	case b != nil:
		return Answer{Result: illegal, Part: f.part(b)}
	case ctx.Err() != nil:
		return Answer{Result: outOfTime}
	case f.twice != none:
		return Answer{Result: unfit, Why: fmt.Sprintf("%s was enqueued more than once", history.ValueLabel(p.values[f.twice]))}
	default:
		return Answer{Result: legal, Order: f.order()}
	}
}

// inside is an element that went in and, it may be, came out.
type inside struct {
	in, out          int32         // its calls; out is -1 if it never came out
	rank             int32         // 0 if somebody is known to have taken it; of those that vanished, from 1, by goneIn
	goesIn, goneIn   time.Duration // it went in between these
	goesOut, goneOut time.Duration // and came out between these; both are Never if it did not
	late             time.Duration // goesOut, or the latest of those that had gone in before it
}

// What a fifo allocates, by TestOrdersHoldWhatTheySay: 129 bytes a call, and a use an element.
const (
	fifoBytes        = 144
	fifoElementBytes = 16
)

// fifo is a queue's elements and what is known of them.
type fifo struct {
	p        *queueProblem
	elements []inside     // by goesIn
	byGoneIn []int32      // elements
	vanished []int32      // those of them that nobody is known to have taken
	open     []int32      // calls: dequeues of unknown outcome, by begin
	nothing  []int32      // calls: dequeues that found nothing
	absurd   *queueBreach // an element that shows by itself that there is no legal order
	twice    value        // that went in more than once and came out, which is not covered; or none
}

func newFIFO(p *queueProblem) *fifo {
	f := &fifo{p: p, twice: none}
	f.gather()
	if f.absurd != nil {
		return f
	}
	slices.SortFunc(f.elements, func(a, b inside) int { return cmp.Compare(a.goesIn, b.goesIn) })
	f.byGoneIn = sortedBy(len(f.elements), func(i int32) time.Duration { return f.elements[i].goneIn })
	slices.SortFunc(f.open, func(a, b int32) int { return cmp.Compare(p.calls[a].begin, p.calls[b].begin) })
	for _, i := range f.byGoneIn {
		e := &f.elements[i]
		if e.out >= 0 {
			continue
		}
		if k := len(f.vanished); k < len(f.open) {
			e.out = f.open[k]
			e.goesOut = max(p.calls[e.out].begin, e.goesIn)
		}
		f.vanished = append(f.vanished, i)
		e.rank = int32(len(f.vanished))
	}
	return f
}

// gather is step 1.
func (f *fifo) gather() {
	type use struct{ ins, outs, in, out int32 } // how many, and the first of them
	uses := make([]use, len(f.p.values))
	for i := range f.p.calls {
		c := &f.p.calls[i]
		switch {
		case c.in != none:
			u := &uses[c.in]
			if u.ins++; u.ins == 1 {
				u.in = int32(i)
			}
		case c.out > null:
			u := &uses[c.out]
			if u.outs++; u.outs == 1 {
				u.out = int32(i)
			}
		case c.out == null:
			f.nothing = append(f.nothing, int32(i))
		default:
			f.open = append(f.open, int32(i))
		}
	}
	for v, u := range uses {
		switch {
		case u.outs > u.ins:
			f.absurd = &queueBreach{kind: takenTooOften, element: value(v)}
			return
		case u.outs > 0 && u.ins > 1:
			f.twice = value(v)
		case u.outs > 0 && f.p.calls[u.out].end < f.p.calls[u.in].begin:
			f.absurd = &queueBreach{kind: takenTooEarly, element: value(v)}
			return
		}
	}
	f.elements = make([]inside, 0, len(f.p.values))
	for i := range f.p.calls {
		c := &f.p.calls[i]
		if c.in == none {
			continue
		}
		e := inside{in: int32(i), out: -1, goesIn: c.begin, goneIn: c.end, goesOut: history.Never, goneOut: history.Never}
		switch u := uses[c.in]; {
		case u.outs == 1 && u.ins == 1:
			d := &f.p.calls[u.out]
			e.out, e.goesOut, e.goneOut = u.out, max(d.begin, c.begin), d.end
		case u.outs > 0:
			continue
		}
		f.elements = append(f.elements, e)
	}
}

// sortedBy is 0 to n-1 in the order of a time of theirs.
func sortedBy(n int, key func(i int32) time.Duration) []int32 {
	type keyed struct {
		key time.Duration
		i   int32
	}
	all := make([]keyed, n)
	for i := range all {
		all[i] = keyed{key(int32(i)), int32(i)}
	}
	slices.SortFunc(all, func(a, b keyed) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Compare(a.i, b.i)
	})
	order := make([]int32, n)
	for i, k := range all {
		order[i] = k.i
	}
	return order
}

// sequence is the order in which elements go in and come out. If a had gone in before b, it is late no later than
// b and began to go in earlier; if a had come out before b, it is late no later than its dequeue ended, as step 3 found,
// which is before b is.
func (f *fifo) sequence() []int32 {
	return sortedBy(len(f.elements), func(i int32) time.Duration { return f.elements[i].late })
}

// order is the linearization. Each element has a moment at which it comes out, and one by which it is in, or it goes in just before
// it comes out; each dequeue that found nothing has a moment. Of one moment there come first the elements that are
// out by then, then the dequeues that found nothing, then the elements that stay.
func (f *fifo) order() []int32 {
	seq := f.sequence()
	enters := make([]time.Duration, len(seq)) // when it goes in, at the latest
	latest := time.Duration(math.MaxInt64)
	for k := len(seq) - 1; k >= 0; k-- {
		latest = min(latest, f.elements[seq[k]].goneIn)
		enters[k] = latest
	}
	order := make([]int32, 0, len(f.p.calls))
	in, out := 0, 0 // how many have gone in, and come out
	until := func(t time.Duration) {
		for ; out < len(seq) && f.elements[seq[out]].late <= t; out++ {
			e := &f.elements[seq[out]]
			for in < len(seq) && (in <= out || enters[in] < e.late) {
				order = append(order, f.elements[seq[in]].in)
				in++
			}
			order = append(order, e.out)
		}
	}
	for _, n := range f.moments() {
		until(n.at)
		order = append(order, n.call)
	}
	until(history.Never - 1)
	for ; in < len(seq); in++ {
		order = append(order, f.elements[seq[in]].in)
	}
	return order
}

// moment is one at which a dequeue found nothing.
type moment struct {
	at   time.Duration
	call int32
}

// moments gives each dequeue that found nothing the first moment of its interval at which nothing need be inside.
func (f *fifo) moments() []moment {
	spans := f.spans()
	all := make([]moment, len(f.nothing))
	for i, n := range f.nothing {
		all[i] = moment{spans.free(f.p.calls[n].begin), n}
	}
	slices.SortFunc(all, func(a, b moment) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.call, b.call)) })
	return all
}

// openSpan is an interval of time without its ends.
type openSpan struct{ from, to time.Duration }

// openSpans do not overlap, and are in order.
type openSpans []openSpan

// spans is when something was inside for certain.
func (f *fifo) spans() openSpans {
	var all openSpans
	if len(f.nothing) == 0 {
		return nil
	}
	for _, i := range f.byGoneIn {
		e := &f.elements[i]
		switch n := len(all); {
		case e.goneIn >= e.goesOut:
		case n > 0 && e.goneIn < all[n-1].to:
			all[n-1].to = max(all[n-1].to, e.goesOut)
		default:
			all = append(all, openSpan{e.goneIn, e.goesOut})
		}
	}
	return all
}

// free is the first moment at or after t that is in none of s.
func (s openSpans) free(t time.Duration) time.Duration {
	k := sort.Search(len(s), func(k int) bool { return s[k].from >= t }) - 1
	if k >= 0 && s[k].to > t {
		return s[k].to
	}
	return t
}
