package checker

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"ordeal/history"
)

// Text is a key that holds a string, which is written, appended to and read. It begins empty, and absent is
// empty. Porcupine's recorded kv logs are of such keys, and so are those of many a course on distributed systems.
//
//   - write, append: a string. One of unknown outcome took effect at some time after its call, or never.
//   - read: the string, or null. One without an answer says nothing.
//
// If what is written and appended cannot be confused in what is read, a text is as quick to decide as a register:
// see textProblem.
func Text() Model { return Model{Name: "text", Parse: parseText} }

// textCall is a write, an append or a read.
type textCall struct {
	interval
	f       string
	text    string
	element value   // of a write or append; none for a read
	shows   []value // of a read: the elements that its text is made of
}

func (c *textCall) reads() bool { return c.f == "read" }

func (c *textCall) parts() (element value, shows []value) { return c.element, c.shows }

func parseText(ops []*history.Op) (Problem, error) {
	calls, err := parseCalls(ops, func(op *history.Op) (c textCall, keep bool, reason string) {
		c = textCall{interval: intervalOf(op), f: op.F, element: none}
		raw := op.Input
		switch op.F {
		case "write", "append":
			keep = op.Type != history.Fail
		case "read":
			keep, raw = op.Type == history.OK, op.Output
		default:
			return c, false, "a text knows write, append and read"
		}
		if keep {
			reason = c.read(raw)
		}
		return c, keep, reason
	})
	if err != nil {
		return nil, err
	}
	p := plainProblem[textCall, *textCall, string]{calls: calls, m: text()}
	if elements, ok := elementsOf(calls); ok {
		return &textProblem{plainProblem: p, elements: elements}, nil
	}
	return &p, nil
}

// read fills c with a string; reason is why it cannot.
func (c *textCall) read(raw json.RawMessage) (reason string) {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		if c.reads() {
			return ""
		}
		return "it should have a string"
	case json.Unmarshal(raw, &c.text) != nil:
		return "its value is no string"
	case strings.ContainsRune(c.text, utf8.RuneError):
		// What is no character is read as the one that stands for such, so different texts would be one.
		again, err := json.Marshal(c.text)
		want, _ := history.Canonical(raw)
		if got, _ := history.Canonical(again); err != nil || !bytes.Equal(got, want) {
			return "its value is a string that holds half a character"
		}
	}
	return ""
}

// text is the sequential specification.
func text() machine[textCall, string] {
	return machine[textCall, string]{
		step: func(state string, c *textCall) (string, bool) {
			switch c.f {
			case "write":
				return c.text, true
			case "append":
				return state + c.text, true
			default:
				return state, state == c.text
			}
		},
		equal: func(a, b string) bool { return a == b },
		hash:  textHash[string],
		reads: (*textCall).reads,
		size:  func(state string) int64 { return int64(len(state) + len(state)/8 + 16) }, // classes of sizes waste an eighth
	}
}

// textHash is FNV-1a, and its bits mixed once more.
func textHash[T ~string | ~[]byte](text T) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return scatter(h)
}
