package checker

import "fmt"

// The rules below are about two values v and w, each written once. Such a value is held during one
// interval of time. If a call that touched v had ended when a call that touched w began, then the
// interval of v is before that of w. Both ways is impossible.

// pair calls rule for each two different values that were written once, until it finds something.
func (s *story) pair(rule func(v, w value) *Finding) *Finding {
	for _, v := range s.values {
		for _, w := range s.values {
			if v == w || !s.once(v) || !s.once(w) {
				continue
			}
			if f := rule(v, w); f != nil {
				return f
			}
		}
	}
	return nil
}

// stale: v was there, then w, and then v was found again.
func (s *story) stale() *Finding { return s.pair(s.stalePair) }

func (s *story) stalePair(v, w value) *Finding {
	touchesV := func(c call) bool { return c.touches(v) }
	touchesW := func(c call) bool { return c.touches(w) }
	findsV := func(c call) bool { return c.finds(v) }
	c, d, ok := s.before(touchesW, findsV)
	if !ok || d.writes == w {
		return nil
	}
	text := fmt.Sprintf("%s began %s after %s had finished", s.name(d), span(d.begin-c.end), s.name(c))
	proof := []string{s.origin(v)}
	conclude := func(calls ...call) *Finding {
		proof = append(proof,
			fmt.Sprintf("%s finished at %s: by then %s had come after %s, which nobody wrote again.", s.name(c), s.at(c.end), s.value(w), s.value(v)),
			fmt.Sprintf("%s began at %s, %s later, and found %s: a contradiction.", s.name(d), s.at(d.begin), span(d.begin-c.end), s.value(v)))
		return s.finding(ruleStale, text+".", proof, s.withWriters(append(calls, c, d), v, w)...)
	}
	at := s.sole(v)
	if at < 0 {
		text += fmt.Sprintf("; nobody had written %s", s.value(v))
		return conclude()
	}
	writer := s.calls[at]
	var a, b call
	if i := s.sole(w); i >= 0 {
		if a, b, ok = s.before(writer.is, s.calls[i].is); ok {
			text += fmt.Sprintf("; %s was written after %s was done", s.value(w), s.value(v))
		} else if a, b, ok = s.before(touchesV, s.calls[i].is); ok {
			text += fmt.Sprintf("; %s had begun after %s was done", s.name(b), s.name(a))
		}
	}
	if !ok {
		// No writer tells, but a call that saw w in between does.
		a, b, ok = s.before(touchesV, func(x call) bool { return x.touches(w) && x.end < d.begin })
		if !ok {
			return nil
		}
		if c = b; c.end >= d.begin {
			return nil
		}
		text = fmt.Sprintf("%s began %s after %s had finished; that had begun after %s was done",
			s.name(d), span(d.begin-c.end), s.name(c), s.name(a))
	}
	proof = append(proof,
		fmt.Sprintf("%s finished at %s, so %s had been there by then.", s.name(a), s.at(a.end), s.value(v)),
		fmt.Sprintf("%s began at %s, so %s came after %s.", s.name(b), s.at(b.begin), s.value(w), s.value(v)))
	return conclude(a, b)
}

// replaced: v was found after a cas had replaced it, perhaps by way of others.
func (s *story) replaced() *Finding {
	return s.pair(func(v, w value) *Finding {
		link, ok := s.descends(v, w)
		if !ok {
			return nil
		}
		y, x, ok := s.before(
			func(c call) bool { return c.touches(w) },
			func(c call) bool { return c.touches(v) && !c.is(link) && c.writes != w })
		if !ok {
			return nil
		}
		came := fmt.Sprintf("%s came of %s by %s", s.value(w), s.value(v), s.name(link))
		rule := ruleStale
		if x.reads != v {
			rule = ruleBeforeWrite
		}
		return s.finding(rule,
			fmt.Sprintf("%s began %s after %s had finished; %s.", s.name(x), span(x.begin-y.end), s.name(y), came),
			[]string{
				s.origin(v),
				came + ", so from then on it was not " + s.value(v) + " again.",
				fmt.Sprintf("%s finished at %s: by then that had happened.", s.name(y), s.at(y.end)),
				fmt.Sprintf("%s began at %s, %s later, and touched %s: a contradiction.", s.name(x), s.at(x.begin), span(x.begin-y.end), s.value(v)),
			}, s.withWriters([]call{x, y, link}, v, w)...)
	})
}

// descends tells whether w came of v by cas alone; link is the cas that replaced v.
func (s *story) descends(v, w value) (link call, ok bool) {
	for range s.values { // as many steps as there are values, in case they go round
		at := s.sole(w)
		if at < 0 || s.calls[at].maybe || s.calls[at].reads == none {
			return call{}, false
		}
		link = s.calls[at]
		if w = link.reads; !s.once(w) {
			return call{}, false
		}
		if w == v {
			return link, true
		}
	}
	return call{}, false
}

// wentPast: u was replaced by v directly, although w was there in between.
func (s *story) wentPast() *Finding {
	return s.pair(func(u, v value) *Finding {
		link, ok := s.descends(u, v)
		if !ok || link.writes != v {
			return nil
		}
		for _, w := range s.values {
			if w == u || w == v || !s.once(w) {
				continue
			}
			touchesW := func(c call) bool { return c.touches(w) }
			a, b, ok1 := s.before(func(c call) bool { return c.touches(u) }, touchesW)
			c, d, ok2 := s.before(touchesW, func(c call) bool { return c.touches(v) })
			if !ok1 || !ok2 {
				continue
			}
			return s.finding(ruleLostUpdate,
				fmt.Sprintf("%s replaced %s by %s and went past %s, which was there in between: %s began after %s had finished, and %s had finished before %s began.",
					s.name(link), s.value(u), s.value(v), s.value(w), s.name(b), s.name(a), s.name(c), s.name(d)),
				[]string{
					fmt.Sprintf("%s found %s and left %s: nothing came between the two.", s.name(link), s.value(u), s.value(v)),
					fmt.Sprintf("%s finished at %s and %s began at %s: %s came after %s.", s.name(a), s.at(a.end), s.name(b), s.at(b.begin), s.value(w), s.value(u)),
					fmt.Sprintf("%s finished at %s and %s began at %s: %s came before %s.", s.name(c), s.at(c.end), s.name(d), s.at(d.begin), s.value(w), s.value(v)),
					fmt.Sprintf("Each was written once, so %s came between the two: a contradiction.", s.value(w)),
				}, s.withWriters([]call{a, b, c, d, link}, u, v, w)...)
		}
		return nil
	})
}

// interleaved: v before w and w before v, without one being there first for certain.
func (s *story) interleaved() *Finding {
	return s.pair(func(v, w value) *Finding {
		touchesV := func(c call) bool { return c.touches(v) }
		touchesW := func(c call) bool { return c.touches(w) }
		a, b, ok1 := s.before(touchesV, touchesW)
		c, d, ok2 := s.before(touchesW, touchesV)
		if !ok1 || !ok2 {
			return nil
		}
		return s.finding(ruleInterleaved,
			fmt.Sprintf("%s and %s were each seen before and after the other: %s had finished before %s began, and %s before %s.",
				s.value(v), s.value(w), s.name(a), s.name(b), s.name(c), s.name(d)),
			[]string{
				s.origin(v), s.origin(w),
				fmt.Sprintf("%s finished at %s, and %s began at %s: %s came before %s.", s.name(a), s.at(a.end), s.name(b), s.at(b.begin), s.value(v), s.value(w)),
				fmt.Sprintf("%s finished at %s, and %s began at %s: %s came before %s.", s.name(c), s.at(c.end), s.name(d), s.at(d.begin), s.value(w), s.value(v)),
				"Each was written once, so both cannot be: a contradiction.",
			}, s.withWriters([]call{a, b, c, d}, v, w)...)
	})
}
