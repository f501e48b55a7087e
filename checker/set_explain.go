package checker

import (
	"cmp"
	"fmt"
	"slices"

	"ordeal/history"
	"ordeal/internal/words"
)

// The rules that a set can break, beside those that it shares with a list.
const (
	ruleLostElement = "lost element"
	ruleNowhere     = "element from nowhere"
	ruleDisagree    = "reads disagree"
)

// Explain implements Problem. A rule is named only if the calls of p show it by themselves; for the elements that
// were left out of p are left out of its reads, and each that is left was inserted at most once.
func (p *setProblem) Explain(ops []*history.Op) Finding {
	s := &setStory{teller: tellerOf(ops, p.calls), problem: p, calls: slices.Clone(p.calls)}
	if len(s.calls) > storyMax {
		return s.finding(ruleOther, noOrderOfMany(len(s.calls)), nil)
	}
	slices.SortStableFunc(s.calls, func(a, b setCall) int { return cmp.Compare(a.begin, b.begin) })
	for _, rule := range [...]func() (Finding, bool){s.alone, s.early, s.lost, s.disagree, s.passedOver} {
		if f, ok := rule(); ok {
			return f
		}
	}
	return s.finding(ruleOther, noOrder(len(s.calls)), everyOrder(s.teller, s.calls))
}

// setStory is a problem of a set without a legal order, about to be told.
type setStory struct {
	teller
	problem *setProblem
	calls   []setCall
}

func (s *setStory) name(c setCall) string { return s.nameOf(c.index) }

func (s *setStory) value(v value) string { return history.ValueLabel(s.problem.values[v]) }

func (c setCall) read() bool { return c.element == none }

func (c setCall) has(v value) bool { return slices.Contains(c.shows, v) }

// pair calls the reads of the story with every call, until two are a finding.
func (s *setStory) pair(rule func(r, c setCall) (Finding, bool)) (Finding, bool) {
	for _, r := range s.calls {
		for _, c := range s.calls {
			if !r.read() {
				continue
			}
			if f, ok := rule(r, c); ok {
				return f, true
			}
		}
	}
	return Finding{}, false
}

// alone: a read shows by itself that it is wrong, or that nobody had inserted what it shows.
func (s *setStory) alone() (Finding, bool) {
	for _, r := range s.calls {
		if r.strange {
			return s.finding(ruleNoAnswer, s.name(r)+" was answered with what is no set.", nil), true
		}
		for i, v := range r.shows {
			switch {
			case slices.Contains(r.shows[:i], v):
				return s.finding(ruleDuplicate, fmt.Sprintf("%s shows %s twice.", s.name(r), s.value(v)), nil), true
			case !slices.ContainsFunc(s.calls, func(c setCall) bool { return c.element == v }):
				return s.nowhere(r, v)
			}
		}
	}
	return Finding{}, false
}

// nowhere: no call of the story inserts v; ops tell whether one was refused or began too late.
func (s *setStory) nowhere(r setCall, v value) (Finding, bool) {
	refused, other := s.makers(s.problem.values[v])
	switch {
	case other != nil && other.Call > r.end:
		return s.before(r, setCall{interval: intervalOf(other), element: v}), true
	case other != nil:
		return Finding{}, false // the story has lost it, so it shows nothing
	}
	if refused == nil {
		return s.finding(ruleNowhere, fmt.Sprintf("%s shows %s; nobody ever inserted %s.", s.name(r), s.value(v), s.value(v)), nil), true
	}
	return s.finding(ruleNowhere, fmt.Sprintf("%s shows %s, but %s was answered as not applied.", s.name(r), s.value(v), nameOp(refused)), nil,
		refused.Index), true
}

// early: an element is shown before its insert began.
func (s *setStory) early() (Finding, bool) {
	return s.pair(func(r, c setCall) (Finding, bool) {
		if c.read() || !r.has(c.element) || r.end >= c.begin {
			return Finding{}, false
		}
		return s.before(r, c), true
	})
}

func (s *setStory) before(r, insert setCall) Finding {
	return s.finding(ruleBeforeWrite, fmt.Sprintf("%s shows %s and had finished %s before %s began.",
		s.name(r), s.value(insert.element), words.Span(insert.begin-r.end), s.name(insert)), nil, int(insert.index))
}

// lost: an element had been inserted, or shown, before a read began that does not show it.
func (s *setStory) lost() (Finding, bool) {
	return s.pair(func(r, c setCall) (Finding, bool) {
		v, how := c.element, "had finished"
		if c.read() {
			i := slices.IndexFunc(c.shows, func(v value) bool { return !r.has(v) })
			if i < 0 {
				return Finding{}, false
			}
			v, how = c.shows[i], "had shown it"
		}
		if c.end >= r.begin || r.has(v) {
			return Finding{}, false
		}
		return s.finding(ruleLostElement, fmt.Sprintf("%s began %s after %s %s, and does not show %s.", s.name(r), words.Span(r.begin-c.end), s.name(c), how, s.value(v)),
			[]string{
				fmt.Sprintf("%s finished at %s: by then %s was in the set.", s.name(c), s.at(c.end), s.value(v)),
				fmt.Sprintf("%s began at %s and does not show it; nothing takes an element away.", s.name(r), s.at(r.begin)),
			}), true
	})
}

// disagree: of two reads each shows what the other does not.
func (s *setStory) disagree() (Finding, bool) {
	return s.pair(func(one, two setCall) (Finding, bool) {
		i := slices.IndexFunc(one.shows, func(v value) bool { return !two.has(v) })
		j := slices.IndexFunc(two.shows, func(v value) bool { return !one.has(v) })
		if !two.read() || i < 0 || j < 0 {
			return Finding{}, false
		}
		a, b := s.value(one.shows[i]), s.value(two.shows[j])
		return s.finding(ruleDisagree, fmt.Sprintf("%s shows %s without %s, and %s shows %s without %s.", s.name(one), a, b, s.name(two), b, a),
			[]string{
				fmt.Sprintf("If %s was there first, %s should show it.", a, s.name(two)),
				fmt.Sprintf("If %s was there first, %s should show it.", b, s.name(one)),
			}), true
	})
}

// passedOver: an insert had finished before another began, and a read shows the later one without it.
func (s *setStory) passedOver() (Finding, bool) {
	return s.pair(func(r, a setCall) (Finding, bool) {
		for _, b := range s.calls {
			if a.read() || b.read() || a.end >= b.begin || r.has(a.element) || !r.has(b.element) {
				continue
			}
			return s.finding(ruleLostElement, fmt.Sprintf("%s shows %s without %s, but %s had finished %s before %s began.",
				s.name(r), s.value(b.element), s.value(a.element), s.name(a), words.Span(b.begin-a.end), s.name(b)), nil), true
		}
		return Finding{}, false
	})
}

// finding makes a Finding whose witnesses are the whole story, for it was confirmed as a whole, and others.
func (s *setStory) finding(rule, text string, proof []string, others ...int) Finding {
	f := Finding{Key: s.key, Rule: rule, Text: text, Proof: proof, Ops: others}
	for _, c := range s.calls {
		f.Ops = append(f.Ops, int(c.index))
	}
	s.sortOps(&f)
	return f
}
