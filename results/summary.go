package results

import (
	"fmt"
	"strings"

	"ordeal/checker"
)

// summaryLimit is what GitHub accepts as the summary of a step, in bytes.
const summaryLimit = 64 << 10

// renderSummary makes summary.md: the verdict, the findings as blocks, the faults as a table. What
// does not fit is only counted.
func renderSummary(r *Run) ([]output, error) {
	h := r.header()
	var b strings.Builder
	fmt.Fprintf(&b, "## %s %s: %s\n\n", h.Mark, strings.ToUpper(h.State), markdown(strings.TrimSpace(h.Workload+" "+onSystem(h)+", seed "+h.Seed)))
	if h.Reason != "" {
		fmt.Fprintf(&b, "%s\n\n", markdown(h.Reason))
	}
	left := 0
	for n := range r.Verdict.Findings {
		block := fmt.Sprintf("### %s\n\n%s\n", markdown(findingTitle(r.Verdict.Findings[n])), fence(r.FindingText(n+1, false)))
		if b.Len()+len(block) > summaryLimit/2 {
			left++
			continue
		}
		b.WriteString(block)
	}
	if left > 0 {
		fmt.Fprintf(&b, "… and %s in `verdict.json`.\n\n", plural(left, "more finding"))
	}
	b.WriteString("| | |\n|---|---|\n")
	for _, f := range r.numbers() {
		fmt.Fprintf(&b, "| %s | %s |\n", f.Name, markdown(f.Text))
	}
	for _, c := range r.Verdict.Checkers {
		fmt.Fprintf(&b, "| checker %s | %s |\n", markdown(clean(c.Name, valueLimit)), markdown(checkerText(c)))
	}
	if h.Command != "" {
		b.WriteString("\n" + fence(h.Command))
	}
	b.WriteString(r.windowsTable(summaryLimit - b.Len() - 200))
	return []output{{r.Dir.StepSummary(), []byte(b.String())}}, nil
}

func checkerText(c CheckerRow) string {
	s := fmt.Sprintf("%s %s in %s", markOf(stateOf(c.Status)), c.Status, spanMS(c.ElapsedMS))
	if c.Status != checker.Valid && c.Reason != "" {
		s += ": " + clean(c.Reason, errLimit)
	}
	return s
}

func (r *Run) windowsTable(budget int) string {
	if len(r.figures.Windows) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| fault | window | did it bite? | ok | info | fail | first ok after |\n|---|---|---|--:|--:|--:|--:|\n")
	for i, w := range r.figures.Windows {
		row := windowRowOf(w, nil)
		mark := "✓ "
		if !row.Bit {
			mark = "✗ "
		}
		line := fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", markdown(row.Fault), row.Span, markdown(mark+row.Evidence),
			row.OK, row.Info, row.Fail, markdown(strings.TrimSpace(row.Recovery+" "+row.Slowest)))
		if b.Len()+len(line) > budget {
			fmt.Fprintf(&b, "\n… and %s more.\n", plural(len(r.figures.Windows)-i, "window"))
			break
		}
		b.WriteString(line)
	}
	return b.String()
}

// markdown escapes what GitHub's Markdown would read as more than text: marks, HTML, links, mentions.
func markdown(s string) string { return markdownMarks.Replace(s) }

var markdownMarks = strings.NewReplacer(`\`, `\\`, "`", "\\`", `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `#`, `\#`, `|`, `\|`,
	`~`, `\~`, `$`, `\$`, `<`, `&lt;`, `>`, `&gt;`, `&`, `&amp;`, `@`, `&#64;`, `://`, `&#58;//`, `www.`, `www&#46;`)

// fence is a code block whose fence is longer than any in the text.
func fence(text string) string {
	marks := "```"
	for strings.Contains(text, marks) {
		marks += "`"
	}
	return marks + "text\n" + strings.TrimRight(text, "\n") + "\n" + marks + "\n"
}
