package checker

import (
	"fmt"
	"time"

	"ordeal/history"
	"ordeal/internal/words"
)

// versionStory is some answers about to be told.
type versionStory struct {
	teller
	s *versionScan
}

// tell begins a finding about calls.
func (s *versionScan) tell(rule string, about ...answer) (versionStory, *Finding) {
	t := versionStory{newTeller(s.ops), s}
	f := &Finding{Key: t.key, Rule: rule}
	var begins, ends []time.Duration
	for _, c := range about {
		f.Ops = append(f.Ops, int(c.index))
		begins, ends = append(begins, c.begin), append(ends, c.end)
	}
	t.digits = precision(begins, ends)
	t.sortOps(f)
	return t, f
}

func (t versionStory) name(c answer) string { return t.nameOf(c.index) }

func (t versionStory) value(v value) string { return history.ValueLabel(t.s.problem.values[v]) }

// answer is what an answer says of its revision.
func (t versionStory) answer(c answer) string {
	switch {
	case c.writes == null: // of what was absent it may have changed nothing
		return fmt.Sprintf("left revision %d", c.revision)
	case c.writes != none:
		return fmt.Sprintf("made revision %d", c.revision)
	}
	return fmt.Sprintf("found revision %d", c.revision)
}

// tellBack tells of a, which had ended when b, of a lower revision, began.
func (s *versionScan) tellBack(a, b answer) *Finding {
	t, f := s.tell(ruleRevisionBack, a, b)
	f.Text = fmt.Sprintf("%s %s, %s after %s had %s.", t.name(b), t.answer(b), words.Span(b.begin-a.end), t.name(a), t.answer(a))
	contrast := "lower than"
	if a.revision == b.revision {
		contrast = "not higher than"
	}
	f.Proof = []string{
		fmt.Sprintf("%s %s; it had finished at %s.", t.name(a), t.answer(a), t.at(a.end)),
		fmt.Sprintf("%s began at %s, so it comes after.", t.name(b), t.at(b.begin)),
		fmt.Sprintf("But it %s, which is %s %d.", t.answer(b), contrast, a.revision),
	}
	return f
}

func (s *versionScan) tellTwice(a, b answer) *Finding {
	t, f := s.tell(ruleRevisionTwice, a, b)
	f.Text = fmt.Sprintf("%s and %s both made revision %d.", t.name(a), t.name(b), a.revision)
	f.Proof = []string{"Each of them changed the key, and every change has a revision of its own."}
	return f
}

func (s *versionScan) tellTwoValues(a, b answer) *Finding {
	t, f := s.tell(ruleRevisionValues, a, b)
	f.Text = fmt.Sprintf("%s and %s are both of revision %d, but the value is %s for the one and %s for the other.",
		t.name(a), t.name(b), a.revision, t.value(a.leaves()), t.value(b.leaves()))
	f.Proof = []string{
		fmt.Sprintf("%s %s; the value is %s.", t.name(a), t.answer(a), t.value(a.leaves())),
		fmt.Sprintf("%s %s; the value is %s.", t.name(b), t.answer(b), t.value(b.leaves())),
		"A revision is one change, which left one value behind.",
	}
	return f
}

// tellCause tells of a cas, of an answer of a higher revision with the value that the cas replaced, and of the only one
// to write that.
func (s *versionScan) tellCause(cas, old answer, writer *call) *Finding {
	t, f := s.tell(ruleRevisionCause, cas, old, answer{call: writer})
	v := t.value(cas.reads)
	f.Text = fmt.Sprintf("%s %s, but %s, which it replaced, was there at revision %d: %s.", t.name(cas), t.answer(cas), v, old.revision, t.name(old))
	f.Proof = []string{
		fmt.Sprintf("%s was written once, by %s, so when it had been replaced it was not there again.", v, t.nameOf(writer.index)),
		fmt.Sprintf("%s replaced it and %s.", t.name(cas), t.answer(cas)),
		fmt.Sprintf("%s %s, which is higher, and the value is %s.", t.name(old), t.answer(old), v),
	}
	return f
}
