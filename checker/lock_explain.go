package checker

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ordeal/history"
	"ordeal/internal/words"
)

// The rules that a lock can break.
const (
	ruleTokenTwice    = "token given twice"
	ruleReturnedTwice = "token given back twice"
	ruleTokenNowhere  = "token from nowhere"
	ruleTokenBack     = "token went back"
	ruleHeldByTwo     = "held by two at once"
	ruleFoundFree     = "found free while held"
)

// Explain implements Problem. A rule is named only if the calls of p show it by themselves, and are told as they were
// answered in the end. What nobody did is asked of all operations.
func (p *lockProblem) Explain(ops []*history.Op) Finding {
	s := &lockStory{teller: newTeller(ops), calls: slices.Clone(p.calls)}
	for i, c := range s.calls {
		if op := s.op(c.index); c.maybe && op.Type == history.OK {
			s.calls[i], _, _ = readLock(op)
		}
	}
	s.teller = tellerOf(ops, s.calls)
	if len(s.calls) > storyMax {
		return s.finding(ruleOther, noOrderOfMany(len(s.calls)))
	}
	s.lookUp()
	slices.SortStableFunc(s.calls, func(a, b lockCall) int { return cmp.Compare(a.begin, b.begin) })
	for _, rule := range [...]func(a, b lockCall) (Finding, bool){s.absurd, s.twice, s.nowhere, s.returned, s.goneBack, s.byTwo, s.endedLate, s.foundFree} {
		if f, ok := s.pair(rule); ok {
			return f
		}
	}
	if f, ok := s.tooFew(); ok {
		return f
	}
	return s.finding(ruleOther, noOrder(len(s.calls)), everyOrder(s.teller, s.calls)...)
}

// lockStory is a problem of a lock without a legal order, about to be told.
type lockStory struct {
	teller
	calls            []lockCall
	grants, releases map[uint64]*history.Op // of all operations, by token: the first that was granted it; see lookUp
	unanswered       []time.Duration        // when acquires of unknown outcome began
}

func (s *lockStory) name(c lockCall) string { return s.nameOf(c.index) }

// pair calls rule for each two calls, a call and itself among them, until they are a finding.
func (s *lockStory) pair(rule func(a, b lockCall) (Finding, bool)) (Finding, bool) {
	for _, a := range s.calls {
		for _, b := range s.calls {
			if f, ok := rule(a, b); ok {
				return f, true
			}
		}
	}
	return Finding{}, false
}

func (s *lockStory) find(is func(c *lockCall) bool) (lockCall, bool) {
	i := slices.IndexFunc(s.calls, func(c lockCall) bool { return is(&c) })
	if i < 0 {
		return lockCall{}, false
	}
	return s.calls[i], true
}

// lookUp notes of all operations what stories ask of them. A release is the one that ended a tenure: if none was answered, the
// first to begin of those that may have. It may have begun after the story ends.
func (s *lockStory) lookUp() {
	s.grants, s.releases = map[uint64]*history.Op{}, map[uint64]*history.Op{}
	for _, op := range s.ops {
		switch {
		case op.F == "acquire" && op.Type == history.Info:
			s.unanswered = append(s.unanswered, op.Call)
		case op.F == "acquire" && op.Type == history.OK:
			if of := token(op.Output); s.grants[of] == nil {
				s.grants[of] = op
			}
		case op.F == "release" && op.Type != history.Fail:
			of := token(op.Input)
			if ended := s.releases[of]; ended == nil || ended.Type == history.Info && op.Type == history.OK {
				s.releases[of] = op
			}
		}
	}
}

// unknown is how many acquires of unknown outcome had begun by some time.
func (s *lockStory) unknown(by time.Duration) int {
	n, _ := slices.BinarySearch(s.unanswered, by+1)
	return n
}

// shows tells whether the lock was held under a token while c was carried out, and which.
func (c *lockCall) shows() (token uint64, ok bool) {
	return c.about(), c.about() > 0 && !c.maybe
}

// does is what an answer says.
func (s *lockStory) does(c lockCall) string {
	switch {
	case c.grants():
		return s.name(c) + " was granted the lock"
	case c.sees():
		return fmt.Sprintf("%s found it held under %d", s.name(c), c.token)
	}
	return fmt.Sprintf("%s gave %d back", s.name(c), c.release)
}

func (s *lockStory) absurd(a, _ lockCall) (Finding, bool) {
	if !a.sees() || a.release != a.token {
		return Finding{}, false
	}
	return s.finding(ruleNoAnswer, fmt.Sprintf("%s was refused because the lock is held under %d, which is what it was to give back.", s.name(a), a.token)), true
}

func (s *lockStory) twice(a, b lockCall) (Finding, bool) {
	switch {
	case a.index == b.index:
	case a.grants() && b.grants() && a.token == b.token:
		return s.finding(ruleTokenTwice, fmt.Sprintf("%s and %s were both granted token %d.", s.name(a), s.name(b), a.token)), true
	case a.returns() && b.returns() && a.release == b.release:
		return s.finding(ruleReturnedTwice, fmt.Sprintf("%s and %s both gave token %d back.", s.name(a), s.name(b), a.release),
			"Once it was given back the lock is not held under it again, for every grant has a higher token."), true
	}
	return Finding{}, false
}

// nowhere: a token was there, but nobody can have been granted it by then.
func (s *lockStory) nowhere(a, _ lockCall) (Finding, bool) {
	token, ok := a.shows()
	if !ok || a.grants() {
		return Finding{}, false
	}
	switch g := s.grants[token]; {
	case g != nil && g.Call > a.end:
		f := s.finding(ruleTokenNowhere, fmt.Sprintf("%s and had finished %s before %s, which was granted it, began.",
			s.does(a), words.Span(g.Call-a.end), nameOp(g)))
		f.Ops = append(f.Ops, g.Index)
		s.sortOps(&f)
		return f, true
	case g == nil && s.unknown(a.end) == 0:
		return s.finding(ruleTokenNowhere, fmt.Sprintf("%s; nobody was granted %d, and no acquire whose outcome is unknown had begun.", s.does(a), token)), true
	}
	return Finding{}, false
}

// tooFew: more tokens are without a grant than there are acquires of unknown outcome that had begun when the last of them
// was there.
func (s *lockStory) tooFew() (Finding, bool) {
	var tokens []uint64
	for _, c := range s.calls {
		if token, ok := c.shows(); ok && s.grants[token] == nil && !slices.Contains(tokens, token) {
			tokens = append(tokens, token)
		}
	}
	slices.Sort(tokens)
	var names []string
	for _, token := range tokens {
		names = append(names, strconv.FormatUint(token, 10))
		if n := s.unknown(s.thereBy(token)); n < len(names) {
			all := strings.Join(names, ", ")
			return s.finding(ruleTokenNowhere, fmt.Sprintf("the lock was held under %s; nobody was granted %s, and by then only %s whose outcome is unknown had begun.",
				all, all, words.Count(n, "acquire"))), true
		}
	}
	return Finding{}, false
}

// thereBy is when a token had been granted, since a call had ended that shows it or a higher one.
func (s *lockStory) thereBy(token uint64) time.Duration {
	by := history.Never
	for _, c := range s.calls {
		if shown, ok := c.shows(); ok && shown >= token {
			by = min(by, c.end)
		}
	}
	return by
}

// returned: a token was found after it had been given back.
func (s *lockStory) returned(a, b lockCall) (Finding, bool) {
	if !a.returns() || !b.sees() || b.token != a.release || a.end >= b.begin {
		return Finding{}, false
	}
	return s.finding(ruleTokenBack, fmt.Sprintf("%s, %s after %s.", s.does(b), words.Span(b.begin-a.end), s.does(a)),
		"Once it was given back the lock is not held under it again, for every grant has a higher token."), true
}

// goneBack: the lock was held under a token, and later it was granted or found held under a lower one.
func (s *lockStory) goneBack(a, b lockCall) (Finding, bool) {
	if b.returns() {
		return Finding{}, false
	}
	return s.lower(a, b)
}

// endedLate: the lock was held under a token, and later a lower one was given back, of which nothing else is known.
func (s *lockStory) endedLate(a, b lockCall) (Finding, bool) { return s.lower(a, b) }

// lower: b shows a lower token than a, which had ended before.
func (s *lockStory) lower(a, b lockCall) (Finding, bool) {
	high, ok1 := a.shows()
	low, ok2 := b.shows()
	if !ok1 || !ok2 || high <= low || a.end >= b.begin {
		return Finding{}, false
	}
	return s.finding(ruleTokenBack, fmt.Sprintf("%s, %s after %s.", s.does(b), words.Span(b.begin-a.end), s.does(a)),
		fmt.Sprintf("%s; it had finished at %s: by then %d was over or had not been, for tokens rise.", s.does(a), s.at(a.end), low),
		fmt.Sprintf("%s began at %s, and the lock was held under %d.", s.name(b), s.at(b.begin), low)), true
}

// byTwo: a shows that the lock was held under a higher token than b did, which nobody had begun to give back.
func (s *lockStory) byTwo(a, b lockCall) (Finding, bool) {
	high, ok1 := a.shows()
	low, ok2 := b.shows()
	if !ok1 || !ok2 || high <= low || b.returns() {
		return Finding{}, false
	}
	r := s.releases[low]
	if r != nil && a.end >= r.Call {
		return Finding{}, false
	}
	return s.finding(ruleHeldByTwo, fmt.Sprintf("%s, and %s; %s.", s.does(b), s.does(a), s.held(low, a, r)),
		fmt.Sprintf("The lock was held under %d before it was under %d, for tokens rise.", low, high),
		fmt.Sprintf("It was still held under %d when %s had finished at %s.", low, s.name(a), s.at(a.end))), true
}

// held says that a token had not been given back when c ended; r began later, or is nil.
func (s *lockStory) held(token uint64, c lockCall, r *history.Op) string {
	if r == nil {
		return fmt.Sprintf("nobody gave %d back", token)
	}
	return fmt.Sprintf("%s began only %s later", nameOp(r), words.Span(r.Call-c.end))
}

// foundFree: a release found the lock free, although it was held from before the call began until after it had ended.
func (s *lockStory) foundFree(a, b lockCall) (Finding, bool) {
	token, ok := b.shows()
	if !ok || !a.refused || a.token > 0 || b.returns() || b.end >= a.begin {
		return Finding{}, false
	}
	var until string
	later, found := s.find(func(c *lockCall) bool { return c.sees() && c.token == token && c.begin > a.end })
	switch r := s.releases[token]; {
	case found:
		until = fmt.Sprintf("%s later %s", words.Span(later.begin-a.end), s.does(later))
	case r != nil && r.Call <= a.end:
		return Finding{}, false
	default:
		until = s.held(token, a, r)
	}
	return s.finding(ruleFoundFree, fmt.Sprintf("%s found the lock free, %s after %s; %s.", s.name(a), words.Span(a.begin-b.end), s.does(b), until)), true
}

// finding makes a Finding whose witnesses are the whole story, for it was confirmed as a whole.
func (s *lockStory) finding(rule, text string, proof ...string) Finding {
	f := Finding{Key: s.key, Rule: rule, Text: text, Proof: proof}
	for _, c := range s.calls {
		f.Ops = append(f.Ops, int(c.index))
	}
	s.sortOps(&f)
	return f
}
