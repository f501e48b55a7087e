package checker

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// searched simplifies and then searches. Each step keeps the answer, and a legal order of what is left is one of
// all; v is *unique* if exactly one call, or the
// initial state, can produce it. All that is seen of a register is positive: a call finds v, also
// when a cas fails, which tells what it found. The one exception is a cas of unknown outcome, which
// has no effect if it does not find its old value; such a call returns at Never and may be put last.
//
//  1. Settle. If a definite call finds v and v is unique, its producer took effect: it becomes
//     definite, and so in turn what it finds.
//  2. Drop a write or cas of unknown outcome whose value no remaining call finds, transitively along
//     cas. Without them a legal order stays legal: a call that finds v does so because the last
//     effective producer before it produced v, so that one remains and is still the last.
//     With them: they go last. (This would be unsound if a failed cas did not tell what it found:
//     w(1) ok; w(2) unknown; cas(1→3) "mismatch" is legal only with w(2).)
//  3. Tighten. If v is unique, its producer is before all that find it: it ends no later than the
//     first of them ends, and they begin no earlier than it begins. (Without this an unknown write
//     is open for ever, and every later operation is concurrent with it.) A call that has to end
//     before it begins proves that there is no legal order.
//
// Steps 2 and 3 are in the folklore of etcd's robustness tests.
func (p *registerProblem) searched(ctx context.Context, memory int64) Answer {
	s := simplifier{calls: slices.Clone(p.calls)}
	if !s.index(len(p.values)) || !s.settle() {
		return Answer{Result: illegal}
	}
	s.drop()
	if !s.index(len(p.values)) || !s.tighten() {
		return Answer{Result: illegal}
	}
	order, r := wgl(ctx, s.calls, register(), memory)
	return Answer{Result: r, Order: places(order, s.calls, p.calls)}
}

// simplifier works on a copy of the calls.
type simplifier struct {
	calls     []call
	producers []int32 // by value: how many can produce it
	producer  []int32 // by value: the last of them; -1 for the initial state
	next      []int32 // by call: the next one that reads the same value; -1 at the end
	readers   []int32 // by value: the first call that reads it
}

// index builds the tables; it is false if a definite call finds what nobody can produce, or if it
// contradicts itself.
func (s *simplifier) index(values int) bool {
	s.producers, s.producer = make([]int32, values), make([]int32, values)
	s.readers, s.next = make([]int32, values), make([]int32, len(s.calls))
	for v := range values {
		s.producer[v], s.readers[v] = -1, -1
	}
	s.producers[null] = 1
	for i, c := range s.calls {
		if c.writes != none {
			s.producers[c.writes]++
			s.producer[c.writes] = int32(i)
		}
		if c.reads != none {
			s.next[i], s.readers[c.reads] = s.readers[c.reads], int32(i)
		}
	}
	for _, c := range s.calls {
		if c.absurd || c.reads != none && !c.maybe && s.producers[c.reads] == 0 {
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
			if at < 0 || !s.calls[at].maybe {
				break
			}
			s.calls[at].maybe = false
			v = s.calls[at].reads
		}
	}
	return true
}

// drop is step 2.
func (s *simplifier) drop() {
	found := make([]bool, len(s.producers))
	var todo []value
	see := func(v value) {
		if v != none && !found[v] {
			found[v] = true
			todo = append(todo, v)
		}
	}
	unknown := map[value][]value{} // value → what the unknown cas that produce it find
	for _, c := range s.calls {
		if !c.maybe {
			see(c.reads)
		} else if c.reads != none {
			unknown[c.writes] = append(unknown[c.writes], c.reads)
		}
	}
	for len(todo) > 0 {
		v := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, u := range unknown[v] {
			see(u)
		}
	}
	s.calls = slices.DeleteFunc(s.calls, func(c call) bool { return c.maybe && !found[c.writes] })
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
			for r := s.readers[s.calls[w].writes]; r >= 0; r = s.next[r] {
				if c := &s.calls[r]; !c.maybe && c.begin < s.calls[w].begin {
					c.begin = s.calls[w].begin
					todo = append(todo, r)
				}
			}
		}
	}
}

func (s *simplifier) sorted(by func(call) time.Duration) []int32 {
	order := make([]int32, len(s.calls))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(by(s.calls[a]), by(s.calls[b])) })
	return order
}
