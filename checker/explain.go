package checker

import (
	"cmp"
	"fmt"
	"slices"

	"ordeal/history"
	"ordeal/internal/words"
)

// The rules that a register can break. They come from the zones of Gibbons & Korach (1997): a value
// that is written once is held during one interval, so two values cannot be held before each other.
const (
	rulePhantom     = "phantom read"
	ruleBeforeWrite = "read before write"
	ruleStale       = "stale read"
	ruleInterleaved = "interleaved values"
	ruleLostUpdate  = "lost update"
	ruleOther       = "not linearizable"
)

// Explain implements Problem. A rule is named only if the calls of p show it by themselves: each
// comparison of times in a sentence was made here, and "written once" was counted here.
func (p *registerProblem) Explain(ops []*history.Op) Finding {
	s := newStory(p, ops)
	if len(p.calls) > storyMax {
		return *s.tooLong()
	}
	for _, rule := range [...]func() *Finding{
		s.absurd, s.phantom, s.readBeforeWrite, s.lostUpdate, s.stale, s.replaced, s.wentPast, s.interleaved,
	} {
		if f := rule(); f != nil {
			return *f
		}
	}
	return *s.other()
}

// storyMax is the most operations that rules are looked for in: they compare each with each. Only a core
// that could not be cut down in time has more.
const storyMax = 64

// story is a problem without a legal order, about to be told.
type story struct {
	simplifier // its tables; the times are as they were recorded
	teller
	values  []value
	problem *registerProblem
}

func newStory(p *registerProblem, ops []*history.Op) *story {
	s := &story{problem: p, teller: tellerOf(ops, p.calls)}
	s.calls = slices.Clone(p.calls)
	slices.SortStableFunc(s.calls, func(a, b call) int { return cmp.Compare(a.begin, b.begin) })
	s.index(len(p.values))
	s.settle()
	s.calls, _ = s.left()
	seen := make([]bool, len(p.values))
	for _, c := range s.calls {
		for _, v := range [...]value{c.reads, c.writes} {
			if v != none && !seen[v] {
				seen[v] = true
				s.values = append(s.values, v)
			}
		}
	}
	return s
}

// once tells whether v was written once, or is the initial value and never was.
func (s *story) once(v value) bool { return s.producers[v] == 1 }

// touches tells whether c is in the cluster of v: it happened, and found v or left it behind.
func (c call) touches(v value) bool { return !c.maybe && (c.reads == v || c.writes == v) }

// finds tells whether c happened and found v.
func (c call) finds(v value) bool { return !c.maybe && c.reads == v }

// before returns calls a and b for which a had ended when b began; first and second choose among
// them. Of all such pairs it takes the one with the shortest time between.
func (s *story) before(first, second func(call) bool) (a, b call, ok bool) {
	for _, x := range s.calls {
		if !first(x) {
			continue
		}
		for _, y := range s.calls {
			if second(y) && x.end < y.begin && (!ok || y.begin-x.end < b.begin-a.end) {
				a, b, ok = x, y, true
			}
		}
	}
	return a, b, ok
}

func (s *story) absurd() *Finding {
	for _, c := range s.calls {
		if c.absurd() {
			return s.finding(ruleOther, fmt.Sprintf("%s failed, yet it found %s, which is what it was to replace.",
				s.name(c), s.value(c.reads)), nil, c)
		}
	}
	return nil
}

// phantom: a value was found that no call of the story writes. Since a story never loses writers,
// nobody had begun to write it when the story ends; ops tell whether somebody did later.
func (s *story) phantom() *Finding {
	for _, c := range s.calls {
		if c.reads == none || c.maybe || s.producers[c.reads] > 0 {
			continue
		}
		v := s.value(c.reads)
		found := fmt.Sprintf("%s found %s", s.name(c), v)
		if c.writes == none {
			found = fmt.Sprintf("%s read %s%s", process(s.op(c.index)), v, via(s.op(c.index)))
		}
		refused, later, inTime := s.otherWriters(c)
		switch {
		case inTime:
			return nil // the story has lost its writer, so it shows nothing
		case refused != nil:
			answered := "had been"
			if refused.Return >= c.begin {
				answered = "was"
			}
			f := s.finding(rulePhantom, fmt.Sprintf("%s, but %s %s answered as not applied.", found, nameOp(refused), answered), nil, c)
			f.Ops = append(f.Ops, refused.Index)
			s.sortOps(f)
			return f
		case later != nil:
			return s.beforeWrite(c, call{interval: intervalOf(later), reads: none, writes: c.reads, refused: none})
		default:
			return s.finding(rulePhantom, fmt.Sprintf("%s; nobody ever wrote %s.", found, v), nil, c)
		}
	}
	for _, v := range s.values {
		if c, ok := s.descends(v, v); ok {
			return s.finding(rulePhantom, fmt.Sprintf("%s found %s, which came of itself by cas alone; nobody wrote it first.",
				s.name(c), s.value(v)), nil, c)
		}
	}
	return nil
}

// otherWriters looks through all operations of the key for those that wrote what c found: one that
// is said to have failed, one that began only after c had finished, any other.
func (s *story) otherWriters(c call) (refused, later *history.Op, inTime bool) {
	does := writes(s.problem.values[c.reads])
	for _, op := range s.ops {
		switch {
		case !does(op):
		case op.Type == history.Fail && op.Call <= c.end:
			if refused == nil || refused.Return >= c.begin && op.Return < c.begin { // best one that was answered before
				refused = op
			}
		case op.Type == history.Fail: // so nobody has to be told of it
		case op.Call <= c.end:
			inTime = true
		case later == nil:
			later = op
		}
	}
	return refused, later, inTime
}

func (s *story) readBeforeWrite() *Finding {
	for _, v := range s.values {
		if at := s.sole(v); at >= 0 {
			w := s.calls[at]
			if r, _, ok := s.before(func(c call) bool { return c.finds(v) }, w.is); ok {
				return s.beforeWrite(r, w)
			}
		}
	}
	return nil
}

func (c call) is(other call) bool { return c.index == other.index }

func (s *story) beforeWrite(r, w call) *Finding {
	return s.finding(ruleBeforeWrite,
		fmt.Sprintf("%s had finished (%s) %s before %s began (%s).",
			s.name(r), s.at(r.end), words.Span(w.begin-r.end), s.name(w), s.at(w.begin)),
		[]string{
			fmt.Sprintf("%s finished at %s and had found %s.", s.name(r), s.at(r.end), s.value(r.reads)),
			fmt.Sprintf("%s is the first to write %s, and it began at %s.", s.name(w), s.value(r.reads), s.at(w.begin)),
			fmt.Sprintf("So %s was found %s before anybody had begun to write it.", s.value(r.reads), words.Span(w.begin-r.end)),
		}, r, w)
}

// lostUpdate: a value that was written once was replaced twice.
func (s *story) lostUpdate() *Finding {
	for _, v := range s.values {
		var taken []call
		for _, c := range s.calls {
			if c.finds(v) && c.writes != none {
				taken = append(taken, c)
			}
		}
		if !s.once(v) || len(taken) < 2 {
			continue
		}
		a, b := taken[0], taken[1]
		return s.finding(ruleLostUpdate,
			fmt.Sprintf("two cas %s→… both succeeded: %s and %s.", s.value(v), s.name(a), s.name(b)),
			[]string{
				s.origin(v),
				fmt.Sprintf("%s succeeded, so it found %s and replaced it.", s.name(a), s.value(v)),
				fmt.Sprintf("%s succeeded, so it found %s and replaced it.", s.name(b), s.value(v)),
				fmt.Sprintf("Whichever was first, the other cannot have found %s any more.", s.value(v)),
			}, s.withWriters([]call{a, b}, v)...)
	}
	return nil
}

// written is how far it holds that of all writers of v only those in the story wrote it. Others may have before the story's
// end only if nobody finds v in it.
func (s *story) written(v value) extent { return s.extent(writes(s.problem.values[v])) }

// origin states where the only occurrence of v comes from.
func (s *story) origin(v value) string {
	e := s.written(v)
	if at := s.sole(v); at >= 0 {
		return fmt.Sprintf("%s %s %s.", s.value(v), s.onceBy("written", e), s.name(s.calls[at]))
	}
	nobody := "nobody wrote it"
	if e != throughout {
		nobody = "nobody had written it by " + s.end()
	}
	return fmt.Sprintf("%s is the initial value, and %s.", s.value(v), nobody)
}

// withWriters adds the writers of values to the calls of a finding.
func (s *story) withWriters(calls []call, values ...value) []call {
	for _, v := range values {
		if at := s.sole(v); at >= 0 {
			calls = append(calls, s.calls[at])
		}
	}
	return calls
}

// other is for everything that has no name.
func (s *story) other() *Finding {
	return s.finding(ruleOther, noOrder(len(s.calls)),
		everyOrder(s.teller, s.calls), s.calls...)
}

// tooLong is for a core that nobody would read.
func (s *story) tooLong() *Finding {
	return s.finding(ruleOther, noOrderOfMany(len(s.calls)), nil, s.calls...)
}

// finding makes a Finding of the story, with proof steps numbered. Its witnesses are the whole story
// if that is short, for it was confirmed as a whole; else those that the rule is about.
func (s *story) finding(rule, text string, proof []string, about ...call) *Finding {
	var seen []string
	for _, c := range about {
		if r, ok := s.observer(c); ok {
			about = append(about, r)
			seen = append(seen, fmt.Sprintf("%s had no answer, but %s found %s: it took effect.", s.name(c), s.name(r), s.value(c.writes)))
		}
	}
	f := findingOf(s.teller, s.calls, rule, text, append(seen, proof...), about...)
	return &f
}

// observer is a call that shows that c, whose outcome nobody told, took effect.
func (s *story) observer(c call) (call, bool) {
	if c.writes == none || !s.once(c.writes) || s.op(c.index).Type != history.Info {
		return call{}, false
	}
	i := slices.IndexFunc(s.calls, func(r call) bool { return r.index != c.index && r.finds(c.writes) })
	if i < 0 {
		return call{}, false
	}
	return s.calls[i], true
}
