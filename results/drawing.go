package results

import (
	"encoding/json"
	"slices"

	"ordeal/history"
)

// drawingOf draws a finding's witnesses in the notation of STYLE.md, with the faults of that time.
// Names of any length have been cut to what fits into a margin.
func (r *Run) drawingOf(f Finding) string {
	ops := r.witnesses(f)
	for i, op := range ops {
		ops[i] = short(op)
	}
	windows := slices.Clone(overlapping(r.Windows, f.From, f.To))
	windows = windows[:min(len(windows), maxWitnesses)]
	for i, w := range windows {
		windows[i].Fault, windows[i].Target = clean(w.Fault, nameLimit), cleanAll(w.Target, nameLimit)
	}
	return history.Draw(ops, history.DrawOptions{Windows: windows})
}

// label names an operation as the drawing does.
func label(op history.Op) string { return clean(short(op).Label(), 2*valueLimit) }

// short cuts an operation's names and values to what a label can show, so that drawing it costs the
// same however long they are.
func short(op history.Op) history.Op {
	op.F, op.Node = clean(op.F, nameLimit), clean(op.Node, nameLimit)
	op.Input, op.Output = shortValue(op.Input), shortValue(op.Output)
	return op
}

func shortValue(v json.RawMessage) json.RawMessage {
	const long = 4 << 10
	if len(v) <= long {
		return v
	}
	text, err := json.Marshal(clean(string(v[:nameLimit]), nameLimit) + "… " + bytesOf(int64(len(v))))
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return text
}
