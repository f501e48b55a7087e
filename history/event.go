// Package history is the record of a run: events as they happened, the operations that pairs of
// them make, the windows in which faults were active, and the forms all of these take on disk.
//
// It does not know what the operations mean, who sent them, or who will judge them.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Process ids below zero are the harness's own voices; every client's id is zero or above.
const (
	Nemesis  = -1 // injects faults; F is the fault, Value a WindowValue
	Observer = -2 // what the harness saw of the cluster; F is one of the Saw constants
)

// What the Observer reports, as Event.F.
const (
	SawLeader    = "leader"    // Node became leader of Term
	SawUnready   = "unready"   // the cluster did not come up; Err says why
	SawExit      = "exit"      // Node ended though nobody killed it; Err says how
	SawState     = "state"     // at the end, Node had applied Revision and its state hash was Value (a string)
	SawViolation = "violation" // the response that is event Value made the history of Key impossible, as far as could be told while the run went on
	SawHealed    = "healed"    // every fault is over; from here on the cluster owes service
	SawEnd       = "end"       // the load is over and all outcomes are recorded; absent if the harness died
)

// Type tells an invocation from the three ways in which it can end.
type Type uint8

// Invoke begins an operation. OK means that it happened, Fail that it provably did not, and Info
// that nobody knows: it may have happened, may happen later, or never.
const (
	Invoke Type = iota + 1
	OK
	Fail
	Info
)

var typeNames = [...]string{Invoke: "invoke", OK: "ok", Fail: "fail", Info: "info"}

func (t Type) String() string {
	if t >= Invoke && t <= Info {
		return typeNames[t]
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// MarshalText writes the word that history.jsonl uses.
func (t Type) MarshalText() ([]byte, error) {
	if t < Invoke || t > Info {
		return nil, fmt.Errorf("no event type %d", uint8(t))
	}
	return []byte(typeNames[t]), nil
}

// UnmarshalText reads invoke, ok, fail or info.
func (t *Type) UnmarshalText(text []byte) error {
	for i := Invoke; i <= Info; i++ {
		if typeNames[i] == string(text) {
			*t = i
			return nil
		}
	}
	return fmt.Errorf("type %q is none of invoke, ok, fail, info", text)
}

// Event is one line of history.jsonl.
type Event struct {
	Index    int             `json:"index"`              // position in the history, from 0
	Time     time.Duration   `json:"time"`               // since the run began, monotonic, nanoseconds
	Process  int             `json:"process"`            // logical client, or Nemesis, or Observer
	Type     Type            `json:"type"`               //
	F        string          `json:"f"`                  // read, write, cas, …, or a fault
	Key      string          `json:"key,omitempty"`      //
	Value    json.RawMessage `json:"value,omitempty"`    // one JSON value; its shape depends on F
	Node     string          `json:"node,omitempty"`     // who was asked, or who answered
	Term     uint64          `json:"term,omitempty"`     // of the answer, when the system tells
	Revision uint64          `json:"revision,omitempty"` // of the answer, when the system tells
	Err      string          `json:"err,omitempty"`      // why it is not ok; of an ok one, that another node than the one asked answered
}

// ErrNotApplied marks an operation's error as definite: the operation did not take effect and never
// will. Every other error leaves the outcome open.
var ErrNotApplied = errors.New("not applied")

// Outcome is the type of the event that ends an operation with err.
func Outcome(err error) Type {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrNotApplied):
		return Fail
	default:
		return Info
	}
}
