package results

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ordeal/checker"
)

// runHeader is what every page says about its run; all of it is clean.
type runHeader struct {
	Name, State, Mark      string // Mark is the state's sign, for those who do not see its colour
	Workload, System, Seed string
	Commit, Started        string
	By                     string // ordeal and its version
	Nodes                  string
	Reason                 string
	Command                string
}

func (r *Run) header() runHeader {
	m := r.Manifest
	h := runHeader{Name: clean(r.Dir.Name(), valueLimit), State: r.Verdict.Status.String(), Mark: markOf(stateOf(r.Verdict.Status)),
		Workload: clean(nonEmpty(m.Workload, "workload ?"), valueLimit), System: clean(m.System, valueLimit),
		Seed: strconv.FormatUint(m.Seed, 10), Commit: commitOf(m), Reason: clean(r.Verdict.Reason, sentenceLimit),
		Command: clean(Again(m), commandLimit)}
	h.By = "ordeal " + strings.TrimPrefix(h.Commit, "ordeal ")
	if m.Nodes > 0 {
		h.Nodes = plural(m.Nodes, "node")
	}
	if !m.Started.IsZero() {
		h.Started = m.Started.UTC().Format("2006-01-02 15:04:05 UTC")
	}
	return h
}

// markOf is a state's sign.
func markOf(s State) string {
	switch s {
	case IsValid:
		return "✓"
	case IsInvalid:
		return "✗"
	case IsUnknown:
		return "?"
	case Unfinished:
		return "…"
	default:
		return "!"
	}
}

// hash is a git commit as the build information has it.
var hash = regexp.MustCompile(`^[0-9a-f]{7,40}(-dirty)?$`)

// commitOf names the harness that ran: commit 1a2b3c4, or ordeal v0.3.0.
func commitOf(m Manifest) string {
	switch v := m.Ordeal; {
	case v == "":
		return ""
	case hash.MatchString(v):
		short, dirty, _ := strings.Cut(v, "-")
		if dirty != "" {
			dirty = "-" + dirty
		}
		return "commit " + short[:7] + dirty
	default:
		return "ordeal " + clean(v, valueLimit)
	}
}

// setup is the manifest as names and values, in the order in which a reader wants them.
func (r *Run) setup() []fact {
	m := r.Manifest
	facts := []fact{
		{"started", r.header().Started},
		{"harness", commitOf(m)},
		{"system", clean(strings.TrimSpace(m.System+" "+r.header().Nodes), valueLimit)},
		{"load", loadOf(m)},
		{"faults", clean(nonEmpty(strings.Join(m.Faults, ", "), "none"), sentenceLimit)},
		{"bug", clean(m.Bug, valueLimit)},
		{"network", clean(m.Firewall, valueLimit)},
		{"machine", clean(m.Machine, errLimit)},
	}
	kept := facts[:0]
	for _, f := range facts {
		if f.Text != "" {
			kept = append(kept, f)
		}
	}
	return kept
}

func loadOf(m Manifest) string {
	if m.Time == 0 && m.Concurrency == 0 {
		return ""
	}
	s := fmt.Sprintf("%s, %s over %s", span(m.Time), plural(m.Concurrency, "client"), plural(m.Keys, "key"))
	if m.Rate > 0 {
		s += fmt.Sprintf(", at most %s/s", thousands(int(m.Rate)))
	}
	if m.Timeout > 0 {
		s += ", timeout " + span(m.Timeout)
	}
	return s
}

// opsLine says how many operations there were and how they ended.
func opsLine(c Counts, end time.Duration) string {
	s := fmt.Sprintf("%s: ok %s, info %s, fail %s", plural(c.All(), "op"), share(c.OK, c.All()), share(c.Info, c.All()), share(c.Fail, c.All()))
	if end > 0 {
		s += fmt.Sprintf("; %s ok/s", thousands(int(float64(c.OK)/end.Seconds())))
	}
	return s
}

// bittenLine says which planned faults took effect.
func (r *Run) bittenLine() string {
	if len(r.Windows) == 0 {
		return "none was injected"
	}
	bit, names, of := 0, []string(nil), map[string]int{}
	for _, w := range r.Windows {
		if w.Bit {
			bit++
		}
		if of[w.Fault]++; of[w.Fault] == 1 {
			names = append(names, w.Fault)
		}
	}
	for i, n := range names {
		names[i] = fmt.Sprintf("%s ×%d", clean(n, valueLimit), of[n])
	}
	return fmt.Sprintf("%d of %d bit: %s", bit, len(r.Windows), clean(strings.Join(names, ", "), sentenceLimit))
}

// recoveryLine says how long the slowest node took to answer after the last fault.
func (r *Run) recoveryLine() string {
	rows := r.recoveryRows()
	if len(rows) == 0 {
		return ""
	}
	worst := rows[0]
	for _, row := range rows {
		if row.Never || !worst.Never && row.MS > worst.MS {
			worst = row
		}
	}
	if worst.Never {
		return worst.Node + " never answered after the last fault"
	}
	return fmt.Sprintf("all of %s answered within %s of the last fault (slowest %s)", plural(len(rows), "node"), spanMS(worst.MS), worst.Node)
}

// checkersLine names the checkers with their verdicts.
func checkersLine(rows []CheckerRow) string {
	parts := make([]string, len(rows))
	for i, c := range rows {
		parts[i] = fmt.Sprintf("%s %s (%s)", clean(c.Name, valueLimit), c.Status, spanMS(c.ElapsedMS))
		if c.Status != checker.Valid && c.Reason != "" {
			parts[i] += ": " + clean(c.Reason, errLimit)
		}
	}
	return strings.Join(parts, ", ")
}
