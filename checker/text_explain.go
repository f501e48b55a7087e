package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"ordeal/history"
	"ordeal/internal/words"
)

// Explain implements Problem. As of a list, the elements that were left out of p are left out of its reads; those that are
// in it are all there.
func (p *textProblem) Explain(ops []*history.Op) Finding {
	if len(p.calls) > storyMax {
		return p.plainProblem.Explain(ops)
	}
	s := &textStory{teller: tellerOf(ops, p.calls), problem: p, calls: slices.Clone(p.calls), made: map[value][]textCall{}}
	slices.SortStableFunc(s.calls, func(a, b textCall) int { return cmp.Compare(a.begin, b.begin) })
	for _, c := range s.calls {
		if c.element != none {
			s.made[c.element] = append(s.made[c.element], c)
		}
	}
	for _, rule := range [...]func() (Finding, bool){s.phantom, s.duplicate, s.lost, s.passed, s.reordered, s.forked, s.written} {
		if f, ok := rule(); ok {
			return f
		}
	}
	return p.plainProblem.Explain(ops)
}

// textStory is a problem of a text without a legal order, about to be told.
type textStory struct {
	teller
	problem *textProblem
	calls   []textCall
	made    map[value][]textCall // by element: what writes or appends it
}

func (s *textStory) name(c textCall) string { return s.nameOf(c.index) }

func (s *textStory) label(v value) string { return quoted(s.problem.elements[v]) }

func (s *textStory) raw(v value) json.RawMessage { return rawText(s.problem.elements[v]) }

// quoted is how sentences call a text.
func quoted(text string) string { return history.ValueLabel(rawText(text)) }

func rawText(text string) json.RawMessage {
	raw, _ := json.Marshal(text) // a string always can be
	return raw
}

// once tells whether v was made once.
func (s *textStory) once(v value) bool { return len(s.made[v]) == 1 }

// writtenAs is what a read's text was written as before the appends, or none if it is the text of the beginning; it is not ok
// if nobody knows, because that was made several times or never.
func (s *textStory) writtenAs(r textCall) (v value, ok bool) {
	switch {
	case !r.reads():
		return none, false
	case len(r.shows) == 0:
		return none, true
	case !s.once(r.shows[0]):
		return none, false
	case s.made[r.shows[0]][0].f == "write":
		return r.shows[0], true
	default:
		return none, true
	}
}

// pairs calls rule for each two reads of one text: that was written once, or that of the beginning.
func (s *textStory) pairs(rule func(r, q textCall) (Finding, bool)) (Finding, bool) {
	for _, r := range s.calls {
		for _, q := range s.calls {
			v, ok1 := s.writtenAs(r)
			w, ok2 := s.writtenAs(q)
			if !ok1 || !ok2 || v != w || r.index == q.index {
				continue
			}
			if f, ok := rule(r, q); ok {
				return f, true
			}
		}
	}
	return Finding{}, false
}

// phantom: an element is shown that no call of the story makes, or before its only maker began.
func (s *textStory) phantom() (Finding, bool) {
	for _, r := range s.calls {
		for _, v := range r.shows {
			if by := s.made[v]; len(by) == 1 && by[0].begin > r.end {
				return s.early(r, s.problem.elements[v], s.op(by[0].index)), true
			} else if len(by) > 0 {
				continue
			}
			text := s.firstOf(s.problem.elements[v])
			shows := fmt.Sprintf("%s shows %s", s.name(r), quoted(text))
			switch refused, other := s.makers(rawText(text)); {
			case other != nil && other.Call > r.end:
				return s.early(r, text, other), true
			case other != nil: // the story has lost it, so it shows nothing
			case refused != nil:
				f := s.finding(rulePhantom, fmt.Sprintf("%s, but %s was answered as not applied.", shows, nameOp(refused)), nil, r)
				f.Ops = append(f.Ops, refused.Index)
				s.sortOps(&f)
				return f, true
			default:
				return s.finding(rulePhantom, fmt.Sprintf("%s; nobody ever wrote or appended that.", shows), nil, r), true
			}
		}
	}
	return Finding{}, false
}

// firstOf is the longest text that any operation of the key was to make and that what nobody in the story made begins with; all of
// it if there is none.
func (s *textStory) firstOf(foreign string) (first string) {
	for _, op := range s.ops {
		var c textCall
		if op.F != "read" && c.read(op.Input) == "" && len(c.text) > len(first) && strings.HasPrefix(foreign, c.text) {
			first = c.text
		}
	}
	return cmp.Or(first, foreign)
}

func (s *textStory) early(r textCall, text string, maker *history.Op) Finding {
	f := s.finding(ruleBeforeWrite, fmt.Sprintf("%s shows %s and had finished %s before %s began.",
		s.name(r), quoted(text), words.Span(maker.Call-r.end), nameOp(maker)), nil, r)
	f.Ops = append(f.Ops, maker.Index)
	s.sortOps(&f)
	return f
}

func (s *textStory) duplicate() (Finding, bool) {
	for _, r := range s.calls {
		for i, v := range r.shows {
			if s.once(v) && slices.Contains(r.shows[:i], v) {
				maker := s.made[v][0]
				return s.finding(ruleDuplicate, fmt.Sprintf("%s shows %s twice, though it %s %s.",
					s.name(r), s.label(v), s.onceBy("made", s.extent(puts(s.raw(v)))), s.name(maker)), nil, r, maker), true
			}
		}
	}
	return Finding{}, false
}

// lost: an element is shown by one read and not by another of the same text, that began when it surely was there.
func (s *textStory) lost() (Finding, bool) {
	return s.pairs(func(r, q textCall) (Finding, bool) {
		for _, v := range r.shows {
			if !s.once(v) || slices.Contains(q.shows, v) {
				continue
			}
			sure, rule := r, ruleStale
			if maker := s.made[v][0]; maker.end < sure.end {
				sure, rule = maker, ruleLostAppend
			}
			if sure.end >= q.begin {
				continue
			}
			return s.finding(rule, fmt.Sprintf("%s began %s after %s had finished, and does not show %s.",
				s.name(q), words.Span(q.begin-sure.end), s.name(sure), s.label(v)),
				[]string{
					fmt.Sprintf("%s %s %s, and %s shows it.", s.label(v), s.onceBy("made", s.extent(puts(s.raw(v)))), s.name(s.made[v][0]), s.name(r)),
					fmt.Sprintf("%s finished at %s, so it was there by then.", s.name(sure), s.at(sure.end)),
					fmt.Sprintf("%s began at %s and reads the same text, of which nothing takes away, without it.", s.name(q), s.at(q.begin)),
				}, sure, r, q, s.made[v][0]), true
		}
		return Finding{}, false
	})
}

// passed: an append had finished when a read began, or something that the read shows, and the read does not show it. The
// text was there before the append, and nothing takes away of it.
func (s *textStory) passed() (Finding, bool) {
	for _, q := range s.calls {
		v, ok := s.writtenAs(q)
		if !ok {
			continue
		}
		for _, a := range s.calls {
			if a.f != "append" || !s.once(a.element) || slices.Contains(q.shows, a.element) || v != none && s.made[v][0].end >= a.begin {
				continue
			}
			proof := []string{"The text is that of the beginning, before any was written."}
			if v != none {
				proof[0] = fmt.Sprintf("%s %s %s, which had finished before %s began.",
					s.label(v), s.onceBy("written", s.extent(writes(s.raw(v)))), s.name(s.made[v][0]), s.name(a))
			}
			proof = append(proof, "Nothing takes away of a text until it is written anew.")
			if a.end < q.begin {
				return s.finding(ruleLostAppend, fmt.Sprintf("%s began %s after %s had finished, and does not show %s.",
					s.name(q), words.Span(q.begin-a.end), s.name(a), s.label(a.element)), proof, a, q), true
			}
			for _, shown := range q.shows {
				if s.once(shown) && a.end < s.made[shown][0].begin {
					b := s.made[shown][0]
					return s.finding(ruleLostAppend, fmt.Sprintf("%s shows %s without %s, but %s had finished %s before %s began.",
						s.name(q), s.label(shown), s.label(a.element), s.name(a), words.Span(b.begin-a.end), s.name(b)), proof, a, b, q), true
				}
			}
		}
	}
	return Finding{}, false
}

// reordered: an append had finished before another began, and a read shows them the other way round.
func (s *textStory) reordered() (Finding, bool) {
	for _, r := range s.calls {
		latest := none // by begin, of those shown so far
		for _, v := range r.shows {
			if !s.once(v) {
				continue
			}
			a := s.made[v][0]
			if latest != none && a.end < s.made[latest][0].begin {
				b := s.made[latest][0]
				return s.finding(ruleReordered, fmt.Sprintf("%s had finished %s before %s began, but %s shows %s before %s.",
					s.name(a), words.Span(b.begin-a.end), s.name(b), s.name(r), s.label(latest), s.label(v)), nil, a, b, r), true
			}
			if latest == none || a.begin > s.made[latest][0].begin {
				latest = v
			}
		}
	}
	return Finding{}, false
}

// forked: two reads of the same text go on differently.
func (s *textStory) forked() (Finding, bool) {
	return s.pairs(func(r, q textCall) (Finding, bool) {
		i := 0
		for i < min(len(r.shows), len(q.shows)) && r.shows[i] == q.shows[i] {
			i++
		}
		if i == min(len(r.shows), len(q.shows)) {
			return Finding{}, false
		}
		return s.finding(ruleForked, fmt.Sprintf("%s shows %s where %s shows %s.", s.name(r), s.label(r.shows[i]), s.name(q), s.label(q.shows[i])),
			[]string{"A text only grows at its end, until it is written anew, so of two reads of it one shows the beginning of what the other shows. Neither does."}, r, q), true
	})
}

// written: what the reads' texts were written as breaks a rule of registers already.
func (s *textStory) written() (Finding, bool) {
	p := &registerProblem{values: []json.RawMessage{nil}}
	for v := range s.problem.elements {
		p.values = append(p.values, s.raw(value(v)))
	}
	for _, c := range s.calls {
		r := call{interval: c.interval, reads: none, writes: none, refused: none}
		switch v, ok := s.writtenAs(c); {
		case c.f == "write":
			r.writes = c.element + 1
		case ok:
			r.reads = v + 1
		default:
			continue
		}
		p.calls = append(p.calls, r)
	}
	if len(p.calls) == 0 {
		return Finding{}, false
	}
	f := p.Explain(s.ops)
	return f, f.Rule != ruleOther
}

func (s *textStory) finding(rule, text string, proof []string, about ...textCall) Finding {
	return findingOf(s.teller, s.calls, rule, text, proof, about...)
}
