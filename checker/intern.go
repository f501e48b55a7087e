package checker

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"math/bits"
	"regexp"
	"slices"
	"unicode/utf8"
)

// interner numbers the values of one key. It is a hash table with open addressing that holds no copies: a key may have a
// million values, and they stay where the history has them.
type interner struct {
	seed   maphash.Seed
	slots  []internSlot // a power of two of them, at most half in use
	values []json.RawMessage
}

// internSlot is free if it is zero.
type internSlot struct {
	hash uint32 // a part of it, so that few others are compared
	next value  // the value's number and 1
}

// newInterner has room for n values, and grows.
func newInterner(n int) interner {
	return interner{
		seed:   maphash.MakeSeed(),
		slots:  make([]internSlot, 1<<bits.Len(uint(2*max(n, 8)))),
		values: make([]json.RawMessage, 0, n),
	}
}

// nullFirst is an interner that numbers null as the constant does.
func nullFirst(n int) interner {
	in := newInterner(n)
	in.number(json.RawMessage("null"))
	return in
}

// value numbers raw; reason is why it cannot.
func (in *interner) value(raw json.RawMessage) (v value, reason string) {
	text, ok := canonical(raw)
	if !ok {
		return none, "its value is not JSON"
	}
	return in.number(text), ""
}

// number is that of a canonical value.
func (in *interner) number(text json.RawMessage) value {
	hash := maphash.Bytes(in.seed, text)
	mask := uint64(len(in.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		s := &in.slots[at]
		if s.next == 0 {
			in.values = append(in.values, text)
			*s = internSlot{uint32(hash >> 32), value(len(in.values))}
			break
		}
		if s.hash == uint32(hash>>32) && bytes.Equal(in.values[s.next-1], text) {
			return s.next - 1
		}
	}
	if 2*len(in.values) > len(in.slots) {
		in.grow()
	}
	return value(len(in.values) - 1)
}

func (in *interner) grow() {
	in.slots = make([]internSlot, 2*len(in.slots))
	mask := uint64(len(in.slots) - 1)
	for v, text := range in.values {
		hash := maphash.Bytes(in.seed, text)
		at := hash & mask
		for in.slots[at].next != 0 {
			at = (at + 1) & mask
		}
		in.slots[at] = internSlot{uint32(hash >> 32), value(v + 1)}
	}
}

// canonical writes equal values alike; nothing at all is null. Plain values, which most are, are
// taken as they stand.
func canonical(raw json.RawMessage) (json.RawMessage, bool) {
	if len(raw) == 0 {
		return json.RawMessage("null"), true
	}
	if asIs(raw) {
		return raw, true
	}
	if !slices.ContainsFunc(raw, func(c byte) bool { return c == '\\' || c == '{' || c <= ' ' || c >= 0x80 }) {
		return raw, json.Valid(raw)
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return nil, false
	}
	if !utf8.Valid(raw) || loneSurrogate.Match(otherEscapes.ReplaceAll(raw, nil)) {
		return compact.Bytes(), true // decoding might make different values one
	}
	dec := json.NewDecoder(&compact)
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil, false
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err == nil
}

// asIs tells of most values that are JSON and canonical that they are: short numbers without a sign, and strings of ASCII
// without escapes.
func asIs(raw json.RawMessage) bool {
	last := len(raw) - 1
	if raw[0] != '"' {
		return last < 18 && (raw[0] != '0' || last == 0) && !slices.ContainsFunc(raw, func(c byte) bool { return c < '0' || c > '9' })
	}
	return last > 0 && raw[last] == '"' &&
		!slices.ContainsFunc(raw[1:last], func(c byte) bool { return c < ' ' || c == '"' || c == '\\' || c >= 0x7f })
}

// loneSurrogate finds escapes of half a character where otherEscapes, of whole ones and of signs, are taken out.
var (
	loneSurrogate = regexp.MustCompile(`\\u[dD][89a-fA-F]`)
	otherEscapes  = regexp.MustCompile(`\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[^u])`)
)
