package results

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"ordeal/checker"
	"ordeal/history"
)

// Limits that keep the run page below 2,000 elements.
const (
	windowRows  = 40
	findingRows = 25
	fileRows    = 30
)

// runPage is index.html of a run, ready for the template; all of it is clean.
type runPage struct {
	Run                     runHeader
	Setup, Numbers          []fact
	Findings                []findingRow
	FindingsLeft            int
	Overview, Rate, Latency picture
	Windows                 []windowRow
	WindowsLeft             int
	Checkers                []checkerRow
	Recovery                []recoveryShown
	Bound                   string
	Notes                   []string
	Files                   []fileRow
}

type findingRow struct {
	Number               int
	Link                 string // empty if it has no page
	Title, Text, Checker string
	At, Window           string
}

type windowRow struct {
	Fault, Role, Span, Length, Evidence string
	Bit                                 bool
	OK, Info, Fail                      string
	Outage, Recovery, Slowest           string
	Late                                bool // a target did not recover
	Before, During, After               string
	Findings                            []int // numbers of the first ones that happened inside
}

type checkerRow struct{ Name, State, Mark, Reason, Engine, Elapsed string }

type recoveryShown struct {
	Node, Took string
	Late       bool
	Width      px // of its bar, at most 100
}

type fileRow struct{ Name, Link, Size string }

func (r *Run) page() runPage {
	p := runPage{Run: r.header(), Setup: r.setup(), Numbers: r.numbers(), Overview: r.overview(), Rate: r.rateChart(),
		Latency: r.latencyChart(), Files: r.files(), Notes: cleanAll(r.Notes, sentenceLimit)}
	if r.Manifest.Bound > 0 {
		p.Bound = span(r.Manifest.Bound)
	}
	findings := r.Verdict.Findings
	for i, f := range findings[:min(len(findings), findingRows)] {
		p.Findings = append(p.Findings, findingRowOf(i+1, f))
	}
	p.FindingsLeft = len(findings) - len(p.Findings)
	for _, w := range r.figures.Windows[:min(len(r.figures.Windows), windowRows)] {
		p.Windows = append(p.Windows, windowRowOf(w, findings[:min(len(findings), violationPages)]))
	}
	p.WindowsLeft = len(r.figures.Windows) - len(p.Windows)
	for _, c := range r.Verdict.Checkers {
		p.Checkers = append(p.Checkers, checkerRow{Name: clean(c.Name, valueLimit), State: c.Status.String(),
			Mark: markOf(stateOf(c.Status)), Reason: clean(c.Reason, sentenceLimit), Engine: clean(c.Engine, valueLimit), Elapsed: spanMS(c.ElapsedMS)})
	}
	p.Recovery = r.recoveryShown()
	return p
}

func (r *Run) numbers() []fact {
	facts := []fact{{"operations", opsLine(r.figures.Ops, r.figures.End)}}
	if l := r.figures.Latency; l.Max > 0 {
		facts = append(facts,
			fact{"latency", fmt.Sprintf("p50 %s, p95 %s, p99 %s, max %s", span(l.P50), span(l.P95), span(l.P99), span(l.Max))},
			fact{"outage", fmt.Sprintf("longest without an ok: %s (%s)", span(r.figures.Outage.length()), between(r.figures.Outage.From, r.figures.Outage.To))})
	}
	facts = append(facts, fact{"faults", r.bittenLine()})
	if line := r.recoveryLine(); line != "" {
		facts = append(facts, fact{"recovery", line})
	}
	return facts
}

func findingRowOf(n int, f Finding) findingRow {
	row := findingRow{Number: n, Title: findingTitle(f), Text: sentenceOf(f), Checker: clean(f.Checker, valueLimit)}
	if timed(f) {
		row.At, row.Window = between(f.From, f.To), clean(nonEmpty(f.Window, "no fault active"), errLimit)
	}
	if n <= violationPages {
		row.Link = violationName(n) + ".html"
	}
	return row
}

func windowRowOf(w windowFigures, findings []Finding) windowRow {
	row := windowRow{Fault: faultName(w.Window), Role: clean(w.Role, valueLimit), Bit: w.Bit,
		OK: thousands(w.Ops.OK), Info: thousands(w.Ops.Info), Fail: thousands(w.Ops.Fail),
		Span: between(w.From, w.To), Evidence: clean(proofOfBite(w.Window), sentenceLimit), Outage: span(w.Outage.length()),
		Before: quantileText(w.Before), During: quantileText(w.During), After: quantileText(w.After), Slowest: clean(w.Slowest, valueLimit)}
	if w.To != history.Never {
		row.Length = span(w.To - w.From)
		row.Recovery, row.Late = span(w.Recovery), w.Recovery == history.Never
	}
	if row.Late {
		row.Recovery = "never"
	}
	for i, f := range findings {
		if len(row.Findings) < 3 && timed(f) && f.From <= w.To && f.To >= w.From {
			row.Findings = append(row.Findings, i+1)
		}
	}
	return row
}

func quantileText(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return span(d)
}

func (r *Run) recoveryShown() []recoveryShown {
	var shown []recoveryShown
	var most float64
	rows := r.recoveryRows()
	for _, row := range rows {
		most = max(most, row.MS)
	}
	for _, row := range rows {
		s := recoveryShown{Node: row.Node, Took: spanMS(row.MS), Width: px(100 * row.MS / max(most, 1))}
		if row.Never {
			s.Took, s.Width = "never answered", 100
		}
		s.Late = row.Never || r.Manifest.Bound > 0 && row.MS > float64(r.Manifest.Bound.Milliseconds())
		shown = append(shown, s)
	}
	return shown
}

// files lists what the run directory holds, largest first, without what is a page of this report.
func (r *Run) files() []fileRow {
	type found struct {
		name string
		size int64
	}
	var all []found
	dir := os.DirFS(r.Dir.Path())
	for _, pattern := range []string{"*", "nodes/*"} {
		names, _ := fs.Glob(dir, pattern) // the patterns are right, and what cannot be read is not listed
		for _, name := range names {
			info, err := fs.Stat(dir, name)
			if err == nil && info.Mode().IsRegular() && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".html") {
				all = append(all, found{name, info.Size()})
			}
		}
	}
	slices.SortFunc(all, func(a, b found) int { return cmp.Or(cmp.Compare(b.size, a.size), strings.Compare(a.name, b.name)) })
	rows := make([]fileRow, 0, fileRows)
	for _, f := range all[:min(len(all), fileRows)] {
		link := url.URL{Path: "./" + f.name}
		rows = append(rows, fileRow{Name: clean(f.name, valueLimit), Link: link.String(), Size: bytesOf(f.size)})
	}
	return rows
}

// worst is Invalid if anything is.
func worst(rows []CheckerRow) checker.Status {
	s := checker.Valid
	for _, c := range rows {
		s = max(s, c.Status)
	}
	return s
}
