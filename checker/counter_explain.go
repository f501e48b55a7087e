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
	s := &counterStory{teller: tellerOf(ops, p.calls), problem: p, calls: slices.Clone(p.calls)}
	slices.SortStableFunc(s.calls, func(a, b counterCall) int { return cmp.Compare(a.begin, b.begin) })
	if i := slices.IndexFunc(s.calls, func(c counterCall) bool { return c.strange }); i >= 0 {
		c := s.calls[i]
		return s.finding(ruleNoAnswer, s.name(c)+" was answered with what cannot be a sum.", nil, c)
	}
	if len(p.calls) > storyMax || !p.grows() {
		return s.other()
	}
	l := newLadder(p)
	pair, found := l.conflict()
	switch {
	case found && len(pair) == 1:
		c := pair[0]
		grows := "only grows"
		if s.shrinks() {
			grows = "only grew until " + s.end()
		}
		return s.finding(rulePhantom, fmt.Sprintf("%s found the counter at %d, but it begins at %d and %s.", s.name(c), c.from(), p.start, grows), nil, c)
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

// shrinks tells whether somebody takes something away, which is after the story's end.
func (s *counterStory) shrinks() bool {
	return s.extent(func(op *history.Op) bool {
		delta, _ := integer(op.Input, deltaMax)
		return op.F == "add" && delta < 0
	}) != throughout
}

// grows begins a sentence that needs that nobody takes anything away.
func (s *counterStory) grows() string {
	if s.shrinks() {
		return "Until " + s.end() + " the counter only grew"
	}
	return "The counter only grows"
}

// overlap: two calls are about the same ground.
func (s *counterStory) overlap(a, b counterCall) Finding {
	took := func(c counterCall) string {
		return fmt.Sprintf("%s took the counter from %d to %d", s.name(c), c.from(), c.sum)
	}
	if !a.add {
		a, b = b, a
	}
	if !b.add {
		never, when := "never was", "before or after"
		if s.shrinks() {
			never, when = "had never been by "+s.end(), "before or after, by then"
		}
		return s.finding(rulePhantom, fmt.Sprintf("%s found %d, which the counter %s: %s at once.", s.name(b), b.sum, never, took(a)),
			[]string{took(a) + ".", fmt.Sprintf("%s, so it was never %d, %s.", s.grows(), b.sum, when)}, a, b)
	}
	text := fmt.Sprintf("%s and %s each took the counter over the same ground: one from %d to %d, the other from %d to %d.",
		s.name(a), s.name(b), a.from(), a.sum, b.from(), b.sum)
	return s.finding(ruleLostUpdate, text, []string{
		took(a) + ".", took(b) + ".",
		s.grows() + ", so the later of the two began where the earlier had ended, or above. Neither did.",
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
		s.grows() + ": a contradiction.",
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
		why = fmt.Sprintf("the adds %s do not make that sum: %s", s.kind(l), listed3(could))
	}
	text := fmt.Sprintf("between %s and %s the counter went from %d to %d, and %s.", below, s.name(above), low, above.from(), why)
	proof := []string{
		s.everyAdd(l, []gap{g}) + " tells from where to where it took the counter; none of them was between these two.",
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
	known := "is known to have added"
	if s.later(l, gaps) {
		known = "was known to have added by " + s.end()
	}
	text := fmt.Sprintf("the counter grew by %s where nobody %s, and the adds %s cannot make up for all of that: %s.",
		listed3(sizes), known, s.kind(l), listed3(could))
	return s.finding(rulePhantomAdd, text, []string{
		s.everyAdd(l, gaps) + " tells from where to where it took the counter.",
		fmt.Sprintf("They leave gaps, the lowest below %s and the highest below %s; each may be made up of adds %s, but each of those happened once at most.",
			s.name(l.rungs[first.above]), s.name(l.rungs[last.above]), s.kind(l)),
	}, append(s.calls, counterCall{interval: interval{index: s.problem.bound}})...)
}

// everyAdd names the adds that tell where they stand: all, but for later ones.
func (s *counterStory) everyAdd(l *ladder, gaps []gap) string {
	if s.later(l, gaps) {
		return "Every add that had been answered with its sum by " + s.end()
	}
	return "Every add that was answered with its sum"
}

// later tells whether an add that was answered after the story's end stands in a gap.
func (s *counterStory) later(l *ladder, gaps []gap) bool {
	rung := func(op *history.Op) bool {
		return slices.ContainsFunc(l.rungs, func(c counterCall) bool { return int(c.index) == op.Index })
	}
	return slices.ContainsFunc(s.ops, func(op *history.Op) bool {
		delta, _ := integer(op.Input, deltaMax)
		sum, answered := integer(op.Output, sumMax)
		return op.F == "add" && op.Type == history.OK && answered && !rung(op) && slices.ContainsFunc(gaps, func(g gap) bool {
			high := l.rungs[g.above].from()
			return high-g.size <= sum-delta && sum <= high
		})
	})
}

// kind says what the adds are that can have filled a gap.
func (s *counterStory) kind(l *ladder) string {
	unknown := 0
	for _, c := range l.loose {
		if s.op(c.index).Return == history.Never {
			unknown++
		}
	}
	switch unknown {
	case len(l.loose):
		return "of unknown outcome"
	case 0:
		return "still open at " + s.end()
	default:
		return "of unknown outcome or still open at " + s.end()
	}
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
