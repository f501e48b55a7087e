package results

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"ordeal/history"
)

// Limits of a violation's page.
const (
	violationLimit = 150 << 10              // bytes of the page
	violationPages = 50                     // pages of one run
	contextOps     = 20                     // operations in the table
	logAround      = 2 * time.Second        // of the nodes' logs on either side
	logClose       = 100 * time.Millisecond // what is shown of it without unfolding
	logUnfolded    = 60                     // lines that are shown without folding any
	proofLimit     = 24 << 10               // bytes of the proof, as HTML
)

// violation is what is known about one finding, ready for a template; all of it is clean.
type violation struct {
	Number   int
	Run      runHeader
	Title    string // k3: stale read
	Sentence string
	Facts    []fact // faults, leader and term at that moment, …
	Timed    bool   // it happened at a known time; replicas that differ at the end did not
	Picture  picture
	Proof    []string
	Clinch   string // the last step: the contradiction
	Key      string
	Context  []contextRow
	Logs     []logPart
	LogRange string
	LogLeft  int // lines that are not shown
}

// fact is a name with what is known about it.
type fact struct{ Name, Text string }

// contextRow is one operation in the table around a violation.
type contextRow struct {
	Index, Process                                   int
	Op, Type, Node, Call, Return, Took, Version, Err string
	Witness                                          bool
	Skipped                                          int // operations between this and the one before
}

// logPart is a stretch of the merged logs; what is not close to the violation is folded.
type logPart struct {
	Name   string
	Folded bool
	Lines  []shownLine
}

// shownLine is one line of the merged logs.
type shownLine struct {
	Time, Node, Stream, Text string
	Inside                   bool // between the first call and the last return of the witnesses
}

// violationOf gathers everything but the logs.
func (r *Run) violationOf(n int) violation {
	f := r.Verdict.Findings[n-1]
	ops := r.witnesses(f)
	v := violation{Number: n, Run: r.header(), Title: findingTitle(f), Sentence: sentenceOf(f)}
	v.Key = clean(f.Key, valueLimit)
	v.Facts = r.factsOf(f, ops)
	if v.Timed = timed(f); v.Timed {
		v.Picture, v.Context = r.witnessPicture(f, ops), r.contextOf(f, ops)
	}
	v.Proof = proofOf(f, ops)
	if n := len(v.Proof); n > 0 {
		v.Clinch, v.Proof = v.Proof[n-1], v.Proof[:n-1]
	}
	return v
}

// timed tells whether it is known when f happened.
func timed(f Finding) bool { return len(f.Ops) > 0 || f.To > 0 }

// findingTitle is a finding in few words: k3: stale read.
func findingTitle(f Finding) string {
	if f.Key == "" {
		return clean(f.Rule, valueLimit)
	}
	return clean(f.Key, valueLimit) + ": " + clean(f.Rule, valueLimit)
}

// sentenceOf says what broke, and that nobody else confirmed it, if so.
func sentenceOf(f Finding) string {
	return strings.TrimSuffix(clean(f.Text, sentenceLimit)+" "+clean(f.Unconfirmed, sentenceLimit), " ")
}

func (r *Run) factsOf(f Finding, ops []history.Op) []fact {
	moment := f.To
	if len(ops) > 0 {
		moment = ops[accused(f, ops)].Call
	}
	facts := []fact{{"found by", clean(f.Checker, valueLimit)}}
	if !timed(f) {
		return facts
	}
	facts = append(facts, fact{"time", between(f.From, f.To)})
	if l, ok := leaderAt(r.reigns, moment); ok {
		facts = append(facts, fact{"leader", fmt.Sprintf("%s in term %d, at %s", clean(l.Node, valueLimit), l.Term, instant(moment))})
	}
	open := overlapping(r.Windows, f.From, f.To)
	for _, w := range open[:min(len(open), 6)] {
		facts = append(facts, fact{"fault", fmt.Sprintf("%s, %s, %s", faultName(w), between(w.From, w.To), clean(proofOfBite(w), errLimit))})
	}
	switch {
	case len(open) == 0 && f.Window != "":
		facts = append(facts, fact{"fault", clean(f.Window, errLimit)})
	case len(open) == 0:
		facts = append(facts, fact{"fault", "none was active"})
	}
	return facts
}

// proofOf is the checker's proof; where it gave none, what the witnesses say and the sentence. Of a
// proof that is too long for a page it keeps the beginning and the contradiction.
func proofOf(f Finding, ops []history.Op) []string {
	steps := cleanAll(f.Proof, sentenceLimit)
	if len(steps) == 0 {
		for _, op := range ops {
			steps = append(steps, opTitle(op))
		}
		steps = append(steps, clean(f.Text, sentenceLimit))
	}
	size, kept, last := 0, 0, len(steps)-1
	for ; kept < last; kept++ {
		if size += htmlSize(steps[kept]); size > proofLimit {
			break
		}
	}
	if kept == last {
		return steps
	}
	left := fmt.Sprintf("(%s left out; verdict.json has them)", plural(last-kept, "step"))
	return append(steps[:kept:kept], left, steps[last])
}

// contextOf picks the operations around the accused on the finding's key, and all witnesses.
func (r *Run) contextOf(f Finding, witnesses []history.Op) []contextRow {
	var key []history.Op
	for _, op := range r.Ops {
		if f.Key == "" || op.Key == f.Key {
			key = append(key, op)
		}
	}
	isWitness := func(op history.Op) bool {
		return slices.ContainsFunc(witnesses, func(w history.Op) bool { return w.Index == op.Index })
	}
	centre := f.To
	if len(witnesses) > 0 {
		centre = witnesses[accused(f, witnesses)].Call
	}
	at, _ := slices.BinarySearchFunc(key, centre, func(op history.Op, t time.Duration) int { return cmp.Compare(op.Call, t) })
	first := max(0, min(at-contextOps/2, len(key)-contextOps))
	var rows []contextRow
	skipped := 0
	for i, op := range key {
		near := first <= i && i < first+contextOps
		if !near && !isWitness(op) {
			skipped++
			continue
		}
		row := contextRowOf(op)
		row.Witness = isWitness(op)
		if len(rows) > 0 {
			row.Skipped = skipped
		}
		skipped = 0
		rows = append(rows, row)
	}
	return rows
}

func contextRowOf(op history.Op) contextRow {
	row := contextRow{Index: op.Index, Process: op.Process, Op: label(op), Type: op.Type.String(),
		Node: clean(op.Node, valueLimit), Call: instant(op.Call), Return: "never", Took: "?",
		Err: clean(op.Err, errLimit/2)}
	if op.Return != history.Never {
		row.Return, row.Took = instant(op.Return), span(op.Return-op.Call)
	}
	if op.Term > 0 {
		row.Version = fmt.Sprintf("t%d", op.Term)
	}
	if op.Revision > 0 {
		row.Version = strings.TrimSpace(fmt.Sprintf("%s r%d", row.Version, op.Revision))
	}
	return row
}

// logQueryOf asks for the part of the logs that belongs to a finding; for one without a time, the end.
func (r *Run) logQueryOf(f Finding) logQuery {
	focus := stretch{f.From, min(f.To, r.figures.End)}
	if !timed(f) {
		focus = stretch{r.figures.End, r.figures.End}
	}
	return logQuery{Of: stretch{focus.From - logAround, focus.To + logAround}, Focus: focus}
}

// addLogs fills v with as many lines as fit into budget bytes of HTML: those nearest to the
// violation, and the harness's own.
func (v *violation) addLogs(q logQuery, logs logRange, budget int) {
	v.Logs, v.LogRange, v.LogLeft = nil, between(max(0, q.Of.From), q.Of.To), logs.Left
	order := make([]int, len(logs.Lines))
	for i := range order {
		order[i] = i
	}
	distance := func(i int) time.Duration {
		l := logs.Lines[i]
		if l.Stream == "---" {
			return -1
		}
		return max(0, q.Focus.From-l.Time, l.Time-q.Focus.To)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(distance(a), distance(b)) })
	shown := make([]int, 0, len(order))
	for _, i := range order {
		line := shownLineOf(q, logs.Lines[i])
		if budget -= line.size(); budget < 0 {
			break
		}
		shown = append(shown, i)
	}
	slices.Sort(shown)
	parts := []logPart{{Name: "before", Folded: true}, {}, {Name: "after", Folded: true}}
	for _, i := range shown {
		part := &parts[1]
		switch l := logs.Lines[i]; {
		case l.Time < q.Focus.From-logClose:
			part = &parts[0]
		case l.Time > q.Focus.To+logClose:
			part = &parts[2]
		}
		part.Lines = append(part.Lines, shownLineOf(q, logs.Lines[i]))
	}
	if len(shown) <= logUnfolded {
		parts = []logPart{{Lines: slices.Concat(parts[0].Lines, parts[1].Lines, parts[2].Lines)}}
	}
	v.Logs = slices.DeleteFunc(parts, func(p logPart) bool { return len(p.Lines) == 0 })
	v.LogLeft += len(order) - len(shown)
}

func shownLineOf(q logQuery, l logLine) shownLine {
	return shownLine{Time: instant(l.Time), Node: clean(l.Node, valueLimit), Stream: clean(l.Stream, 3),
		Text: clean(strings.ReplaceAll(l.Text, "\t", "    "), logLineLimit), Inside: q.Focus.From <= l.Time && l.Time <= q.Focus.To}
}

// size is how many bytes of HTML the line takes, at most.
func (l shownLine) size() int {
	const markup = 56
	return markup + len(l.Time) + htmlSize(l.Node+l.Stream+l.Text)
}

// htmlSize is the length of s as html/template writes it.
func htmlSize(s string) int { return len(template.HTMLEscapeString(s)) + 4*strings.Count(s, "+") }

func (v violation) logLines() []shownLine {
	var lines []shownLine
	for _, p := range v.Logs {
		lines = append(lines, p.Lines...)
	}
	return lines
}
