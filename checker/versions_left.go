package checker

import (
	"cmp"
	"slices"
	"time"
)

// leftover is a sequence of calls of which some were taken. From any place, those next to it that are left are found in
// nearly constant time, since the way over taken ones is shortened whenever it is gone (path halving: Tarjan & van
// Leeuwen, JACM 31(2), 1984).
type leftover struct {
	calls    []int32
	down, up []int32 // by place, from 1: itself, or if it was taken one that is nearer to the next that is left
}

func newLeftover(calls []int32) leftover {
	l := leftover{calls: calls, down: make([]int32, len(calls)+2)}
	for i := range l.down {
		l.down[i] = int32(i)
	}
	l.up = slices.Clone(l.down)
	return l
}

func nextLeft(way []int32, place int) int {
	for way[place] != int32(place) {
		way[place] = way[way[place]]
		place = int(way[place])
	}
	return place
}

// reach is how many calls that make a value are looked at, and how many values on the way to one.
const reach = 32

// nearby goes over the calls that are left on both sides of a place.
type nearby struct {
	v             *versioning
	l             *leftover
	from, to      int // of the sequence
	down, up      int // places, from 1, that are looked at next
	before, after int // so many more at most
	deadline      time.Duration
}

// next is the next call: of those that began by begin the last first, and then of the others, those by deadline, the first
// first. At the end it is -1.
func (n *nearby) next() int32 {
	if n.before > 0 {
		if i := nextLeft(n.l.down, n.down); i > n.from {
			n.before, n.down = n.before-1, i-1
			return n.l.calls[i-1]
		}
		n.before = 0
	}
	if n.after > 0 {
		if i := nextLeft(n.l.up, n.up); i <= n.to && n.v.calls[n.l.calls[i-1]].begin <= n.deadline {
			n.after, n.up = n.after-1, i+1
			return n.l.calls[i-1]
		}
		n.after = 0
	}
	return -1
}

func (l *leftover) take(place int) {
	l.down[place+1], l.up[place+1] = int32(place), int32(place+2)
}

// leave makes the sequences of what is of unknown outcome.
func (v *versioning) leave(unknown []int32) {
	v.all = newLeftover(unknown)
	v.byValue = newLeftover(slices.Clone(unknown))
	slices.SortFunc(v.byValue.calls, func(a, b int32) int {
		return cmp.Or(cmp.Compare(v.calls[a].writes, v.calls[b].writes), cmp.Compare(a, b))
	})
}

// take is the end of a call's being of unknown outcome.
func (v *versioning) take(at int32) {
	place, _ := slices.BinarySearch(v.all.calls, at)
	v.all.take(place)
	place, _ = slices.BinarySearchFunc(v.byValue.calls, at, func(a, b int32) int {
		return cmp.Or(cmp.Compare(v.calls[a].writes, v.calls[b].writes), cmp.Compare(a, b))
	})
	v.byValue.take(place)
}

// makersOf is where in byValue the calls that make a value are.
func (v *versioning) makersOf(of value) (from, to int) {
	byWrites := func(at int32, of value) int { return cmp.Compare(v.calls[at].writes, of) }
	from, _ = slices.BinarySearchFunc(v.byValue.calls, of, byWrites)
	to, _ = slices.BinarySearchFunc(v.byValue.calls, of+1, byWrites)
	return from, to
}

// makers are calls of unknown outcome that make a value, the best first: that began last by begin, or else soon after.
func (v *versioning) makers(of value, begin, deadline time.Duration) nearby {
	from, to := v.makersOf(of)
	return v.near(&v.byValue, from, to, begin, deadline)
}

func (v *versioning) near(l *leftover, from, to int, begin, deadline time.Duration) nearby {
	at, _ := slices.BinarySearchFunc(l.calls[from:to], begin, func(at int32, begin time.Duration) int {
		if v.calls[at].begin <= begin {
			return -1
		}
		return 1
	})
	at += from
	return nearby{v: v, l: l, from: from, to: to, down: at, up: at + 1, before: reach, after: reach, deadline: deadline}
}

// made tells whether a call of unknown outcome that is not in the order, and began by deadline, makes value.
func (v *versioning) made(value value, deadline time.Duration) bool {
	from, to := v.makersOf(value)
	i := nextLeft(v.byValue.up, from+1)
	return i <= to && v.calls[v.byValue.calls[i-1]].begin <= deadline
}
