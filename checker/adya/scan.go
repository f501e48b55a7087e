package adya

import (
	"bytes"
	"encoding/json"

	"ordeal/history"
)

// text is JSON that is read from front to back, without reflection: a run has millions of answers.
type text struct {
	b []byte
	i int
}

func (t *text) space() {
	for t.i < len(t.b) && (t.b[t.i] == ' ' || t.b[t.i] == '\t' || t.b[t.i] == '\r' || t.b[t.i] == '\n') {
		t.i++
	}
}

// take skips white space and c; it tells whether c was there.
func (t *text) take(c byte) bool {
	t.space()
	if t.i == len(t.b) || t.b[t.i] != c {
		return false
	}
	t.i++
	return true
}

// ended tells whether only white space is left.
func (t *text) ended() bool {
	t.space()
	return t.i == len(t.b)
}

// listNext tells whether a list is next.
func (t *text) listNext() bool {
	t.space()
	return t.i < len(t.b) && t.b[t.i] == '['
}

// list reads a list, whose members member reads; it tells whether all of it was there.
func (t *text) list(member func() bool) bool {
	if !t.take('[') {
		return false
	}
	if t.take(']') {
		return true
	}
	for member() {
		if t.take(']') {
			return true
		}
		if !t.take(',') {
			return false
		}
	}
	return false
}

// scalar reads a string, a number, true, false or null; ok is false if none of them is next.
func (t *text) scalar() (token []byte, ok bool) {
	t.space()
	from := t.i
	if t.i < len(t.b) && t.b[t.i] == '"' {
		return t.quoted()
	}
	for t.i < len(t.b) && !ends(t.b[t.i]) {
		t.i++
	}
	token = t.b[from:t.i]
	if _, plain := integer(token); plain {
		return token, true
	}
	return token, len(token) > 0 && json.Valid(token)
}

// natural reads a number without a sign, if one is next that integer would read. It is what most elements are.
func (t *text) natural() (n int64, ok bool) {
	const digitsMax = 18
	t.space()
	from, i := t.i, t.i
	for ; i < len(t.b) && t.b[i] >= '0' && t.b[i] <= '9'; i++ {
		n = 10*n + int64(t.b[i]-'0')
	}
	if i == from || i-from > digitsMax || i == len(t.b) || !ends(t.b[i]) || t.b[from] == '0' && i-from > 1 {
		return 0, false
	}
	t.i = i
	return n, true
}

// ends tells whether c ends a number or a word.
func ends(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', ',', ':', '"', '[', ']', '{', '}':
		return true
	}
	return false
}

func (t *text) quoted() (token []byte, ok bool) {
	from, plain := t.i, true
	for t.i++; t.i < len(t.b); t.i++ {
		switch c := t.b[t.i]; {
		case c == '"':
			t.i++
			token = t.b[from:t.i]
			return token, plain || json.Valid(token)
		case c == '\\':
			plain = false
			t.i++
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

// integer reads a number that has one way to be written, and fits into an element.
func integer(token []byte) (n int64, ok bool) {
	digits := bytes.TrimPrefix(token, []byte{'-'})
	if len(digits) == 0 || len(digits) > 18 || digits[0] == '0' && len(token) > 1 {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	if len(digits) < len(token) {
		n = -n
	}
	return n, true
}

// canonical is one text for each value, however it is escaped.
func canonical(token []byte) []byte {
	name, _ := history.Canonical(token) // it is JSON: see scalar
	return name
}
