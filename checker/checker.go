package checker

import (
	"context"
	"fmt"
	"time"

	"ordeal/history"
)

// Checker judges the operations of one run.
type Checker interface {
	Name() string
	// Check is given all operations in the order of their invocations. It honours ctx: what it could
	// not finish is Unknown, with the reason.
	Check(ctx context.Context, ops []history.Op) Verdict
}

// Status orders verdicts: the worst of several is their maximum, so that Unknown never hides
// Invalid and never passes for Valid.
type Status uint8

// The three verdicts.
const (
	Valid Status = iota
	Unknown
	Invalid
)

var statusNames = [...]string{"valid", "unknown", "invalid"}

func (s Status) String() string {
	if int(s) < len(statusNames) {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// MarshalText writes the word that verdict.json uses.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads valid, unknown or invalid.
func (s *Status) UnmarshalText(text []byte) error {
	for i, name := range statusNames {
		if name == string(text) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("status %q is none of valid, unknown, invalid", text)
}

// Verdict is what one checker has to say.
type Verdict struct {
	Checker  string        `json:"name"`
	Status   Status        `json:"status"`
	Reason   string        `json:"reason,omitempty"` // one sentence; always given unless Valid
	Engine   string        `json:"engine,omitempty"` // the algorithms that decided, with the number of keys where there are several
	Elapsed  time.Duration `json:"-"`
	Findings []Finding     `json:"-"` // not empty if Invalid
	// Broken says that the checker itself is wrong: engines disagree, or what one found could not be confirmed.
	// Such a verdict is worth nothing.
	Broken error `json:"-"`
}

// Finding is one violation, small enough to read.
type Finding struct {
	Key  string        `json:"key,omitempty"`
	Rule string        `json:"rule"` // short name of the rule that broke: "stale read", "lost update", …
	Text string        `json:"text"` // the rule's sentence with the values, processes and times in it
	Ops  []int         `json:"ops"`  // the witnesses, as Op.Index, by time of call; may be empty
	From time.Duration `json:"from"` // first call among the witnesses, since the run began
	To   time.Duration `json:"to"`   // last return among the witnesses
	// Unconfirmed says why Porcupine, which was asked, could not confirm it; one sentence, empty if it did.
	Unconfirmed string `json:"unconfirmed,omitempty"`
	// Proof are the steps that lead from the witnesses to a contradiction, in words; it may be empty.
	Proof []string `json:"proof,omitempty"`
}
