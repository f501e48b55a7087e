package results

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// Limits of the page over many runs.
const (
	indexRuns     = 2000 // the newest ones
	indexFindings = 3    // of one run
)

type indexPage struct {
	Name   string
	Counts []countRow
	Rows   []indexRow
	Left   int
	By     string
}

type countRow struct {
	State, Mark, Text string
	N                 string
}

type indexRow struct {
	State, Mark, Link, Name, Started string
	Workload, Faults, Bug, Seed, Ops string
	Reason, Command                  string
	Findings                         []findingRow
	More                             int
}

// WriteIndex writes index.html over all runs in out: what a soak found, or the list of all that
// results/_runs holds.
func WriteIndex(out string) error {
	runs, err := List(out)
	if err != nil {
		return err
	}
	page := indexPage{Name: clean(filepath.Base(out), valueLimit), Counts: countsOf(runs), Left: max(0, len(runs)-indexRuns)}
	if abs, err := filepath.Abs(out); err == nil {
		page.Name = clean(filepath.Base(abs), valueLimit)
	}
	for _, s := range runs[:len(runs)-page.Left] {
		page.Rows = append(page.Rows, indexRowOf(s))
	}
	html, err := execute("runs.html", page)
	if err != nil {
		return fmt.Errorf("index of %s: %w", out, err)
	}
	return writeFile(filepath.Join(out, "index.html"), html)
}

// countsOf says how many runs came to which state, and what they did in all.
func countsOf(runs []Summary) []countRow {
	of, ops, findings := map[State]int{}, 0, 0
	for _, s := range runs {
		of[s.State]++
		ops += s.Verdict.Ops.All()
		findings += len(s.Verdict.Findings)
	}
	rows := []countRow{{Text: "runs", N: thousands(len(runs))}}
	for _, state := range []State{IsInvalid, IsUnknown, IsValid, Unfinished, Broken} {
		if of[state] > 0 || state == IsInvalid {
			rows = append(rows, countRow{State: string(state), Mark: markOf(state), Text: string(state), N: thousands(of[state])})
		}
	}
	return append(rows, countRow{Text: "findings", N: thousands(findings)}, countRow{Text: "operations", N: thousands(ops)})
}

func indexRowOf(s Summary) indexRow {
	m := s.Manifest
	row := indexRow{State: string(s.State), Mark: markOf(s.State), Name: clean(s.Dir.Name(), valueLimit),
		Workload: clean(strings.TrimSpace(m.Workload+" "+m.System), valueLimit), Faults: clean(strings.Join(m.Faults, ", "), errLimit),
		Bug: clean(m.Bug, valueLimit), Seed: strconv.FormatUint(m.Seed, 10), Reason: clean(s.Verdict.Reason, errLimit),
		Command: clean(Again(m), errLimit*2)}
	if !m.Started.IsZero() {
		row.Started = m.Started.UTC().Format("2006-01-02 15:04:05")
	}
	if n := s.Verdict.Ops.All(); n > 0 {
		row.Ops = thousands(n)
	}
	if s.Err != nil {
		row.Reason = clean(strings.ReplaceAll(s.Err.Error(), s.Dir.Path()+"/", ""), errLimit*2)
	}
	base := (&url.URL{Path: "./" + s.Dir.Name() + "/"}).String()
	if exists(s.Dir.Index()) {
		row.Link = base + "index.html"
	}
	for i, f := range s.Verdict.Findings[:min(len(s.Verdict.Findings), indexFindings)] {
		shown := findingRowOf(i+1, f)
		shown.Link = ""
		if exists(s.Dir.Violation(i + 1)) {
			shown.Link = base + violationName(i+1) + ".html"
		}
		row.Findings = append(row.Findings, shown)
	}
	row.More = len(s.Verdict.Findings) - len(row.Findings)
	return row
}
