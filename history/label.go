package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// verbs are the short words that drawings and sentences use for an event's f. Every other f is its
// own word.
var verbs = [...]struct{ f, verb string }{{"write", "put"}, {"read", "get"}, {"cas", "cas"}}

// Verb is the short word for f in drawings and sentences.
func Verb(f string) string {
	for _, v := range verbs {
		if v.f == f {
			return v.verb
		}
	}
	return Word(f)
}

const (
	failedMark = "✗" // after the label of an operation that did not take effect
	arrow      = "→" // between the old and the new value of a cas

	valueRunesMax = 32 // of a value in a label; longer ones lose their middle
)

// Label names the operation as drawings and sentences do: put 9, get nil, cas 5→9, and
// cas 5→9 ✗(7) for one that failed because the value was 7; append 5, and add 2→7 for one that left
// 7; txn {append k1 5, get k2 nil} for a transaction. What the outcome leaves open is a "?".
// Hostile text is quoted, so that a label has printable ASCII and the signs above in it, no more.
func (op Op) Label() string {
	verb := Verb(op.F)
	switch {
	case op.F == "read" && op.Type == OK:
		return verb + " " + ValueLabel(op.Output)
	case op.F == "read":
		return verb + " ?" + op.failure()
	case op.F == "write":
		return verb + " " + ValueLabel(op.Input) + op.failure()
	case op.F == "cas":
		if from, to, ok := CASValue(op.Input); ok {
			return verb + " " + ValueLabel(from) + arrow + ValueLabel(to) + op.failure()
		}
	case op.F == "txn":
		if label, ok := op.txnLabel(); ok {
			return label
		}
	}
	label := verb
	if len(op.Input) > 0 {
		label += " " + ValueLabel(op.Input)
	}
	if op.Type == OK && len(op.Output) > 0 && (op.F == "add" || string(op.Output) != string(op.Input)) {
		label += arrow + ValueLabel(op.Output)
	}
	return label + op.failure()
}

func (op Op) failure() string {
	switch {
	case op.Type != Fail:
		return ""
	case op.F == "cas" && len(op.Output) > 0:
		return " " + failedMark + "(" + ValueLabel(op.Output) + ")"
	default:
		return " " + failedMark
	}
}

// CASValue takes the value of a cas apart, which is [old,new]; ok tells whether it is.
func CASValue(v json.RawMessage) (from, to json.RawMessage, ok bool) {
	if from, to, ok = plainPair(v); ok {
		return from, to, true
	}
	return tuple(v)
}

// plainPair takes [old,new] apart if both stand as they are, which most do; it saves a look for what else they may be.
func plainPair(raw json.RawMessage) (from, to json.RawMessage, ok bool) {
	last, comma := len(raw)-1, bytes.IndexByte(raw, ',')
	if comma < 2 || comma > last-2 || raw[0] != '[' || raw[last] != ']' {
		return nil, nil, false
	}
	from, to = raw[1:comma], raw[comma+1:last]
	return from, to, Plain(from) && Plain(to)
}

// ValueLabel shows a value in one short word: null and nothing as nil, plain strings without quotes
// unless they look like another value, the rest as compact JSON, escaped to printable ASCII. Long
// ones lose their middle.
func ValueLabel(v json.RawMessage) string {
	var text string
	switch {
	case len(v) == 0 || string(v) == "null":
		return "nil"
	case v[0] == '"' && json.Unmarshal(v, &text) == nil:
		return shorten(Word(text))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, v); err != nil {
		return shorten(quote(string(v)))
	}
	return shorten(ascii(compact.String()))
}

// Word shows a name in labels and sentences: as it is if it is a plain word that cannot be taken for
// anything else, and quoted and escaped otherwise.
func Word(text string) string {
	if text == "" || text == "nil" || json.Valid([]byte(text)) {
		return quote(text)
	}
	for i := range len(text) {
		c := text[i]
		inner := i > 0 && i < len(text)-1 && strings.IndexByte("-+./:@", c) >= 0
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !inner {
			return quote(text)
		}
	}
	return text
}

// quote writes text as a JSON string of printable ASCII.
func quote(text string) string {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false) // this is for eyes; pages escape once more
	if err := enc.Encode(text); err != nil {
		panic(err) // a string always has a JSON form
	}
	return ascii(strings.TrimSuffix(quoted.String(), "\n"))
}

// ascii escapes what is not printable ASCII in JSON text, where that occurs in strings only.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x7f && unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func shorten(text string) string {
	if utf8.RuneCountInString(text) <= valueRunesMax {
		return text
	}
	const keep = valueRunesMax/2 - 1
	return text[:keep] + "…" + text[len(text)-keep:] // text is ASCII
}
