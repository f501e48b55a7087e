package adya

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"ordeal/history"
	"ordeal/internal/words"
)

// name is how sentences call a transaction: by what it did to the keys that they are about, if to any.
func (r *records) name(t int32, keys []int32) string {
	op := r.ops[t]
	var less bool
	op.Output, _ = r.about(op.Output, keys)
	op.Input, less = r.about(op.Input, keys)
	name := op.Label()
	if end := strings.LastIndexByte(name, '}'); less && end >= 0 {
		name = name[:end] + ", …" + name[end:]
	}
	name += " by p" + strconv.Itoa(op.Process)
	if op.Node != "" {
		name += " via " + history.Word(op.Node)
	}
	return name
}

// about are the micro-operations on keys of all those in value; less tells whether that is less, and not nothing.
func (r *records) about(value json.RawMessage, keys []int32) (some json.RawMessage, less bool) {
	var triples [][3]any
	all, _ := history.MicroOps(value)
	for _, m := range all {
		if slices.ContainsFunc(keys, func(k int32) bool { return bytes.Equal(canonical(m.Key), r.keys[k].name) }) {
			triples = append(triples, [3]any{m.F, m.Key, m.Value})
		}
	}
	if len(triples) == 0 || len(triples) == len(all) {
		return value, false
	}
	some, err := json.Marshal(triples)
	if err != nil {
		return value, false // it was JSON before
	}
	return some, true
}

// raw is the JSON of an element.
func (r *records) raw(e element) json.RawMessage {
	if i := e - elementText; i >= 0 && int(i) < len(r.texts) {
		return r.texts[i]
	}
	return strconv.AppendInt(nil, int64(e), 10)
}

func (r *records) label(e element) string { return history.ValueLabel(r.raw(e)) }

func (r *records) keyLabel(k int32) string { return history.ValueLabel(r.keys[k].name) }

// listLabel shows a list, of a long one its end, which is where lists differ.
func (r *records) listLabel(list []element) string {
	const shown = 4
	if len(list) == 0 {
		return "nil"
	}
	var b strings.Builder
	b.WriteByte('[')
	if n := len(list) - shown; n > 0 {
		b.WriteString("…,")
		list = list[n:]
	}
	for i, e := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(r.label(e))
	}
	b.WriteByte(']')
	return b.String()
}

func counted(n int) string { return words.Count(n, "transaction") }

// listed joins words: a, b and c.
func listed(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}
