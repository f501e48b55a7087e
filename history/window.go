package history

import (
	"encoding/json"
	"fmt"
	"time"
)

// Phases of a fault, as its nemesis events name them.
const (
	PhaseBegin = "begin" // recorded before the fault is injected
	PhaseEnd   = "end"   // recorded after it is undone
)

// WindowValue is the value of a nemesis event.
type WindowValue struct {
	Step     int      `json:"step"`               // position in the schedule; pairs a begin with its end
	Phase    string   `json:"phase"`              // PhaseBegin or PhaseEnd
	Role     string   `json:"role,omitempty"`     // the target as the schedule names it
	Target   []string `json:"target,omitempty"`   // the nodes it was resolved to
	Bit      bool     `json:"bit,omitempty"`      // at the end: did it take effect?
	Evidence string   `json:"evidence,omitempty"` // at the end: what proves it
}

// Window is the time in which one fault was active, from just before its injection to just after it
// was undone. Its JSON is one element of windows in verdict.json.
type Window struct {
	Step     int           `json:"step"`
	Fault    string        `json:"fault"`
	Role     string        `json:"role,omitempty"`
	Target   []string      `json:"target"`
	From     time.Duration `json:"from"` // nanoseconds since the run began
	To       time.Duration `json:"to"`   // Never if the run ended first
	Bit      bool          `json:"bit"`
	Evidence string        `json:"evidence"`
	Err      string        `json:"err,omitempty"` // what went wrong while injecting or undoing it
}

// Contains tells whether t lies in the window, its ends included.
func (w Window) Contains(t time.Duration) bool { return w.From <= t && t <= w.To }

// Windows makes windows of what the Nemesis recorded, in the order of their beginnings. A begin and
// an end belong together if they name the same step. A window that was never closed has To Never
// and did not bite as far as anyone can prove.
func Windows(events []Event) ([]Window, error) {
	var windows []Window
	open := map[int]int{}
	for _, e := range events {
		if e.Process != Nemesis {
			continue
		}
		var v WindowValue
		if err := json.Unmarshal(e.Value, &v); err != nil {
			return nil, fmt.Errorf("event %d: value of fault %s: %w", e.Index, e.F, err)
		}
		at, isOpen := open[v.Step]
		switch {
		case v.Phase == PhaseBegin && !isOpen:
			open[v.Step] = len(windows)
			windows = append(windows, Window{
				Step: v.Step, Fault: e.F, Role: v.Role, Target: v.Target, From: e.Time, To: Never, Err: e.Err,
			})
		case v.Phase == PhaseBegin:
			return nil, fmt.Errorf("event %d: step %d begins twice", e.Index, v.Step)
		case v.Phase != PhaseEnd:
			return nil, fmt.Errorf("event %d: fault %s has a phase %q", e.Index, e.F, v.Phase)
		case !isOpen:
			return nil, fmt.Errorf("event %d: step %d ends without a beginning", e.Index, v.Step)
		default:
			windows[at].close(e, v)
			delete(open, v.Step)
		}
	}
	return windows, nil
}

func (w *Window) close(e Event, v WindowValue) {
	w.To, w.Bit, w.Evidence = e.Time, v.Bit, v.Evidence
	if len(v.Target) > 0 {
		w.Target = v.Target // some faults learn whom they hit only while they act
	}
	switch {
	case w.Err == "":
		w.Err = e.Err
	case e.Err != "":
		w.Err += "; " + e.Err
	}
}
