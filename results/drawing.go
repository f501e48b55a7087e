package results

import (
	"slices"

	"ordeal/history"
)

// drawingOf draws a finding's witnesses in the notation of STYLE.md, with the faults of that time.
// Names of any length have been cut to what fits into a margin.
func (r *Run) drawingOf(f Finding) string {
	ops := r.witnesses(f)
	for i := range ops {
		ops[i].F, ops[i].Node = clean(ops[i].F, nameLimit), clean(ops[i].Node, nameLimit)
	}
	windows := slices.Clone(overlapping(r.Windows, f.From, f.To))
	windows = windows[:min(len(windows), maxWitnesses)]
	for i, w := range windows {
		windows[i].Fault, windows[i].Target = clean(w.Fault, nameLimit), cleanAll(w.Target, nameLimit)
	}
	return history.Draw(ops, history.DrawOptions{Windows: windows})
}

// label names an operation as the drawing does.
func label(op history.Op) string { return clean(op.Label(), 2*valueLimit) }
