package adya

import "slices"

// step says why a transaction of a cycle must come before another.
type step struct {
	from, to int32
	label    label
}

// class is a kind of cycle, by the edges that it has: one that closes it, and those that lead back. rule is its name.
type class struct {
	rule  string
	close kind
	back  mask
}

// classes are the kinds of cycles, the most damning first: Adya's, then the same against real time (Elle's
// -realtime). G1c is information that flows in a circle; G-single has one anti-dependency, a read of a state
// that another had replaced; G2 has several.
func classes() []class {
	return []class{
		{"write cycle (G0)", ww, only(ww)},
		{"circular information flow (G1c)", wr, only(ww, wr)},
		{"read skew (G-single)", rw, only(ww, wr)},
		{"anti-dependency cycle (G2)", rw, only(ww, wr, rw)},
		{"writes against real time (G0-realtime)", ww, only(ww, rt)},
		{"information against real time (G1c-realtime)", wr, only(ww, wr, rt)},
		{ruleStale, rw, only(ww, wr, rt)},
		{"anti-dependency cycle against real time (G2-realtime)", rw, only(ww, wr, rw, rt)},
	}
}

// searchSteps bounds the edges that one class's search in one component looks at. Beyond them a cycle of the class
// may be missed, and the component is convicted of a lesser one.
const searchSteps = 5_000_000

// cycleSearch looks for short cycles in a component.
type cycleSearch struct {
	*graph
	tarjan *tarjan
	txnOf  []txn
	of     []int32 // the component of each node
	seen   []int32 // by node: the number of the search that has seen it last
	parent []edge  // by node: where that search came from (edge.to), and why
	search int32
	steps  int
	stop   func() bool
	room   int // for so many closing edges
}

// newCycleSearch makes one that holds memory bytes at most beside its nodes, if not in vain.
func newCycleSearch(g *graph, txns []txn, of []int32, memory int64, stop func() bool) *cycleSearch {
	const perStep = 12 + 2*12 // a list that grows is there twice
	room := int(min(searchSteps, max(1, memory/perStep)))
	return &cycleSearch{graph: g, tarjan: newTarjan(g, 0), txnOf: txns, of: of, seen: make([]int32, g.nodes), parent: make([]edge, g.nodes), stop: stop, room: room}
}

// find finds a cycle in a component, which has one: of the most damning class, and the shortest of that class, as
// far as the bound allows. It is nil only if the time is over.
func (s *cycleSearch) find(component []int32, classes []class) []step {
	for i := range classes {
		c := &classes[i]
		closing := s.closing(component, c.close)
		if c.back.has(c.close) && len(closing) > 0 {
			// Then an edge closes a cycle iff its ends are in one component with these edges alone.
			part := s.tarjan.parts(c.back, component, s.of, s.stop)
			closing = slices.DeleteFunc(closing, func(st step) bool { return part.of[st.from] != part.of[st.to] })
		}
		s.steps = searchSteps
		if cycle := s.shortest(closing, c); cycle != nil {
			return cycle
		}
	}
	// The bound was too small for all of them. Any edge of a component is on a cycle.
	s.steps = 1 << 62
	for i := len(classes) - 1; i >= 0; i-- {
		if closing := s.closing(component, classes[i].close); len(closing) > 0 {
			if cycle := s.back(closing[0], len(component), &classes[i]); cycle != nil {
				return cycle
			}
		}
	}
	return nil
}

// closing are the edges of a kind within a component, as many as there is room for, and one if there is any. Those
// through an auxiliary node are made one.
func (s *cycleSearch) closing(component []int32, k kind) []step {
	var all []step
	beyond := map[int32][]int32{} // by auxiliary node: where it leads to within the component
	for n, u := range component {
		for i := int32(0); ; {
			e, ok := s.next(u, &i, only(k))
			if !ok {
				break
			}
			if s.of[e.to] != s.of[u] {
				continue // and if it is an auxiliary node, so is all behind it that leads back
			}
			targets := []int32{e.to}
			if e.to >= s.txns {
				if _, known := beyond[e.to]; !known {
					beyond[e.to] = s.within(e.to)
				}
				targets = beyond[e.to]
			}
			for _, to := range targets {
				if to != u {
					all = append(all, step{u, to, e.label})
				}
				if len(all) >= s.room {
					return all
				}
			}
		}
		if n%(1<<12) == 0 && s.stop() {
			return all
		}
	}
	return all
}

// within are the transactions that an auxiliary node leads to, and that are in its component.
func (s *cycleSearch) within(aux int32) (targets []int32) {
	for i := int32(0); ; {
		e, ok := s.next(aux, &i, 0)
		if !ok {
			return targets
		}
		if s.of[e.to] == s.of[aux] {
			targets = append(targets, e.to)
		}
	}
}

// shortest finds the shortest cycle of a class. It looks for all short ones before any long one, so that a long
// search is only made where there is no short cycle.
func (s *cycleSearch) shortest(closing []step, c *class) []step {
	if c.back.has(rt) {
		for _, st := range closing {
			if s.txnOf[st.to].end < s.txnOf[st.from].begin {
				return []step{st, {st.to, st.from, labelOf(rt, 0)}}
			}
		}
	}
	for limit := 1; limit < 1<<30; limit *= 2 {
		var best []step
		for _, st := range closing {
			room := limit
			if best != nil {
				room = len(best) - 2 // only what is shorter
			}
			if cycle := s.back(st, room, c); cycle != nil {
				best = cycle
			}
			if s.steps <= 0 || best != nil && len(best) <= limit/2+2 {
				break
			}
		}
		if best != nil || s.steps <= 0 || limit > len(s.txnOf) {
			return best
		}
	}
	return nil
}

// back completes a closing edge to a cycle with a shortest path of at most hops transactions, or returns nil.
// Moments and auxiliary nodes count nothing.
func (s *cycleSearch) back(st step, hops int, c *class) []step {
	s.search++
	s.steps-- // it may lead nowhere
	within := s.of[st.from]
	level, following := []int32{st.to}, []int32(nil)
	s.seen[st.to] = s.search
	for ; hops > 0 && len(level) > 0; hops-- {
		for len(level) > 0 {
			v := level[len(level)-1]
			level = level[:len(level)-1]
			for i := int32(0); ; {
				e, ok := s.next(v, &i, c.back)
				if !ok {
					break
				}
				if s.steps--; s.steps <= 0 || s.steps%(1<<16) == 0 && s.stop() {
					s.steps = min(s.steps, 0)
					return nil
				}
				if s.of[e.to] != within || s.seen[e.to] == s.search {
					continue
				}
				s.seen[e.to], s.parent[e.to] = s.search, edge{v, e.label}
				switch {
				case e.to == st.from:
					return s.trace(st)
				case e.to < s.txns:
					following = append(following, e.to)
				default:
					level = append(level, e.to)
				}
			}
		}
		level, following = following, level
	}
	return nil
}

// trace reads the path that a search has found. Of an auxiliary node or moments between two transactions the first
// edge is kept, which says why.
func (s *cycleSearch) trace(st step) []step {
	cycle := []step{st}
	for at := st.from; at != st.to; {
		to := at
		why := s.parent[at]
		for at = why.to; at >= s.txns; at = why.to {
			why = s.parent[at]
		}
		cycle = append(cycle, step{at, to, why.label})
	}
	slices.Reverse(cycle[1:])
	return s.shorten(cycle)
}

// shorten leaves out transactions of a cycle that two edges of one key pass by: what is appended to a list stays in
// front of all that is appended later.
func (s *cycleSearch) shorten(cycle []step) []step {
	for i := 0; i < len(cycle) && len(cycle) > 2; {
		a, b := cycle[i], cycle[(i+1)%len(cycle)]
		past, ok := passing(a.label, b.label)
		if !ok {
			i++
			continue
		}
		cycle[i] = step{a.from, b.to, past}
		cycle = slices.Delete(cycle, (i+1)%len(cycle), (i+1)%len(cycle)+1)
		i = 0
	}
	return cycle
}

// passing is the one edge that says as much as two, one behind the other, if there is one.
func passing(a, b label) (past label, ok bool) {
	switch k, l := a.kind(), b.kind(); {
	case a.key() != b.key():
		return 0, false
	case l == ww && (k == ww || k == rw):
		return a, true
	default:
		return b, k == ww && l == wr
	}
}

// classOf is the class of a cycle, by the edges that it turned out to have.
func classOf(cycle []step) class {
	var n [kinds]int
	for _, st := range cycle {
		n[st.label.kind()]++
	}
	i := 0
	switch {
	case n[rw] > 1:
		i = 3
	case n[rw] == 1:
		i = 2
	case n[wr] > 0:
		i = 1
	}
	if n[rt] > 0 {
		i += 4
	}
	return classes()[i]
}
