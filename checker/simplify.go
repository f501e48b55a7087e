package checker

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// searched simplifies and then searches. Each step keeps the answer, and a legal order of what is left is one of
// all; v is *unique* if exactly one call, or the initial state, can produce it. Most that is seen of a register is
// positive: a call finds v, also when a cas fails, which tells what it found. There are two exceptions. A cas of
// unknown outcome has no effect if it does not find its old value; such a call returns at Never and may be put last. And a
// cas may have failed without telling what it found: with one of these, nothing is dropped.
//
//  1. Settle. If a definite call finds v and v is unique, its producer took effect: it becomes
//     definite, and so in turn what it finds.
//  2. Drop a write or cas of unknown outcome whose value no remaining call finds, transitively along
//     cas. Without them a legal order stays legal: a call that finds v does so because the last
//     effective producer before it produced v, so that one remains and is still the last.
//     With them: they go last. (With a failed cas that did not tell what it found this would be unsound:
//     w(1) ok; w(2) unknown; cas(1→3) "mismatch" is legal only with w(2).)
//  3. Tighten. If v is unique, its producer is before all that find it: it ends no later than the
//     first of them ends, and they begin no earlier than it begins. (Without this an unknown write
//     is open for ever, and every later operation is concurrent with it.) A call that has to end
//     before it begins proves that there is no legal order.
//
// Steps 2 and 3 are in the folklore of etcd's robustness tests.
func (p *registerProblem) searched(ctx context.Context, memory int64) Answer {
	s := simplifier{calls: p.calls}
	if !s.index(len(p.values)) || !s.settle() {
		return Answer{Result: illegal}
	}
	if !slices.ContainsFunc(p.calls, call.blind) {
		s.drop()
	}
	if ctx.Err() != nil {
		return Answer{Result: outOfTime}
	}
	calls, from := s.left()
	s = simplifier{calls: calls}
	if !s.index(len(p.values)) || !s.tighten() {
		return Answer{Result: illegal}
	}
	order, r := wgl(ctx, calls, register(), memory)
	for i, at := range order {
		order[i] = from[at]
	}
	return Answer{Result: r, Order: order}
}

// fate is what became of a call.
type fate uint8

const (
	unsure   fate = iota // it may not have happened
	happened             // for certain
	dropped              // nobody can tell
)

// simplifier finds out about calls what their answers do not tell. Only tighten changes them.
type simplifier struct {
	calls     []call
	fates     []fate  // by call
	producers []int32 // by value: how many can produce it
	producer  []int32 // by value: the last of them; -1 for the initial state
	found     []bool  // by value: a call reads it
}

// index builds the tables, at first of all calls, later without those that were dropped; it is false if a call that
// happened finds what nobody can produce, or contradicts itself.
func (s *simplifier) index(values int) bool {
	if s.fates == nil {
		s.fates = make([]fate, len(s.calls))
		for i := range s.calls {
			if !s.calls[i].maybe {
				s.fates[i] = happened
			}
		}
		s.producers, s.producer, s.found = make([]int32, values), make([]int32, values), make([]bool, values)
	}
	clear(s.producers)
	clear(s.found)
	for v := range s.producer {
		s.producer[v] = -1
	}
	s.producers[null] = 1
	for i := range s.calls {
		c := &s.calls[i]
		if s.fates[i] == dropped {
			continue
		}
		if c.writes != none {
			s.producers[c.writes]++
			s.producer[c.writes] = int32(i)
		}
		if c.reads != none {
			s.found[c.reads] = true
		}
	}
	for i := range s.calls {
		c := &s.calls[i]
		if c.absurd() || c.reads != none && s.fates[i] == happened && s.producers[c.reads] == 0 {
			return false
		}
	}
	return true
}

// sole is the only call that can produce v, or -1 if that is the initial state or not one alone.
func (s *simplifier) sole(v value) int32 {
	if v == none || s.producers[v] != 1 {
		return -1
	}
	return s.producer[v]
}

// settle is step 1. It is false if a call that must have happened finds what nobody can produce.
func (s *simplifier) settle() bool {
	for i := range s.calls {
		if s.calls[i].maybe {
			continue
		}
		for v := s.calls[i].reads; v != none; {
			if s.producers[v] == 0 {
				return false
			}
			at := s.sole(v)
			if at < 0 || s.fates[at] == happened {
				break
			}
			s.fates[at] = happened
			v = s.calls[at].reads
		}
	}
	return true
}

// drop is step 2.
func (s *simplifier) drop() {
	unknown := map[value][]value{} // value → what the unknown cas that produce it find
	for i, f := range s.fates {
		if c := &s.calls[i]; f == unsure && c.reads != none {
			unknown[c.writes] = append(unknown[c.writes], c.reads)
		}
	}
	clear(s.found)
	var todo []value
	see := func(v value) {
		if v == none || s.found[v] {
			return
		}
		s.found[v] = true
		if len(unknown[v]) > 0 {
			todo = append(todo, v)
		}
	}
	for i, f := range s.fates {
		if f == happened {
			see(s.calls[i].reads)
		}
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, u := range unknown[v] {
			see(u)
		}
	}
	for i, f := range s.fates {
		if f == unsure && !s.found[s.calls[i].writes] {
			s.fates[i] = dropped
		}
	}
}

// left is a copy of the calls that were not dropped, as they turned out, and where each comes from.
func (s *simplifier) left() (calls []call, from []int32) {
	for i, c := range s.calls {
		if s.fates[i] != dropped {
			c.maybe = s.fates[i] == unsure
			calls, from = append(calls, c), append(from, int32(i))
		}
	}
	return calls, from
}

// tighten is step 3. It is false if a call has to end before it begins.
func (s *simplifier) tighten() bool {
	s.tightenEnds()
	s.tightenBegins()
	return !slices.ContainsFunc(s.calls, func(c call) bool { return c.end < c.begin })
}

// tightenEnds goes through the calls by end, so that each producer gets its least end first.
func (s *simplifier) tightenEnds() {
	for _, i := range s.sorted(func(c call) time.Duration { return c.end }) {
		for !s.calls[i].maybe {
			at := s.sole(s.calls[i].reads)
			if at < 0 || s.calls[at].end <= s.calls[i].end {
				break
			}
			s.calls[at].end = s.calls[i].end
			i = at
		}
	}
}

// tightenBegins goes through the calls by begin, the last first, so that each reader gets its
// greatest begin first.
func (s *simplifier) tightenBegins() {
	readers := s.readers()
	var todo []int32
	order := s.sorted(func(c call) time.Duration { return c.begin })
	for _, i := range slices.Backward(order) {
		todo = append(todo, i)
		for len(todo) > 0 {
			w := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if s.sole(s.calls[w].writes) != w {
				continue
			}
			for r := readers.first[s.calls[w].writes]; r >= 0; r = readers.next[r] {
				if c := &s.calls[r]; !c.maybe && c.begin < s.calls[w].begin {
					c.begin = s.calls[w].begin
					todo = append(todo, r)
				}
			}
		}
	}
}

// lists are the calls that read each value.
type lists struct {
	first []int32 // by value; -1 if there is none
	next  []int32 // by call; -1 at the end
}

func (s *simplifier) readers() lists {
	l := lists{slices.Repeat([]int32{-1}, len(s.producers)), make([]int32, len(s.calls))}
	for i, c := range s.calls {
		if c.reads != none {
			l.next[i], l.first[c.reads] = l.first[c.reads], int32(i)
		}
	}
	return l
}

func (s *simplifier) sorted(by func(call) time.Duration) []int32 {
	order := make([]int32, len(s.calls))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(by(s.calls[a]), by(s.calls[b])) })
	return order
}
