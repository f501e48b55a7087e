package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteEDN writes a history in EDN as Jepsen, Knossos and Elle read it, a map a line:
//
//	{:index 0, :time 12, :process 3, :type :invoke, :f :write, :value ["k1" 7], :key "k1"}
//
// The value of an event with a key is the pair [key value], as Jepsen writes values of independent
// keys, and :key says the key again. Elements of a transaction, and members of objects whose names
// are words, become keywords. As Knossos demands it, a completion repeats the value of its
// invocation unless that was nothing or a transaction; the answer is then in :found. The nemesis and the
// observer are processes :nemesis and :observer. :node, :term, :revision and :error are an Event's.
func WriteEDN(w io.Writer, events []Event) error {
	invoked := map[int]json.RawMessage{} // process → value of its invocation
	return writeLines(w, events, func(line []byte, _ int, e Event) ([]byte, error) {
		value, found := e.Value, json.RawMessage(nil)
		if e.Type == Invoke {
			invoked[e.Process] = e.Value
		} else if asked := invoked[e.Process]; e.Process >= 0 {
			value, found = completed(e, asked)
		}
		return appendEDN(line, e, value, found)
	})
}

// completed parts a completion's value into what Jepsen has for it and what goes into :found.
func completed(e Event, asked json.RawMessage) (value, found json.RawMessage) {
	asks := len(asked) == 0 || string(asked) == "null" || e.F == "txn"
	switch {
	case e.Type == OK && (asks || e.F != "add" && bytes.Equal(e.Value, asked)):
		return e.Value, nil
	default:
		return asked, e.Value
	}
}

// processNames are the harness's own voices.
var processNames = map[int]string{Nemesis: ":nemesis", Observer: ":observer"}

func appendEDN(dst []byte, e Event, value, found json.RawMessage) ([]byte, error) {
	if e.Type < Invoke || e.Type > Info {
		return dst, fmt.Errorf("event %d: no event type %d", e.Index, uint8(e.Type))
	}
	process, ok := processNames[e.Process]
	if !ok {
		process = strconv.Itoa(e.Process)
	}
	dst = fmt.Appendf(dst, "{:index %d, :time %d, :process %s, :type :%s, :f ", e.Index, int64(e.Time), process, e.Type)
	dst = appendWord(dst, e.F)
	dst = append(dst, ", :value "...)
	if e.Key != "" {
		dst = append(appendText(append(dst, '['), e.Key), ' ')
	}
	var err error
	if dst, err = appendForm(dst, value, e.F == "txn"); err != nil {
		return dst, fmt.Errorf("event %d: %w", e.Index, err)
	}
	if e.Key != "" {
		dst = append(dst, ']')
	}
	if len(found) > 0 {
		if dst, err = appendForm(append(dst, ", :found "...), found, false); err != nil {
			return dst, fmt.Errorf("event %d: %w", e.Index, err)
		}
	}
	dst = appendField(dst, ", :key ", e.Key)
	dst = appendField(dst, ", :node ", e.Node)
	dst = appendUint(dst, ", :term ", e.Term)
	dst = appendUint(dst, ", :revision ", e.Revision)
	dst = appendField(dst, ", :error ", e.Err)
	return append(dst, '}', '\n'), nil
}

// isWord tells whether text can be a keyword.
func isWord(text string) bool {
	for i, r := range text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return text != ""
}

// appendWord writes text as a keyword if it can be one, else as a string.
func appendWord(dst []byte, text string) []byte {
	if isWord(text) {
		return append(append(dst, ':'), text...)
	}
	return appendText(dst, text)
}

// appendForm writes a JSON value as EDN; nothing is nil. The first element of each element of a
// transaction is a keyword.
func appendForm(dst []byte, v json.RawMessage, txn bool) ([]byte, error) {
	if len(v) == 0 {
		return append(dst, "nil"...), nil
	}
	if !json.Valid(v) {
		return dst, fmt.Errorf("value %s is not JSON", excerpt(v))
	}
	f := formWriter{scanner: scanner{b: v}, dst: dst, txn: txn}
	f.value(0, false)
	return f.dst, nil
}

// formWriter turns JSON that is known to be valid into EDN.
type formWriter struct {
	scanner
	dst []byte
	txn bool
}

func (f *formWriter) value(depth int, head bool) {
	f.space()
	switch c := f.b[f.i]; c {
	case '[':
		f.collection(']', depth)
	case '{':
		f.collection('}', depth)
	case '"':
		f.quoted(head && f.txn && depth == 2)
	default:
		from := f.i
		for f.i < len(f.b) && strings.IndexByte(" \t\r\n,]}", f.b[f.i]) < 0 {
			f.i++
		}
		if word := f.b[from:f.i]; c == 'n' {
			f.dst = append(f.dst, "nil"...)
		} else {
			f.dst = append(f.dst, word...)
		}
	}
}

func (f *formWriter) collection(end byte, depth int) {
	f.dst = append(f.dst, f.b[f.i])
	f.i++
	for first := true; !f.take(end); first = false {
		if !first {
			f.take(',')
			f.dst = append(f.dst, ' ')
		}
		if end == '}' {
			f.space()
			f.quoted(true)
			f.take(':')
			f.dst = append(f.dst, ' ')
		}
		f.value(depth+1, first)
	}
	f.dst = append(f.dst, end)
}

// quoted writes a string, or a keyword if it may and can be one. Both notations have the same
// escapes, but for that of the slash.
func (f *formWriter) quoted(keyword bool) {
	from := f.i
	f.skipString()
	raw := string(f.b[from:f.i])
	if inner := raw[1 : len(raw)-1]; keyword && isWord(inner) {
		f.dst = append(append(f.dst, ':'), inner...)
		return
	}
	for at := strings.IndexByte(raw, '\\'); at >= 0; at = strings.IndexByte(raw, '\\') {
		f.dst = append(f.dst, raw[:at]...)
		if raw[at+1] != '/' {
			f.dst = append(f.dst, '\\')
		}
		f.dst = append(f.dst, raw[at+1])
		raw = raw[at+2:]
	}
	f.dst = append(f.dst, raw...)
}
