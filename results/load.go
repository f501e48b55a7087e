package results

import (
	"bufio"
	"cmp"
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
)

// Run is everything about one run that the renderers need.
type Run struct {
	Dir      *Dir
	Manifest Manifest
	Verdict  Verdict
	Schedule string // schedule.json as it is
	Events   []history.Event
	Ops      []history.Op
	Windows  []history.Window
	Notes    []string // what is missing or could not be read

	reigns  []reign
	figures figures
	nodes   []string // whose logs are there
}

// Load reads a run as far as it goes. What is missing or broken becomes a note, and a run without
// verdict is Unknown; only a directory that holds nothing readable is an error.
func Load(d *Dir) (*Run, error) {
	r := &Run{Dir: d}
	manifest := r.loadManifest()
	if err := r.loadHistory(); err != nil {
		if manifest != nil {
			return nil, fmt.Errorf("load run %s: %w", d.Path(), errors.Join(manifest, err))
		}
		r.note("the history cannot be read: %v", err)
	}
	if err := r.loadVerdict(); err != nil {
		return nil, fmt.Errorf("load run: %w", err)
	}
	if len(r.Windows) == 0 {
		r.Windows = r.Verdict.Windows
	}
	if data, err := os.ReadFile(d.Schedule()); err == nil {
		r.Schedule = string(data)
	} else {
		r.note("the schedule cannot be read: %v", bare(err))
	}
	r.loadNodes()
	end := r.end()
	r.reigns = reignsOf(r.Events, end)
	r.figures = measure(r.Ops, r.Windows, end)
	return r, nil
}

func (r *Run) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *Run) loadManifest() error {
	var err error
	if r.Manifest, err = r.Dir.ReadManifest(); err != nil {
		r.note("the manifest cannot be read: %v", err)
	}
	r.Notes = append(r.Notes, r.Manifest.Notes...)
	return err
}

// loadHistory reads events, operations and windows. Before a line that cannot be understood, all
// that stands above it is used.
func (r *Run) loadHistory() error {
	file, err := os.Open(r.Dir.History())
	if err != nil {
		return fmt.Errorf("read %s: %w", r.Dir.History(), bare(err))
	}
	defer func() { _ = file.Close() }() // only read
	h, err := history.Read(r.Dir.History(), bufio.NewReaderSize(file, 1<<20))
	r.Events = h.Events
	if h.Torn != "" {
		r.note("the history is torn: %s", h.Torn)
	}
	if err != nil {
		r.note("the history is only used as far as it can be read: %v", err)
	}
	if r.Ops, err = history.Pair(h.Events); err != nil {
		return fmt.Errorf("read %s: %w", r.Dir.History(), err)
	}
	// The history is in the order in which its events were recorded, which is not quite that of their times.
	slices.SortStableFunc(r.Ops, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
	if r.Windows, err = history.Windows(h.Events); err != nil {
		return fmt.Errorf("read %s: %w", r.Dir.History(), err)
	}
	return nil
}

func (r *Run) loadVerdict() error {
	var err error
	r.Verdict, err = r.Dir.ReadVerdict()
	if errors.Is(err, fs.ErrNotExist) {
		r.Verdict = Verdict{Status: checker.Unknown, Reason: "this run has not been judged"}
		return nil
	}
	return err
}

func (r *Run) loadNodes() {
	paths, _ := filepath.Glob(filepath.Join(globQuote(r.Dir.Nodes()), "*.log"))
	for _, p := range paths {
		r.nodes = append(r.nodes, strings.TrimSuffix(filepath.Base(p), ".log"))
	}
}

// end is when the load was over, else the last thing that happened.
func (r *Run) end() time.Duration {
	var last time.Duration
	for _, e := range r.Events {
		if e.Process == history.Observer && e.F == history.SawEnd {
			return e.Time
		}
		last = max(last, e.Time)
	}
	return last
}

// op finds an operation by its index in the history.
func (r *Run) op(index int) (history.Op, bool) {
	i := slices.IndexFunc(r.Ops, func(op history.Op) bool { return op.Index == index })
	if i < 0 {
		return history.Op{}, false
	}
	return r.Ops[i], true
}

// maxWitnesses bounds the operations of one drawing.
const maxWitnesses = 12

// witnesses are a finding's operations by time of call; beyond maxWitnesses the last ones.
func (r *Run) witnesses(f Finding) []history.Op {
	var ops []history.Op
	for _, index := range f.Ops {
		if op, ok := r.op(index); ok {
			ops = append(ops, op)
		}
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
	return ops[max(0, len(ops)-maxWitnesses):]
}
