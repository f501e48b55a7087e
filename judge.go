package ordeal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ordeal/checker"
	"ordeal/history"
	"ordeal/nemesis"
	"ordeal/results"
	"ordeal/workloads"
)

// Judge decides what the run in a directory was, from its history and apply logs alone, and writes
// verdict.json and all reports. A run whose harness died is judged as far as it was recorded. What cannot
// be read is a *UsageError.
func Judge(ctx context.Context, path string, budget checker.Budget) (*results.Run, error) {
	dir, err := results.Open(path)
	if err != nil {
		return nil, &UsageError{err}
	}
	c, err := openRun(dir, budget)
	if err != nil {
		return nil, &UsageError{err}
	}
	verdict, err := c.judge(ctx, runChecks)
	if err != nil {
		return nil, c.keepKey(dir.BrokenKey(), err)
	}
	if err := dir.WriteVerdict(verdict); err != nil {
		return nil, err
	}
	run, err := results.Load(dir)
	if err != nil {
		return nil, err
	}
	return run, run.Render()
}

// JudgeHistory judges a history alone, in any of the forms that history.Load reads: whether the
// operations of its clients are legal for a model (see Models). Without one, a history.jsonl beside a
// run's manifest is judged as the run's workload would, and any other as a register's. Nothing is
// written. A valid verdict has a reason if the history's last line was torn.
func JudgeHistory(ctx context.Context, file, model string, budget checker.Budget) (results.Verdict, error) {
	checkers, err := checkersOf(file, model, budget)
	if err != nil {
		return results.Verdict{}, &UsageError{err}
	}
	c, err := openCase(file, results.Manifest{})
	if err != nil {
		return results.Verdict{}, &UsageError{err}
	}
	c.checkers = checkers
	v, err := c.judge(ctx, historyChecks)
	if v.Reason == "" && c.torn != "" {
		v.Reason = "all but the end, which is torn: " + c.torn
	}
	return v, err
}

// trialCase is all that is known of a run when it is judged.
type trialCase struct {
	manifest  results.Manifest
	checkers  []checker.Checker // that judge the operations
	events    []history.Event
	ops       []history.Op
	windows   []history.Window
	planned   int // steps of the schedule
	torn      string
	applyLogs map[string][]history.Applied
	unread    []string // apply logs that cannot be read, and why
}

func openCase(file string, m results.Manifest) (*trialCase, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer func() { _ = f.Close() }()
	h, err := history.Load(filepath.Base(file), f)
	if err != nil {
		return nil, err
	}
	c := &trialCase{manifest: m, events: h.Events, torn: h.Torn}
	if c.ops, err = history.Pair(h.Events); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	if c.windows, err = history.Windows(h.Events); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	return c, nil
}

// openRun reads all that a run's directory tells.
func openRun(dir *results.Dir, budget checker.Budget) (*trialCase, error) {
	m, err := dir.ReadManifest()
	if err != nil {
		return nil, err
	}
	if m.Nodes < 1 || m.Nodes > nodesMax || m.Bound <= 0 {
		return nil, fmt.Errorf("%s: nodes %d and recovery_bound %d must be positive, nodes at most %d", dir.Manifest(), m.Nodes, m.Bound, nodesMax)
	}
	w, err := workloads.New(m.Workload, workloads.Options{Keys: 1, Budget: budget})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir.Manifest(), err)
	}
	c, err := openCase(dir.History(), m)
	if err != nil {
		return nil, err
	}
	c.checkers = w.Checkers
	f, err := os.Open(dir.Schedule())
	if err != nil {
		return nil, fmt.Errorf("read schedule: %w", err)
	}
	defer func() { _ = f.Close() }()
	s, err := nemesis.ReadSchedule(dir.Schedule(), f)
	if err != nil {
		return nil, err
	}
	c.planned = len(s.Steps)
	return c, c.readApplyLogs(dir)
}

// readApplyLogs reads nodes/*.apply.jsonl; a node that has none is missing.
func (c *trialCase) readApplyLogs(dir *results.Dir) error {
	c.applyLogs = map[string][]history.Applied{}
	for _, node := range c.manifest.NodeNames() {
		f, err := os.Open(dir.ApplyLog(node))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read apply log: %w", err)
		}
		applied, _, err := history.ReadApplyLog(filepath.Base(dir.ApplyLog(node)), f)
		_ = f.Close()
		if err != nil {
			c.unread = append(c.unread, err.Error())
		}
		c.applyLogs[node] = applied
	}
	return nil
}

// check is one question put to a run; it answers with a row for each checker.
type check func(context.Context, *trialCase) ([]checker.Verdict, error)

// What is asked of a history alone, and of a run. Evidence comes first: of two unknowns, that the run was
// no trial explains the other.
var (
	historyChecks = []check{operations}
	runChecks     = []check{evidence, confirmed, applyLogs, stateHashes, liveness}
)

// judge asks all checks and takes the worst answer.
func (c *trialCase) judge(ctx context.Context, checks []check) (results.Verdict, error) {
	v := results.Verdict{
		Checkers: []results.CheckerRow{}, Findings: []results.Finding{},
		Windows: c.windows, RecoveryMS: map[string]float64{}, Ops: c.counts(),
	}
	for node, took := range c.recovery() {
		v.RecoveryMS[node] = float64(took.Microseconds()) / 1000
	}
	for _, check := range checks {
		began := time.Now()
		rows, err := check(ctx, c)
		if err != nil {
			return v, err
		}
		for _, row := range rows {
			if row.Broken != nil {
				return v, fmt.Errorf("%s: %w", row.Checker, row.Broken)
			}
			if row.Elapsed == 0 {
				row.Elapsed = time.Since(began)
			}
			c.add(&v, row)
		}
	}
	for i := range v.Windows {
		v.Windows[i].Target = slices.Concat([]string{}, v.Windows[i].Target) // an empty list rather than null
	}
	slices.SortStableFunc(v.Findings, func(a, b results.Finding) int { return cmp.Compare(a.From, b.From) })
	return v, nil
}

// keepKey writes the history of the key that err, a fault of the checker, is about, and adds to err where it is.
func (c *trialCase) keepKey(file string, err error) error {
	broken, ok := errors.AsType[*checker.KeyError](err)
	if !ok {
		return err
	}
	f, failed := os.Create(file)
	if failed != nil {
		return errors.Join(err, fmt.Errorf("keep its history: %w", failed))
	}
	events := slices.DeleteFunc(slices.Clone(c.events), func(e history.Event) bool { return e.Process < 0 || e.Key != broken.Key })
	if failed := errors.Join(history.WriteJSONL(f, events), f.Close()); failed != nil {
		return errors.Join(err, fmt.Errorf("keep its history: %w", failed))
	}
	return fmt.Errorf("%w; the key's history is in %s", err, file)
}

// add puts one checker's answer into the verdict. The worst status wins, and of equals the first.
func (c *trialCase) add(v *results.Verdict, row checker.Verdict) {
	if row.Status > v.Status {
		v.Status, v.Reason = row.Status, row.Checker+": "+row.Reason
	}
	v.Checkers = append(v.Checkers, results.CheckerRow{
		Name: row.Checker, Status: row.Status, Reason: row.Reason, Engine: row.Engine,
		ElapsedMS: float64(row.Elapsed.Microseconds()) / 1000,
	})
	for _, f := range row.Findings {
		v.Findings = append(v.Findings, results.Finding{Finding: f, Checker: row.Checker, Window: c.windowOf(f)})
	}
}

// windowOf names the fault during which a violation came to light: of those active between its first
// call and its last return, the one that began last.
func (c *trialCase) windowOf(f checker.Finding) string {
	var in *history.Window
	for i := range c.windows {
		if w := &c.windows[i]; w.From <= f.To && f.From <= w.To && (in == nil || w.From > in.From) {
			in = w
		}
	}
	if in == nil {
		return ""
	}
	to := "end"
	if in.To != history.Never {
		to = fmt.Sprintf("%.2fs", in.To.Seconds())
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s", in.Fault, strings.Join(in.Target, ","))) + fmt.Sprintf(" %.2fs–%s", in.From.Seconds(), to)
}

func (c *trialCase) counts() (n results.Counts) {
	for _, op := range c.ops {
		switch op.Type {
		case history.OK:
			n.OK++
		case history.Fail:
			n.Fail++
		default:
			n.Info++
		}
	}
	return n
}

// operations lets the checkers of the workload or model judge.
func operations(ctx context.Context, c *trialCase) ([]checker.Verdict, error) {
	var rows []checker.Verdict
	for _, k := range c.checkers {
		began := time.Now()
		row := k.Check(ctx, c.ops)
		row.Elapsed = time.Since(began)
		rows = append(rows, row)
	}
	return rows, nil
}
