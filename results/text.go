package results

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ordeal/checker"
	"ordeal/history"
)

// textColumns is how wide the blocks are, in characters.
const textColumns = 100

// fullBlocks is how many findings the terminal gets in full; the rest get a line each.
const (
	fullBlocks = 3
	lineBlocks = 20
)

// Text is what the terminal says at the end of a run: the findings, or else the verdict with what it
// rests on.
func (r *Run) Text(colour bool) string {
	var b strings.Builder
	for n := range r.Verdict.Findings {
		switch {
		case n < fullBlocks:
			b.WriteString(r.FindingText(n+1, colour) + "\n")
		case n < fullBlocks+lineBlocks:
			f := r.Verdict.Findings[n]
			fmt.Fprintf(&b, "%s  %s  %s\n", paint(checker.Invalid, "INVALID", colour), findingTitle(f), clean(f.Text, errLimit))
		}
	}
	if left := len(r.Verdict.Findings) - fullBlocks - lineBlocks; left > 0 {
		fmt.Fprintf(&b, "  … and %s; verdict.json has all\n", plural(left, "more finding"))
	}
	if len(r.Verdict.Findings) > fullBlocks {
		b.WriteString("\n")
	}
	return b.String() + r.summaryText(colour)
}

// summaryText is the verdict in one line, and what it rests on.
func (r *Run) summaryText(colour bool) string {
	h := r.header()
	var b strings.Builder
	word := strings.ToUpper(h.State)
	left := word + "  " + strings.TrimSpace(h.Workload+" "+onSystem(h))
	b.WriteString(paintWord(r.Verdict.Status, headline(left, h), word, colour) + "\n")
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-9s %s\n", name, text)
		}
	}
	line("why", h.Reason)
	line("ops", opsLine(r.figures.Ops, r.figures.End))
	if l := r.figures.Latency; l.Max > 0 {
		line("latency", fmt.Sprintf("p50 %s, p99 %s, max %s; longest outage %s (%s)", span(l.P50), span(l.P99), span(l.Max),
			span(r.figures.Outage.length()), between(r.figures.Outage.From, r.figures.Outage.To)))
	}
	line("faults", r.bittenLine())
	for i, w := range r.toothless() {
		if i == 5 {
			line("", fmt.Sprintf("… and %d more that never bit", len(r.toothless())-i))
			break
		}
		line("", fmt.Sprintf("%s, %s: %s", faultName(w), between(w.From, w.To), clean(proofOfBite(w), errLimit)))
	}
	line("recovery", r.recoveryLine())
	line("checkers", checkersLine(r.Verdict.Checkers))
	for _, n := range r.Notes {
		line("note", clean(n, sentenceLimit))
	}
	if r.Verdict.Status != checker.Valid && len(r.Verdict.Findings) == 0 {
		line("again", h.Command)
	}
	line("report", clean(r.Dir.Index(), commandLimit))
	return b.String()
}

func onSystem(h runHeader) string {
	if h.System == "" {
		return ""
	}
	return strings.TrimSpace("on " + h.System + "  " + h.Nodes)
}

// toothless are the windows of faults that never bit.
func (r *Run) toothless() []history.Window {
	return slices.DeleteFunc(slices.Clone(r.Windows), func(w history.Window) bool { return w.Bit })
}

// FindingText is one finding as a block, counted from 1: what broke, the drawing, what to do.
func (r *Run) FindingText(n int, colour bool) string {
	f := r.Verdict.Findings[n-1]
	h := r.header()
	var b strings.Builder
	left := "INVALID  " + h.Workload + "  " + findingTitle(f)
	b.WriteString(paintWord(checker.Invalid, headline(left, h), "INVALID", colour) + "\n")
	fmt.Fprintf(&b, "  %s\n", sentenceOf(f))
	if drawing := r.drawingOf(f); drawing != "" {
		b.WriteString("\n" + indent(drawing, "  ") + "\n")
	}
	if timed(f) {
		fmt.Fprintf(&b, "  during  %s\n", clean(nonEmpty(f.Window, between(f.From, f.To)+", no fault"), errLimit))
	}
	if h.Command != "" {
		fmt.Fprintf(&b, "  again   %s\n", h.Command)
	}
	fmt.Fprintf(&b, "  report  %s\n", clean(r.Dir.Violation(n), commandLimit))
	return b.String()
}

// headline puts the seed and the commit at the right end of the first line.
func headline(left string, h runHeader) string {
	right := strings.TrimSpace("seed " + h.Seed + "  " + h.Commit)
	gap := textColumns - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	return left + strings.Repeat(" ", max(gap, 2)) + right
}

func indent(text, by string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(by+l, " ")
	}
	return strings.Join(lines, "\n")
}

// paint colours a verdict's word. The word itself says it all, so that nothing hangs on the colour.
func paint(s checker.Status, text string, colour bool) string {
	if !colour {
		return text
	}
	code := map[checker.Status]string{checker.Valid: "1;34", checker.Unknown: "1;33", checker.Invalid: "1;35"}[s]
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func paintWord(s checker.Status, line, word string, colour bool) string {
	return paint(s, word, colour) + strings.TrimPrefix(line, word)
}

// fullText is the .txt twin of a violation's page.
func (r *Run) fullText(v violation) string {
	var b strings.Builder
	b.WriteString(r.FindingText(v.Number, false))
	section := func(name string) { b.WriteString("\n" + name + "\n") }
	section("At that moment")
	for _, f := range v.Facts {
		fmt.Fprintf(&b, "  %-9s %s\n", f.Name, f.Text)
	}
	section("Proof")
	for i, step := range append(slices.Clone(v.Proof), v.Clinch) {
		fmt.Fprintf(&b, "  %2d  %s\n", i+1, step)
	}
	if v.Timed {
		section("Operations around it")
	}
	for _, c := range v.Context {
		mark := " "
		if c.Skipped > 0 {
			fmt.Fprintf(&b, "        … %s\n", plural(c.Skipped, "operation"))
		}
		if c.Witness {
			mark = ">"
		}
		line := fmt.Sprintf("%s %7d  %-5s %-24s %-5s %-4s %11s  %11s  %8s  %s %s", mark, c.Index, fmt.Sprint("p", c.Process), c.Op,
			c.Type, c.Node, c.Call, c.Return, c.Took, c.Version, c.Err)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	section("Logs of the nodes, " + v.LogRange)
	for _, l := range v.logLines() {
		fmt.Fprintf(&b, "  %11s %-4s %-3s %s\n", l.Time, l.Node, l.Stream, l.Text)
	}
	if v.LogLeft > 0 {
		fmt.Fprintf(&b, "  (%s left out, farthest from the violation; nodes/ has all)\n", plural(v.LogLeft, "line"))
	}
	return b.String()
}
