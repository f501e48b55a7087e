package checker

import (
	"cmp"
	"fmt"
	"slices"

	"ordeal/history"
	"ordeal/internal/words"
)

// The rules that a list or a counter can break and a register cannot.
const (
	ruleNoAnswer   = "impossible answer"
	ruleDuplicate  = "duplicate element"
	ruleLostAppend = "lost append"
	ruleReordered  = "reordered appends"
	ruleForked     = "diverging reads"
)

// Explain implements Problem. A rule is named only if the calls of p show it by themselves; for the
// elements that were left out of p are left out of its reads, and those that are in it are all there.
func (p *listProblem) Explain(ops []*history.Op) Finding {
	s := &listStory{teller: tellerOf(ops, p.calls), problem: p, calls: slices.Clone(p.calls), appends: p.appends()}
	slices.SortStableFunc(s.calls, func(a, b listCall) int { return cmp.Compare(a.begin, b.begin) })
	if len(s.calls) > storyMax {
		return s.finding(ruleOther, noOrderOfMany(len(s.calls)), nil, s.calls...)
	}
	for _, rule := range [...]func() (Finding, bool){
		s.strange, s.phantom, s.duplicate, s.lost, s.stale, s.forked, s.reordered, s.overtaken,
	} {
		if f, ok := rule(); ok {
			return f
		}
	}
	return s.other()
}

// listStory is a problem of a list without a legal order, about to be told.
type listStory struct {
	teller
	problem *listProblem
	calls   []listCall
	appends []int // by value
}

func (s *listStory) name(c listCall) string { return s.nameOf(c.index) }

func (s *listStory) value(v value) string { return history.ValueLabel(s.problem.values[v]) }

// once returns the only append of v.
func (s *listStory) once(v value) (c listCall, ok bool) {
	if s.appends[v] != 1 {
		return listCall{}, false
	}
	i := slices.IndexFunc(s.calls, func(c listCall) bool { return c.element == v })
	return s.calls[i], true
}

// reader calls the reads of the story, until one is a finding.
func (s *listStory) reader(rule func(r listCall) (Finding, bool)) (Finding, bool) {
	for _, c := range s.calls {
		if c.reads() {
			if f, ok := rule(c); ok {
				return f, true
			}
		}
	}
	return Finding{}, false
}

func (s *listStory) strange() (Finding, bool) {
	return s.reader(func(r listCall) (Finding, bool) {
		if !r.strange {
			return Finding{}, false
		}
		return s.alone(ruleNoAnswer, s.name(r)+" was answered with what is no list.", r), true
	})
}

// alone is a finding of which only the calls told of are witnesses.
func (s *listStory) alone(rule, text string, about ...listCall) Finding {
	f := Finding{Key: s.key, Rule: rule, Text: text}
	for _, c := range about {
		f.Ops = append(f.Ops, int(c.index))
	}
	s.sortOps(&f)
	return f
}

// phantom: an element is shown that no call of the story appends; ops tell whether one was refused or
// began too late.
func (s *listStory) phantom() (Finding, bool) {
	return s.reader(func(r listCall) (Finding, bool) {
		i := slices.IndexFunc(r.shows, func(v value) bool { return s.appends[v] == 0 })
		if i < 0 {
			return s.early(r)
		}
		v := r.shows[i]
		switch refused, other := s.makers(s.problem.values[v]); {
		case other != nil && other.Call > r.end:
			return s.beforeAppend(r, listCall{interval: intervalOf(other), element: v}), true
		case other != nil:
			return Finding{}, false // the story has lost it, so it shows nothing
		case refused != nil:
			f := s.alone(rulePhantom, fmt.Sprintf("%s shows %s, but %s was answered as not applied.", s.name(r), s.value(v), nameOp(refused)), r)
			f.Ops = append(f.Ops, refused.Index)
			s.sortOps(&f)
			return f, true
		default:
			return s.alone(rulePhantom, fmt.Sprintf("%s shows %s; nobody ever appended %s.", s.name(r), s.value(v), s.value(v)), r), true
		}
	})
}

// early: an element is shown before its only append began.
func (s *listStory) early(r listCall) (Finding, bool) {
	for _, v := range r.shows {
		if a, ok := s.once(v); ok && r.end < a.begin {
			return s.beforeAppend(r, a), true
		}
	}
	return Finding{}, false
}

func (s *listStory) beforeAppend(r, a listCall) Finding {
	return s.finding(ruleBeforeWrite, fmt.Sprintf("%s shows %s and had finished %s before %s began.",
		s.name(r), s.value(a.element), words.Span(a.begin-r.end), s.name(a)), nil, r, a)
}

func (s *listStory) duplicate() (Finding, bool) {
	return s.reader(func(r listCall) (Finding, bool) {
		for i, v := range r.shows {
			if a, ok := s.once(v); ok && slices.Contains(r.shows[:i], v) {
				appended := s.onceBy("appended", s.extent(puts(s.problem.values[v])))
				return s.alone(ruleDuplicate, fmt.Sprintf("%s shows %s twice, though it %s %s.", s.name(r), s.value(v), appended, s.name(a)), r, a), true
			}
		}
		return Finding{}, false
	})
}

// lost: an append had finished before a read began, and the read does not show it.
func (s *listStory) lost() (Finding, bool) {
	return s.reader(func(r listCall) (Finding, bool) {
		for _, a := range s.calls {
			if a.reads() || a.end >= r.begin || slices.Contains(r.shows, a.element) {
				continue
			}
			v := s.value(a.element)
			return s.finding(ruleLostAppend, fmt.Sprintf("%s began %s after %s had finished, and does not show %s.", s.name(r), words.Span(r.begin-a.end), s.name(a), v),
				[]string{
					fmt.Sprintf("%s finished at %s, so %s had been appended by then.", s.name(a), s.at(a.end), v),
					fmt.Sprintf("%s began at %s and does not show it; nothing takes an element away.", s.name(r), s.at(r.begin)),
				}, a, r), true
		}
		return Finding{}, false
	})
}

// stale: a read shows an element, and a later read does not.
func (s *listStory) stale() (Finding, bool) {
	return s.reader(func(first listCall) (Finding, bool) {
		return s.reader(func(second listCall) (Finding, bool) {
			i := slices.IndexFunc(first.shows, func(v value) bool { return !slices.Contains(second.shows, v) })
			if i < 0 || first.end >= second.begin {
				return Finding{}, false
			}
			v := s.value(first.shows[i])
			return s.finding(ruleStale, fmt.Sprintf("%s began %s after %s had finished, which shows %s, and does not show it.",
				s.name(second), words.Span(second.begin-first.end), s.name(first), v),
				[]string{
					fmt.Sprintf("%s finished at %s and shows %s, so it had been appended by then.", s.name(first), s.at(first.end), v),
					fmt.Sprintf("%s began at %s and does not show it; nothing takes an element away.", s.name(second), s.at(second.begin)),
				}, first, second), true
		})
	})
}

// forked: of two reads each shows an element that the other does not, or one that the other shows
// only behind it.
func (s *listStory) forked() (Finding, bool) {
	return s.reader(func(one listCall) (Finding, bool) {
		return s.reader(func(two listCall) (Finding, bool) {
			i := 0
			for i < min(len(one.shows), len(two.shows)) && one.shows[i] == two.shows[i] {
				i++
			}
			if i == len(one.shows) || i == len(two.shows) {
				return Finding{}, false
			}
			a, b := one.shows[i], two.shows[i]
			if slices.Contains(one.shows[:i], a) || slices.Contains(one.shows[:i], b) {
				return Finding{}, false // appended more than once, and then it is not so simple
			}
			return s.finding(ruleForked, s.showsFirst(one, a, b)+", but "+s.showsFirst(two, b, a)+".",
				[]string{"A list only grows at its end, so of two reads one shows the beginning of what the other shows. Neither does."}, one, two), true
		})
	})
}

func (s *listStory) showsFirst(r listCall, a, b value) string {
	how := "without"
	if slices.Contains(r.shows, b) {
		how = "before"
	}
	return fmt.Sprintf("%s shows %s %s %s", s.name(r), s.value(a), how, s.value(b))
}

// reordered: an append had finished before another began, and a read shows them the other way round.
func (s *listStory) reordered() (Finding, bool) {
	return s.reader(func(r listCall) (Finding, bool) {
		for i, v := range r.shows {
			a, ok := s.once(v)
			if !ok {
				continue
			}
			for _, w := range r.shows[:i] { // w is shown before v
				b, ok := s.once(w)
				if !ok || a.end >= b.begin {
					continue
				}
				return s.finding(ruleReordered, fmt.Sprintf("%s had finished %s before %s began, but %s shows %s before %s.",
					s.name(a), words.Span(b.begin-a.end), s.name(b), s.name(r), s.value(w), s.value(v)), nil, a, b, r), true
			}
		}
		return Finding{}, false
	})
}

// overtaken: an append had finished before another began, and a read shows the later one without it.
func (s *listStory) overtaken() (Finding, bool) {
	return s.reader(func(r listCall) (Finding, bool) {
		for _, v := range r.shows {
			b, ok := s.once(v)
			for _, a := range s.calls {
				if !ok || a.reads() || a.end >= b.begin || slices.Contains(r.shows, a.element) {
					continue
				}
				return s.finding(ruleLostAppend, fmt.Sprintf("%s shows %s without %s, but %s had finished %s before %s began.",
					s.name(r), s.value(v), s.value(a.element), s.name(a), words.Span(b.begin-a.end), s.name(b)), nil, a, b, r), true
			}
		}
		return Finding{}, false
	})
}

// other is for what has no name, as happens if elements were appended more than once.
func (s *listStory) other() Finding {
	return s.finding(ruleOther, noOrder(len(s.calls)),
		everyOrder(s.teller, s.calls), s.calls...)
}

// finding makes a Finding whose witnesses are the whole story if that is short, for it was confirmed
// as a whole; else those that the rule is about, with the appends of what they show.
func (s *listStory) finding(rule, text string, proof []string, about ...listCall) Finding {
	return findingOf(s.teller, s.calls, rule, text, proof, about...)
}
