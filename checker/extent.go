package checker

import (
	"bytes"
	"encoding/json"
	"slices"

	"ordeal/history"
)

// extent is how far it holds that no operations do something but those of a story. A story often ends where the history
// goes on: what was open then is answered later, and what was written once is written again.
type extent uint8

const (
	throughout extent = iota // no other operation of the key does it
	soFar                    // others do, all of which began after the story's end
	here                     // others do, which the story can do without
)

// extent looks through all operations of the key for those that do something, and neither were refused nor are the story's.
func (t teller) extent(does func(op *history.Op) bool) extent {
	e := throughout
	for _, op := range t.ops {
		switch {
		case op.Type == history.Fail || slices.Contains(t.told, int32(op.Index)) || !does(op):
		case op.Call <= t.until:
			return here
		default:
			e = soFar
		}
	}
	return e
}

// end is the last moment that the story knows of; all is known of what had been answered by then.
func (t teller) end() string { return t.at(t.until) }

// onceBy says that one operation did something, in words that go on with who it was: "was written once, by".
func (t teller) onceBy(did string, e extent) string {
	switch e {
	case throughout:
		return "was " + did + " once, by"
	case soFar:
		return "had been " + did + " once by " + t.end() + ", by"
	default:
		return "was " + did + " by"
	}
}

// puts tells whether an operation has a value as its input.
func puts(of json.RawMessage) func(op *history.Op) bool {
	want, _ := history.Canonical(of)
	return func(op *history.Op) bool {
		return op.F != "read" && op.F != "dequeue" && same(op.Input, want)
	}
}

// writes tells whether an operation of a register, a kv or a text writes a value, if it takes effect.
func writes(of json.RawMessage) func(op *history.Op) bool {
	want, _ := history.Canonical(of)
	return func(op *history.Op) bool {
		switch op.F {
		case "write":
			return same(op.Input, want)
		case "cas":
			_, written, ok := history.CASValue(op.Input)
			return ok && same(written, want)
		default:
			return op.F == "delete" && string(want) == "null"
		}
	}
}

func same(raw, canonical json.RawMessage) bool {
	got, ok := history.Canonical(raw)
	return ok && bytes.Equal(got, canonical)
}
