package checker

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// wgl searches a linearization of calls, for any machine: Wing & Gong's search (J. Parallel Distrib.
// Comput. 17, 1993) with Lowe's memory of configurations (Concurrency Comput. 29(4), 2017). It differs from
// Porcupine in four ways:
//
//   - A configuration (which calls are done, and the state) is kept as a fingerprint of 128 bits and not
//     as a set of bits, so memory does not grow with the square of the calls. Two that look alike would
//     cut off a branch: that can hide a legal order, never make one, and convictions are confirmed by Porcupine.
//   - A call that never changes the state and is possible now is done now: whatever order it
//     has a place in later, it can be moved to the front of.
//   - A call that may not have happened is tried after all others, and never where it changes nothing.
//   - The search ends when all calls that must have happened are done.
//
// It holds at most memory bytes: for each call, wglCallBytes; for each configuration, its fingerprint; and the states on the way
// to the present one.
func wgl[C any, P timed[C], S any](ctx context.Context, calls []C, m machine[C, S], memory int64) ([]int32, result) {
	room := memory - wglCallBytes*int64(len(calls))
	if room < 0 {
		return nil, outOfMemory
	}
	w := wglSearch[C, P, S]{
		calls: calls, m: m, stack: make([]wglFrame[S], 0, len(calls)), seen: newFingerprints(len(calls)), room: room,
	}
	w.lay()
	return w.run(ctx)
}

// wglCallBytes is what a search holds for each call whatever it finds: two edges, which are garbage when the rest is made,
// two events, a frame with the largest state, four slots for fingerprints, and its place in the order.
const wglCallBytes = 2*16 + 4 + 2*20 + 56 + 4*16 + 4

// searchBytes is what an engine that searches holds for each call, with copies of the calls and tables of their values. What is more
// than wglCallBytes is within what the search counts too much: the slots of its first fingerprints, twice.
const searchBytes = 256

// wglEvent is the begin or the end of a call in a list of those that are not done yet.
type wglEvent struct {
	call       int32
	end        bool
	prev, next int32
	other      int32 // the end of a begin; -1 if it has none
}

// wglFrame is a call that was done and what there was before.
type wglFrame[S any] struct {
	event  int32 // its begin
	state  S
	set    [2]uint64
	forced bool // nothing else needs to be tried in its place
}

type wglSearch[C any, P timed[C], S any] struct {
	calls  []C
	m      machine[C, S]
	events []wglEvent // the first is the head of the list
	left   int        // calls that must have happened and are not done
	stack  []wglFrame[S]
	seen   fingerprints
	room   int64 // bytes that it may still take
	work   int64 // steps and bytes since it last looked at its context
}

// lay makes the list, by time; of one moment begins come first, since intervals are closed.
func (w *wglSearch[C, P, S]) lay() {
	type edge struct {
		at   time.Duration
		call int32
		end  bool
	}
	edges := make([]edge, 0, 2*len(w.calls))
	for i := range w.calls {
		at := P(&w.calls[i]).when()
		edges = append(edges, edge{at.begin, int32(i), false})
		if !at.maybe {
			w.left++
			edges = append(edges, edge{at.end, int32(i), true})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		if c := cmp.Compare(a.at, b.at); c != 0 || a.end == b.end {
			return cmp.Or(c, cmp.Compare(a.call, b.call))
		} else if b.end {
			return -1
		}
		return 1
	})
	begins := make([]int32, len(w.calls))
	w.events = make([]wglEvent, 1, len(edges)+1)
	w.events[0] = wglEvent{call: -1, prev: -1, next: 1, other: -1}
	for i, e := range edges {
		at := int32(i + 1)
		w.events = append(w.events, wglEvent{call: e.call, end: e.end, prev: at - 1, next: at + 1, other: -1})
		if e.end {
			w.events[begins[e.call]].other = at
		} else {
			begins[e.call] = at
		}
	}
	w.events[len(edges)].next = -1
}

func (w *wglSearch[C, P, S]) run(ctx context.Context) ([]int32, result) {
	state, set := w.m.start, [2]uint64{}
	at, unsure := w.events[0].next, false
	for w.left > 0 {
		if w.expired(ctx, state) {
			return nil, outOfTime
		}
		if at < 0 || w.events[at].end { // no further call can be next
			if !unsure {
				at, unsure = w.events[0].next, true
				continue
			}
			f, ok := w.back(state)
			if !ok {
				return nil, illegal
			}
			state, set = f.state, f.set
			at, unsure = w.events[f.event].next, P(&w.calls[w.events[f.event].call]).when().maybe
			continue
		}
		next, nextSet, ok := w.try(at, unsure, state, set)
		if !ok {
			at = w.events[at].next
			continue
		}
		c := &w.calls[w.events[at].call]
		if w.room -= fingerprintBytes + w.m.adds(c, next); w.room < 0 {
			return nil, outOfMemory
		}
		w.stack = append(w.stack, wglFrame[S]{event: at, state: state, set: set, forced: w.m.reads(c)})
		w.lift(at)
		state, set = next, nextSet
		at, unsure = w.events[0].next, false
	}
	order := make([]int32, len(w.stack))
	for i, f := range w.stack {
		order[i] = w.events[f.event].call
	}
	return order, legal
}

// try does the call that begins at event at, unless it is not its turn, not possible, or leads to what was seen.
func (w *wglSearch[C, P, S]) try(at int32, unsure bool, state S, set [2]uint64) (S, [2]uint64, bool) {
	i := w.events[at].call
	c := &w.calls[i]
	maybe := P(c).when().maybe
	if maybe != unsure {
		return state, set, false
	}
	next, ok := w.m.step(state, c)
	if !ok || maybe && w.m.equal(state, next) {
		return state, set, false
	}
	set[0] ^= scatter(uint64(i)*2 + 1)
	set[1] ^= scatter(uint64(i)*2 + 2)
	h := w.m.hash(next)
	key := [2]uint64{set[0] + scatter(h), set[1] ^ scatter(h+0x9e3779b97f4a7c15)}
	return next, set, w.seen.add(key)
}

// expired tells whether ctx is done; it looks after every 4,096 steps, or as long as it takes to make, compare and hash a MiB
// of states.
func (w *wglSearch[C, P, S]) expired(ctx context.Context, state S) bool {
	const step, look = 256, 1 << 20
	w.work += step
	if w.m.size != nil {
		w.work += w.m.size(state)
	}
	if w.work < look {
		return false
	}
	w.work = 0
	return ctx.Err() != nil
}

// back undoes calls up to and including the last one in whose place another may be tried. What state and those before it held
// is free again.
func (w *wglSearch[C, P, S]) back(state S) (f wglFrame[S], ok bool) {
	for len(w.stack) > 0 {
		f = w.stack[len(w.stack)-1]
		w.stack[len(w.stack)-1] = wglFrame[S]{} // so that its state can go
		w.stack = w.stack[:len(w.stack)-1]
		w.room += w.m.adds(&w.calls[w.events[f.event].call], state)
		state = f.state
		w.unlift(f.event)
		if !f.forced {
			return f, true
		}
	}
	return f, false
}

// lift takes a call out of the list, unlift puts it back; they nest.
func (w *wglSearch[C, P, S]) lift(begin int32) {
	w.unlink(begin)
	if end := w.events[begin].other; end >= 0 {
		w.left--
		w.unlink(end)
	}
}

func (w *wglSearch[C, P, S]) unlift(begin int32) {
	if end := w.events[begin].other; end >= 0 {
		w.left++
		w.relink(end)
	}
	w.relink(begin)
}

func (w *wglSearch[C, P, S]) unlink(i int32) {
	e := &w.events[i]
	w.events[e.prev].next = e.next
	if e.next >= 0 {
		w.events[e.next].prev = e.prev
	}
}

func (w *wglSearch[C, P, S]) relink(i int32) {
	e := &w.events[i]
	w.events[e.prev].next = i
	if e.next >= 0 {
		w.events[e.next].prev = i
	}
}

// scatter is the finalizer of splitmix64 (Steele, Lea & Flood, OOPSLA 2014): a bijection that leaves no pattern.
func scatter(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
