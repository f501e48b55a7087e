package history

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Canonical writes equal values alike; nothing at all is null. Plain values, which most are, are
// taken as they stand.
func Canonical(raw json.RawMessage) (json.RawMessage, bool) {
	if len(raw) == 0 {
		return json.RawMessage("null"), true
	}
	if Plain(raw) {
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

// Plain tells of most values that are JSON and canonical that they are: short numbers without a sign, and strings of ASCII
// without escapes.
func Plain(raw json.RawMessage) bool {
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
