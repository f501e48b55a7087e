package checker

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// seating puts looks without a revision between the calls of an order. Place i is before call i.
type seating struct {
	v      *versioning
	order  []int32
	states []value         // by place
	latest []time.Duration // by place: the last begin of the calls before it
	ends   []time.Duration // by place: the first end of the calls from it on
	absent []int32         // by place: the first from there on where the key is absent
	other  []int32         // by place: the first from there on where the state is another one
	free   []int32         // of places, from 1: itself, or if nothing can be inserted there a lower one (see leftover)
	added  []insertion     // by place, one at each
	seats  []seat
	work   effort
}

// insertion is a call of unknown outcome that is put at a place for the sake of looks there.
type insertion struct {
	place  int
	begin  time.Duration // of the call
	call   int32
	writes value
}

// seat is where a look goes: twice its place, and one more if that is behind the insertion there.
type seat struct {
	look, at int32
}

// seat puts the looks between the calls that are in order already.
func (v *versioning) seat(ctx context.Context) bool {
	s := seating{v: v, order: v.order, latest: begun(v.calls, v.order), ends: due(v.calls, v.order)}
	s.measure()
	byBegin := func(a, b int32) int { return cmp.Compare(v.calls[a].begin, v.calls[b].begin) }
	slices.SortStableFunc(v.looks, byBegin)
	if !s.insert(ctx) || !s.choose(ctx) {
		return false
	}
	slices.SortStableFunc(s.seats, func(a, b seat) int { return cmp.Compare(a.at, b.at) })
	v.begin(len(v.calls))
	next := 0
	follow := func(to int) bool {
		for ; next < to; next++ {
			if v.work.expired(ctx, 1) || !v.follow(s.order[next], s.ends[next]) {
				return false
			}
		}
		return true
	}
	made := int32(-1)
	for _, l := range s.seats {
		if !follow(int(l.at / 2)) {
			return false
		}
		if l.at%2 == 1 && l.at != made {
			made = l.at
			if !v.put(s.added[s.addedFrom(next)].call) {
				v.failed = v.calls[l.look].index
				return false
			}
		}
		if !v.put(l.look) {
			return false
		}
	}
	return follow(len(s.order))
}

func (s *seating) measure() {
	n := len(s.order)
	s.states, s.absent, s.other = make([]value, n+1), make([]int32, n+1), make([]int32, n+1)
	s.states[0] = null
	for i, at := range s.order {
		c := &s.v.calls[at]
		s.states[i+1] = s.states[i]
		if c.writes != none {
			s.states[i+1] = c.writes
		}
	}
	absent, other := int32(n+1), int32(n+1)
	for i := n; i >= 0; i-- {
		if i < n && s.states[i+1] != s.states[i] {
			other = int32(i + 1)
		}
		if s.states[i] == null {
			absent = int32(i)
		}
		s.absent[i], s.other[i] = absent, other
	}
}

// seatOf is the first seat for c from a place and a seat on. Only so many insertions are looked at.
func (s *seating) seatOf(c *call, first int, floor int32) (at int32, ok bool) {
	if from := max(first, int(floor+1)/2); from < len(s.states) {
		var place int
		place, ok = s.place(c, from)
		at = int32(2 * place)
	}
	from := s.addedFrom(max(first, int(floor/2)))
	for _, g := range s.added[from:min(from+reach, len(s.added))] {
		switch {
		case ok && at < int32(2*g.place+1) || s.latest[g.place] > c.end:
			return at, ok
		case c.allows(g.writes) && g.begin <= c.end:
			return int32(2*g.place + 1), true
		}
	}
	return at, ok
}

// place is the first from a place on where a look finds what it found, and whether that is in time.
func (s *seating) place(c *call, from int) (place int, ok bool) {
	place = from
	switch {
	case c.reads == null:
		place = int(s.absent[from])
	case c.refused == s.states[from]:
		place = int(s.other[from])
	}
	return place, place < len(s.latest) && s.latest[place] <= c.end
}

// first is the first place for c from one on: none that ended before c began comes later.
func (s *seating) first(c *call, from int) int {
	for s.ends[from] < c.begin {
		from++
	}
	return from
}

// addedFrom is the first insertion from a place on.
func (s *seating) addedFrom(place int) int {
	i, _ := slices.BinarySearchFunc(s.added, place, func(g insertion, place int) int { return cmp.Compare(g.place, place) })
	return i
}

// insert finds which looks have no place, and chooses insertions for them, as few as will do: by end, and for each
// the last place that is in time (so intervals are stabbed with the fewest points). It is false if there is none.
func (s *seating) insert(ctx context.Context) bool {
	lost := make([]seat, 0, len(s.v.looks))
	first := 0
	for _, at := range s.v.looks {
		c := &s.v.calls[at]
		first = s.first(c, first)
		if _, ok := s.place(c, first); !ok {
			lost = append(lost, seat{at, int32(first)})
		}
	}
	slices.SortStableFunc(lost, func(a, b seat) int { return cmp.Compare(s.v.calls[a.look].end, s.v.calls[b.look].end) })
	s.added = make([]insertion, 0, min(len(lost), len(s.v.all.calls)))
	s.free = make([]int32, len(s.states)+1)
	for i := range s.free {
		s.free[i] = int32(i)
	}
	for _, l := range lost {
		if s.work.expired(ctx, reach) {
			return false
		}
		c := &s.v.calls[l.look]
		if _, ok := s.seatOf(c, int(l.at), 0); !ok && !s.insertFor(ctx, c, int(l.at)) {
			s.v.failed = c.index
			return false
		}
	}
	return true
}

// insertFor makes an insertion from place first on: at the last that is in time and before a call that does not care what
// it finds, or whose value another of unknown outcome can bring back. Only so many such places are tried. Where nothing can be
// inserted, nothing can be later, so such a place is looked at once.
func (s *seating) insertFor(ctx context.Context, look *call, first int) bool {
	last, _ := slices.BinarySearch(s.latest, look.end+1)
	for n := 0; n < reach; last-- {
		last = nextLeft(s.free, last)
		i := last - 1
		if i < first || s.work.expired(ctx, 1) {
			return false
		}
		if !s.careless(i) {
			s.free[last] = int32(i)
			continue
		}
		n++
		s.work += 2 * reach
		if call := s.v.pick(look, s.states[i], look.begin, min(look.end, s.ends[i])); call >= 0 {
			s.v.take(call)
			c := &s.v.calls[call]
			at := s.addedFrom(i)
			s.work += effort(len(s.added) - at) // which are moved
			s.added = slices.Insert(s.added, at, insertion{i, c.begin, call, c.writes})
			s.free[last] = int32(i)
			return true
		}
	}
	return false
}

// careless tells whether it does not matter to the calls from a place on what they find there.
func (s *seating) careless(place int) bool {
	if place == len(s.order) {
		return true
	}
	next := &s.v.calls[s.order[place]]
	return next.reads == none && next.writes != none || s.v.made(s.states[place], s.ends[place])
}

// choose gives each look the first seat where it is possible and not before one that had ended when it began.
func (s *seating) choose(ctx context.Context) bool {
	calls := s.v.calls
	s.seats = make([]seat, len(s.v.looks))
	first, over := 0, newEnded(calls, s.v.looks)
	for i, at := range s.v.looks {
		if expired(ctx, i) {
			return false
		}
		c := &calls[at]
		first = s.first(c, first)
		chosen, ok := s.seatOf(c, first, over.last(c.begin, func(i int32) int32 { return s.seats[i].at }))
		if !ok {
			s.v.failed = c.index
			return false
		}
		s.seats[i] = seat{at, chosen}
	}
	return true
}
