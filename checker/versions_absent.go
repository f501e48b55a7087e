package checker

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// seating puts looks at an absent key between the calls of an order. Place i is before call i.
type seating struct {
	v      *versioning
	order  []int32
	states []value         // by place
	latest []time.Duration // by place: the last begin of the calls before it
	ends   []time.Duration // by place: the first end of the calls from it on
	gaps   []absence       // that are not made yet, by place
	next   int             // place up to which the calls are in v's order
}

// absence is a place where a call of unknown outcome must have made the key absent.
type absence struct {
	place           int
	begin, deadline time.Duration // of that call: see bring
}

// seat puts the looks at an absent key between the calls that are in order already.
func (v *versioning) seat() bool {
	s := seating{v: v, order: v.order, ends: v.ends(v.order)}
	s.measure()
	if !s.findGaps() {
		return false
	}
	v.begin(len(v.calls))
	for _, at := range v.absent {
		for s.ends[s.next] < v.calls[at].begin || v.state != null {
			if !s.step() {
				v.failed = v.calls[at].index
				return false
			}
		}
		if !v.put(at) {
			return false
		}
	}
	for s.next < len(s.order) {
		if !s.step() {
			return false
		}
	}
	return true
}

// step makes a gap or puts a call; it is false if that is not possible.
func (s *seating) step() bool {
	if len(s.gaps) > 0 && s.gaps[0].place == s.next {
		g := s.gaps[0]
		s.gaps = s.gaps[1:]
		_ = s.v.bring(null, g.begin, g.deadline) // if it cannot be, the look that needs it has no place
		return true
	}
	if s.next == len(s.order) || !s.v.follow(s.order[s.next], s.ends[s.next]) {
		return false
	}
	s.next++
	return true
}

func (s *seating) measure() {
	n := len(s.order)
	s.states, s.latest = make([]value, n+1), make([]time.Duration, n+1)
	s.states[0], s.latest[0] = null, math.MinInt64
	for i, at := range s.order {
		c := &s.v.calls[at]
		s.states[i+1], s.latest[i+1] = s.states[i], max(s.latest[i], c.begin)
		if c.writes != none {
			s.states[i+1] = c.writes
		}
	}
}

// findGaps finds where looks have no place, and chooses gaps for them, as few as will do: by end, and for each the last
// place that is in time (so intervals are stabbed with the fewest points). It is false if there is none.
func (s *seating) findGaps() bool {
	type look struct {
		at, first int32
	}
	var lost []look
	first, absent := 0, 0
	for _, at := range s.v.absent {
		c := &s.v.calls[at]
		for s.ends[first] < c.begin {
			first++
		}
		for absent = max(absent, first); absent < len(s.states) && s.states[absent] != null; {
			absent++
		}
		if absent == len(s.states) || s.latest[absent] > c.end {
			lost = append(lost, look{at, int32(first)})
		}
	}
	slices.SortStableFunc(lost, func(a, b look) int { return cmp.Compare(s.v.calls[a.at].end, s.v.calls[b.at].end) })
	byPlace := func(g absence, place int) int { return cmp.Compare(g.place, place) }
	for _, l := range lost {
		c := &s.v.calls[l.at]
		last, _ := slices.BinarySearch(s.latest, c.end+1)
		last-- // the last place before which nothing began after c
		i, _ := slices.BinarySearchFunc(s.gaps, int(l.first), byPlace)
		if i < len(s.gaps) && s.gaps[i].place <= last {
			continue
		}
		g, ok := s.gapBetween(int(l.first), last, c)
		if !ok {
			s.v.failed = c.index
			return false
		}
		s.gaps = slices.Insert(s.gaps, i, g)
	}
	return true
}

// gapBetween is the last place for a gap that look needs: before a call that does not care what it finds, or whose
// value another of unknown outcome can have brought back.
func (s *seating) gapBetween(first, last int, look *call) (absence, bool) {
	for i := last; i >= first; i-- {
		deadline := min(look.end, s.ends[i])
		careless := i == len(s.order) || s.v.calls[s.order[i]].reads == none
		if s.v.made(null, deadline) && (careless || s.v.made(s.states[i], s.ends[i])) {
			return absence{i, look.begin, deadline}, true
		}
	}
	return absence{}, false
}

// made tells whether a call of unknown outcome that is not in the order, and began by deadline, makes value.
func (v *versioning) made(value value, deadline time.Duration) bool {
	calls := v.unknown[value]
	return len(calls) > 0 && v.calls[calls[0]].begin <= deadline
}
