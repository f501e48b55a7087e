package checker

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"ordeal/history"
	"ordeal/internal/words"
)

// Explain implements Problem. Sentences that say that a counter only grows are told only of problems
// in which it does.
func (p *counterProblem) Explain(ops []*history.Op) Finding {
	s := &counterStory{teller: newTeller(ops), problem: p, calls: slices.Clone(p.calls)}
	slices.SortStableFunc(s.calls, func(a, b counterCall) int { return cmp.Compare(a.begin, b.begin) })
	if i := slices.IndexFunc(s.calls, func(c counterCall) bool { return c.strange }); i >= 0 {
		c := s.calls[i]
		return s.finding(ruleNoAnswer, s.name(c)+" was answered with what cannot be a sum.", nil, c)
	}
	if len(p.calls) > storyMax || !p.grows() {
		return s.other()
	}
	s.digits = precisionOf(s.calls)
	l := newLadder(p)
	pair, found := l.conflict()
	switch {
	case found && len(pair) == 1:
		c := pair[0]
		return s.finding(rulePhantom, fmt.Sprintf("%s found the counter at %d, but it begins at %d and only grows.", s.name(c), c.from(), p.start), nil, c)
	case found && pair[1].from() < pair[0].sum:
		return s.overlap(pair[0], pair[1])
	case found:
		return s.wrongWay(pair[0], pair[1])
	}
	r, _, gaps := l.climb(context.Background())
	switch {
	case r != illegal || p.bound < 0:
		return s.other()
	case len(gaps) == 1:
		return s.gap(l, gaps[0])
	default:
		return s.gaps(l, gaps)
	}
}

// counterStory is a problem of a counter without a legal order, about to be told.
type counterStory struct {
	teller
	problem *counterProblem
	calls   []counterCall
}

func (s *counterStory) name(c counterCall) string { return s.nameOf(c.index) }

// overlap: two calls are about the same ground.
func (s *counterStory) overlap(a, b counterCall) Finding {
	took := func(c counterCall) string {
		return fmt.Sprintf("%s took the counter from %d to %d", s.name(c), c.from(), c.sum)
	}
	if !a.add {
		a, b = b, a
	}
	if !b.add {
		return s.finding(rulePhantom, fmt.Sprintf("%s found %d, which the counter never was: %s at once.", s.name(b), b.sum, took(a)),
			[]string{took(a) + ".", fmt.Sprintf("The counter only grows, so it was never %d, before or after.", b.sum)}, a, b)
	}
	text := fmt.Sprintf("%s and %s each took the counter over the same ground: one from %d to %d, the other from %d to %d.",
		s.name(a), s.name(b), a.from(), a.sum, b.from(), b.sum)
	return s.finding(ruleLostUpdate, text, []string{
		took(a) + ".", took(b) + ".",
		"The counter only grows, so the later of the two began where the earlier had ended, or above. Neither did.",
	}, a, b)
}

// wrongWay: high had ended when low began, but low belongs before it.
func (s *counterStory) wrongWay(low, high counterCall) Finding {
	rule, left := ruleStale, "found"
	if low.add {
		rule, left = ruleLostUpdate, "left"
	}
	text := fmt.Sprintf("%s began %s after %s had finished, and %s only %d.",
		s.name(low), words.Span(low.begin-high.end), s.name(high), left, low.sum)
	if low.sum == high.sum { // then low is the add that made the sum which high found
		rule = ruleBeforeWrite
		text = fmt.Sprintf("%s had finished %s before %s began, which is what took the counter from %d to %d.",
			s.name(high), words.Span(low.begin-high.end), s.name(low), low.from(), low.sum)
	}
	return s.finding(rule, text, []string{
		fmt.Sprintf("%s finished at %s: by then the counter stood on %d.", s.name(high), s.at(high.end), high.sum),
		fmt.Sprintf("%s began at %s, %s later, and took it to be %d.", s.name(low), s.at(low.begin), words.Span(low.begin-high.end), low.from()),
		"The counter only grows: a contradiction.",
	}, low, high)
}

// gap: the counter grew by more, or other, than what anybody added.
func (s *counterStory) gap(l *ladder, g gap) Finding {
	above := l.rungs[g.above]
	about := []counterCall{above, {interval: interval{index: s.problem.bound}}}
	low, below := l.start, fmt.Sprintf("its beginning at %d", l.start)
	if g.above > 0 {
		c := l.rungs[g.above-1]
		about, low = append(about, c), c.sum
		below = s.name(c)
	}
	var could []string
	for _, c := range l.loose {
		about, could = append(about, c), append(could, s.name(c))
	}
	why := "no add was open that could have done that"
	if len(could) > 0 {
		why = "the adds of unknown outcome do not make that sum: " + listed3(could)
	}
	text := fmt.Sprintf("between %s and %s the counter went from %d to %d, and %s.", below, s.name(above), low, above.from(), why)
	proof := []string{
		"Every add that was answered with its sum tells from where to where it took the counter; none of them was between these two.",
		fmt.Sprintf("Any other add in between had begun by %s, when %s finished.", s.at(g.until), s.nameOf(s.problem.bound)),
	}
	if twice := s.twice(g, above); twice != nil {
		about = append(about, counterCall{interval: intervalOf(twice)})
		proof = append(proof, fmt.Sprintf("It is what %s added, as if that had been applied twice.", nameOp(twice)))
	}
	if refused := s.refused(g); refused != nil {
		about = append(about, counterCall{interval: intervalOf(refused)})
		proof = append(proof, fmt.Sprintf("%s would explain it, but it was answered as not applied.", nameOp(refused)))
	}
	return s.finding(rulePhantomAdd, text, proof, about...)
}

const rulePhantomAdd = "phantom add"

// gaps: each could be filled, but not all.
func (s *counterStory) gaps(l *ladder, gaps []gap) Finding {
	var sizes, could []string
	for _, g := range gaps {
		sizes = append(sizes, strconv.FormatInt(g.size, 10))
	}
	for _, c := range l.loose {
		could = append(could, s.name(c))
	}
	first, last := gaps[0], gaps[len(gaps)-1]
	text := fmt.Sprintf("the counter grew by %s where nobody is known to have added, and the adds of unknown outcome cannot make up for all of that: %s.",
		listed3(sizes), listed3(could))
	return s.finding(rulePhantomAdd, text, []string{
		"Every add that was answered with its sum tells from where to where it took the counter.",
		fmt.Sprintf("They leave gaps, the lowest below %s and the highest below %s; each may be made up of adds of unknown outcome, but each of those happened once at most.",
			s.name(l.rungs[first.above]), s.name(l.rungs[last.above])),
	}, append(s.calls, counterCall{interval: interval{index: s.problem.bound}})...)
}

// twice is the lowest answered add of the gap's size above the gap that had begun in time to have been
// applied in it.
func (s *counterStory) twice(g gap, above counterCall) (lowest *history.Op) {
	least := int64(math.MaxInt64)
	for _, op := range s.ops {
		delta, isInt := integer(op.Input, deltaMax)
		sum, answered := integer(op.Output, sumMax)
		if op.F == "add" && op.Type == history.OK && isInt && answered && delta == g.size && op.Call <= g.until && sum > above.from() && sum < least {
			lowest, least = op, sum
		}
	}
	return lowest
}

// refused is the first add of the gap's size that was said not to be applied.
func (s *counterStory) refused(g gap) (first *history.Op) {
	for _, op := range s.ops {
		delta, isInt := integer(op.Input, deltaMax)
		if op.F == "add" && op.Type == history.Fail && isInt && delta == g.size && op.Call <= g.until && first == nil {
			first = op
		}
	}
	return first
}

// listed3 names at most three things.
func listed3(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

// other is for what has no name, as in a counter that does not only grow.
func (s *counterStory) other() Finding {
	return s.finding(ruleOther, noOrder(len(s.calls)), nil, s.calls...)
}

// finding makes a Finding with the calls told of as its witnesses.
func (s *counterStory) finding(rule, text string, proof []string, about ...counterCall) Finding {
	f := Finding{Key: s.key, Rule: rule, Text: text, Proof: proof}
	for _, c := range about {
		if c.index >= 0 {
			f.Ops = append(f.Ops, int(c.index))
		}
	}
	s.sortOps(&f)
	return f
}
