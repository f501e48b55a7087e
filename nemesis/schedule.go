package nemesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Step is one planned fault.
type Step struct {
	At     time.Duration // from the start of the load
	For    time.Duration // from injection to undoing
	Fault  string        // name of a Kind
	Target Target        // "" when the variant picks its own nodes
	Params map[string]string
}

// Schedule is a plan of faults. Steps may overlap.
type Schedule struct {
	Steps []Step `json:"steps"`
}

// jsonStep is a Step in schedule.json: durations are text, such as "1.5s", since people write them.
type jsonStep struct {
	At     string            `json:"at"`
	For    string            `json:"for"`
	Fault  string            `json:"fault"`
	Target Target            `json:"target,omitempty"`
	Params map[string]string `json:"params,omitempty"`
}

// MarshalJSON writes durations as text.
func (s Step) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonStep{s.At.String(), s.For.String(), s.Fault, s.Target, s.Params})
}

// UnmarshalJSON reads what MarshalJSON writes and refuses fields that it does not know.
func (s *Step) UnmarshalJSON(data []byte) error {
	var j jsonStep
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&j); err != nil {
		return err
	}
	at, err := time.ParseDuration(j.At)
	if err != nil {
		return fmt.Errorf("field \"at\": %w", err)
	}
	length, err := time.ParseDuration(j.For)
	if err != nil {
		return fmt.Errorf("field \"for\": %w", err)
	}
	*s = Step{At: at, For: length, Fault: j.Fault, Target: j.Target, Params: j.Params}
	return nil
}

const (
	stepsMax = 100_000
	atMax    = 30 * 24 * time.Hour
)

// Check reports the first step that no cluster of n nodes could carry out, or that needs what a system with
// these abilities lacks.
func (s Schedule) Check(n int, can []Ability) error {
	if len(s.Steps) > stepsMax {
		return fmt.Errorf("%d steps; at most %d", len(s.Steps), stepsMax)
	}
	for i, step := range s.Steps {
		if err := step.check(n, can); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func (s Step) check(n int, can []Ability) error {
	if s.At < 0 || s.At > atMax {
		return fmt.Errorf("field \"at\": %v is not within 0 and %v", s.At, atMax)
	}
	if s.For <= 0 || s.For > atMax {
		return fmt.Errorf("field \"for\": %v is not positive, or over %v", s.For, atMax)
	}
	kind, ok := kindOf(s.Fault)
	if !ok {
		return fmt.Errorf("unknown fault %q", s.Fault)
	}
	for name := range s.Params {
		if name != kind.Param {
			return fmt.Errorf("fault %s: unknown param %q", s.Fault, name)
		}
	}
	variant, ok := kind.variant(s.Params)
	if !ok {
		return fmt.Errorf("fault %s: unknown %s %q", s.Fault, kind.Param, s.Params[kind.Param])
	}
	if err := kind.takes(variant, s.Target); err != nil {
		return fmt.Errorf("fault %s with target %q: %w", s.label(), string(s.Target), err)
	}
	if err := kind.lacks(can, variant, s.Target); err != nil {
		return fmt.Errorf("fault %s with target %q: %w", s.label(), string(s.Target), err)
	}
	if len(variant.Targets) == 0 {
		return nil
	}
	if err := s.Target.check(); err != nil {
		return err
	}
	return s.Target.checkFor(n)
}

// End is when the last step is over, from the start of the load.
func (s Schedule) End() time.Duration {
	var end time.Duration
	for _, step := range s.Steps {
		end = max(end, step.At+step.For)
	}
	return end
}

// ReadSchedule reads a schedule.json; name is what errors call it.
func ReadSchedule(name string, r io.Reader) (Schedule, error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var raw struct {
		Steps []json.RawMessage `json:"steps"`
	}
	if err := dec.Decode(&raw); err != nil {
		return Schedule{}, fmt.Errorf("%s: %w", name, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Schedule{}, fmt.Errorf("%s: more than one JSON value", name)
	}
	if raw.Steps == nil {
		return Schedule{}, fmt.Errorf("%s: no list \"steps\"", name)
	}
	s := Schedule{Steps: make([]Step, len(raw.Steps))}
	for i := range raw.Steps {
		if err := json.Unmarshal(raw.Steps[i], &s.Steps[i]); err != nil {
			return Schedule{}, fmt.Errorf("%s: step %d: %w", name, i, err)
		}
	}
	return s, nil
}

// Write writes the form that ReadSchedule reads.
func (s Schedule) Write(w io.Writer) error {
	if s.Steps == nil {
		s.Steps = []Step{}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}
