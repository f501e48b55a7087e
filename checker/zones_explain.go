package checker

import (
	"fmt"

	"ordeal/internal/words"
)

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
	touchesW := func(c call) bool { return c.touches(w) && c.writes != v }
	c, d, ok := s.before(touchesW, func(c call) bool { return c.finds(v) && c.writes != w })
	if !ok || w == null && s.sole(null) < 0 {
		return nil
	}
	if s.sole(v) < 0 {
		return s.tellStale(v, w, c, d, fmt.Sprintf("; nobody had written %s", s.value(v)), nil)
	}
	writerV, writerW := s.calls[s.sole(v)], s.calls[s.sole(w)]
	if a, b, ok := s.before(writerV.is, writerW.is); ok {
		return s.tellStale(v, w, c, d, fmt.Sprintf("; %s was written after %s was done", s.value(w), s.value(v)), []call{a, b})
	}
	if a, b, ok := s.before(touchesV, writerW.is); ok {
		return s.tellStale(v, w, c, d, fmt.Sprintf("; %s had begun after %s was done", s.name(b), s.name(a)), []call{a, b})
	}
	// The writers do not tell, but a call that saw w in between does.
	a, b, ok := s.before(touchesV, func(x call) bool { return x.touches(w) && x.end < d.begin })
	if !ok {
		return nil
	}
	return s.tellStale(v, w, b, d, fmt.Sprintf("; that had begun after %s was done", s.name(a)), []call{a, b})
}

// tellStale tells of calls c and d: c touched w and had ended when d, which found v, began. Why w
// came after v is said by why and shown by order: a touched v and had ended when b, which touched w,
// began. Without order v is the initial value.
func (s *story) tellStale(v, w value, c, d call, why string, order []call) *Finding {
	proof := []string{s.origin(v)}
	if order != nil {
		a, b := order[0], order[1]
		proof = append(proof, s.origin(w),
			fmt.Sprintf("%s finished at %s, so %s had been there by then.", s.name(a), s.at(a.end), s.value(v)),
			fmt.Sprintf("%s began at %s, so %s came after %s.", s.name(b), s.at(b.begin), s.value(w), s.value(v)))
	}
	nobody := "nobody wrote again"
	if s.written(v) != throughout {
		nobody = "nobody had written again by " + s.end()
	}
	proof = append(proof,
		fmt.Sprintf("%s finished at %s: by then %s had taken the place of %s, which %s.", s.name(c), s.at(c.end), s.value(w), s.value(v), nobody),
		fmt.Sprintf("%s began at %s, %s later, and found %s: a contradiction.", s.name(d), s.at(d.begin), words.Span(d.begin-c.end), s.value(v)))
	text := fmt.Sprintf("%s began %s after %s had finished%s.", s.name(d), words.Span(d.begin-c.end), s.name(c), why)
	return s.finding(ruleStale, text, proof, s.withWriters(append(order, c, d), v, w)...)
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
		came, then := fmt.Sprintf("%s came of %s by %s", s.value(w), s.value(v), s.name(link)), "from then on"
		if s.written(v) != throughout {
			then = "from then until " + s.end()
		}
		rule := ruleStale
		if x.reads != v {
			rule = ruleBeforeWrite
		}
		text := fmt.Sprintf("%s began %s after %s had finished", s.name(x), words.Span(x.begin-y.end), s.name(y))
		if !y.is(link) {
			text += "; " + came
		}
		return s.finding(rule, text+".",
			[]string{
				s.origin(v),
				came + ", so " + then + " it was not " + s.value(v) + " again.",
				fmt.Sprintf("%s finished at %s: by then that had happened.", s.name(y), s.at(y.end)),
				fmt.Sprintf("%s began at %s, %s later, and touched %s: a contradiction.", s.name(x), s.at(x.begin), words.Span(x.begin-y.end), s.value(v)),
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

// wentPast: v came of u by cas alone, although w was there in between.
func (s *story) wentPast() *Finding {
	return s.pair(func(u, v value) *Finding {
		link, ok := s.descends(u, v)
		if !ok {
			return nil
		}
		for _, w := range s.values {
			_, after := s.descends(u, w)
			_, before := s.descends(w, v)
			if w == u || w == v || !s.once(w) || after && before {
				continue
			}
			touchesW := func(c call) bool { return c.touches(w) && c.writes != v }
			c, d, ok := s.before(touchesW, func(c call) bool { return c.touches(v) })
			if !ok || w == null && s.sole(null) < 0 {
				continue
			}
			if s.sole(u) < 0 {
				return s.past(u, v, w, []call{c, d, link})
			}
			if a, b, ok := s.before(func(c call) bool { return c.touches(u) }, touchesW); ok {
				return s.past(u, v, w, []call{c, d, link, a, b})
			}
		}
		return nil
	})
}

// past tells of calls c, d, the cas that replaced u, a and b: c touched w and had ended when d, which
// touched v, began; a touched u and had ended when b, which touched w, began. If u is the initial
// value there are no a and b, for everything comes after it. If d is a read, then it is taken to be
// the odd one out: v may well have been there, but no longer.
func (s *story) past(u, v, w value, about []call) *Finding {
	c, d, link := about[0], about[1], about[2]
	came, once := fmt.Sprintf("%s came of %s by cas alone", s.value(v), s.value(u)), "None of the three was written twice, so"
	switch max(s.written(u), s.written(v), s.written(w)) {
	case soFar:
		once = "By " + s.end() + " none of the three had been written twice, so"
	case here:
		once = "So"
	}
	if link.writes == v {
		came = fmt.Sprintf("%s replaced %s directly", s.name(link), s.value(u))
	}
	why := fmt.Sprintf("%s is the initial value, so %s came after it", s.value(u), s.value(w))
	order := why
	if len(about) > 3 {
		a, b := about[3], about[4]
		why = fmt.Sprintf("%s had begun after %s was done", s.name(b), s.name(a))
		order = fmt.Sprintf("%s finished at %s and %s began at %s: %s came after %s", s.name(a), s.at(a.end), s.name(b), s.at(b.begin), s.value(w), s.value(u))
	}
	f := s.finding(ruleLostUpdate, fmt.Sprintf("%s, but %s was there in between: %s, and %s had finished before %s began.",
		came, s.value(w), why, s.name(c), s.name(d)),
		[]string{
			fmt.Sprintf("%s, so no other value was there between these two.", came),
			order + ".",
			fmt.Sprintf("%s finished at %s and %s began at %s: %s came before %s.", s.name(c), s.at(c.end), s.name(d), s.at(d.begin), s.value(w), s.value(v)),
			fmt.Sprintf("%s %s came between the other two: a contradiction.", once, s.value(w)),
		}, s.withWriters(about, u, v, w)...)
	if d.writes == none {
		f.Rule = ruleStale
		f.Text = fmt.Sprintf("%s began %s after %s had finished; %s, and %s. Either this read is stale, or the update to %s was lost.",
			s.name(d), words.Span(d.begin-c.end), s.name(c), why, came, s.value(w))
	}
	return f
}

// interleaved: v before w and w before v, without one being there first for certain.
func (s *story) interleaved() *Finding {
	return s.pair(func(v, w value) *Finding {
		touchesV := func(c call) bool { return c.touches(v) }
		touchesW := func(c call) bool { return c.touches(w) && c.writes != v }
		a, b, ok1 := s.before(touchesV, touchesW)
		c, d, ok2 := s.before(touchesW, touchesV)
		if !ok1 || !ok2 {
			return nil
		}
		both := "Each was written once, so both cannot be: a contradiction."
		switch max(s.written(v), s.written(w)) {
		case soFar:
			both = "By " + s.end() + " each had been written once, so both cannot be: a contradiction."
		case here:
			both = "Both cannot be: a contradiction."
		}
		return s.finding(ruleInterleaved,
			fmt.Sprintf("%s and %s were each seen before and after the other: %s had finished before %s began, and %s before %s.",
				s.value(v), s.value(w), s.name(a), s.name(b), s.name(c), s.name(d)),
			[]string{
				s.origin(v), s.origin(w),
				fmt.Sprintf("%s finished at %s, and %s began at %s: %s came before %s.", s.name(a), s.at(a.end), s.name(b), s.at(b.begin), s.value(v), s.value(w)),
				fmt.Sprintf("%s finished at %s, and %s began at %s: %s came before %s.", s.name(c), s.at(c.end), s.name(d), s.at(d.begin), s.value(w), s.value(v)),
				both,
			}, s.withWriters([]call{a, b, c, d}, v, w)...)
	})
}
