package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// ednDepthMax is how deep forms may be nested.
const ednDepthMax = 100

// ednReader reads EDN, the notation of Clojure (github.com/edn-format/edn), form by form, and turns
// each into JSON:
//
//   - nil, booleans, integers and floats of any size as they are, without Clojure's N and M; strings;
//   - keywords and symbols as strings, without the colon; characters, ratios, ##Inf and the like too;
//   - vectors, lists and sets as arrays, in the order in which they are written;
//   - maps as objects; their keys may be anything that is no collection, and become strings;
//   - tags are dropped and what they tag is kept, so records are maps.
//
// So :a, a and "a" become one value. That cannot convict an innocent history: an order that is legal
// with different values is legal when some of them are taken for the same.
type ednReader struct {
	r     *bufio.Reader
	line  int // of the next byte, from 1
	bytes int // read since the count was last set to 0
}

var (
	errEDNEnd = errors.New("the file ends within a form")
	errTooBig = fmt.Errorf("longer than %d MiB", lineBytesMax>>20)
)

// readError is an error of the reader below.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// locate says where err is; errors of the reader below keep their chain.
func (e *ednReader) locate(file string, err error) error {
	if below, ok := errors.AsType[*readError](err); ok {
		return fmt.Errorf("read %s after line %d: %w", file, e.line, below.err)
	}
	if f, ok := errors.AsType[*fieldError](err); ok {
		return &SyntaxError{File: file, Line: e.line, Field: f.field, Reason: f.reason}
	}
	return &SyntaxError{File: file, Line: e.line, Reason: err.Error()}
}

func (e *ednReader) next() (byte, error) {
	c, err := e.r.ReadByte()
	if errors.Is(err, io.EOF) {
		return 0, io.EOF
	}
	if err != nil {
		return 0, &readError{err}
	}
	if c == '\n' {
		e.line++
	}
	if e.bytes++; e.bytes > lineBytesMax {
		return 0, errTooBig
	}
	return c, nil
}

// within is next for where the file must not end.
func (e *ednReader) within() (byte, error) {
	c, err := e.next()
	if errors.Is(err, io.EOF) {
		err = errEDNEnd
	}
	return c, err
}

// back takes the last byte back.
func (e *ednReader) back(c byte) {
	_ = e.r.UnreadByte() // it fails only if nothing was read
	if c == '\n' {
		e.line--
	}
	e.bytes--
}

// start skips white space, comments and discarded forms, #_x, and returns the first byte of what
// follows; at the end of the file the error is io.EOF.
func (e *ednReader) start(depth int) (byte, error) {
	for comment := false; ; {
		c, err := e.next()
		switch {
		case err != nil:
			return 0, err
		case c == '\n':
			comment = false
		case comment || c == ' ' || c == ',' || c == '\t' || c == '\r' || c == '\f':
		case c == ';':
			comment = true
		case c == '#' && e.ahead() == '_':
			if _, err := e.next(); err != nil {
				return 0, err
			}
			if _, _, err := e.form(nil, depth+1); err != nil {
				return 0, err
			}
		default:
			return c, nil
		}
	}
}

// ahead is the byte that next will read, 0 at the end.
func (e *ednReader) ahead() byte {
	if c, err := e.r.Peek(1); err == nil {
		return c[0]
	}
	return 0
}

// form appends the next form to dst as JSON. The tag is the form's own, empty if it has none.
func (e *ednReader) form(dst []byte, depth int) (out []byte, tag string, err error) {
	c, err := e.inside(depth)
	if err != nil {
		return dst, "", err
	}
	return e.formAt(dst, c, depth)
}

// formAt is form when the first byte has been read.
func (e *ednReader) formAt(dst []byte, c byte, depth int) (out []byte, tag string, err error) {
	if depth > ednDepthMax {
		return dst, "", fmt.Errorf("nested deeper than %d", ednDepthMax)
	}
	if c != '#' {
		out, err = e.untagged(dst, c, depth)
		return out, "", err
	}
	if c, err = e.within(); err != nil {
		return dst, "", err
	}
	switch c {
	case '{':
		out, err = e.sequence(dst, '}', depth)
		return out, "", err
	case '#': // ##Inf, ##-Inf, ##NaN
		if c, err = e.within(); err != nil {
			return dst, "", err
		}
		word, err := e.token(c)
		return appendText(dst, word), "", err
	}
	if tag, err = e.token(c); err != nil {
		return dst, "", err
	}
	out, _, err = e.form(dst, depth+1)
	return out, tag, err
}

func (e *ednReader) untagged(dst []byte, c byte, depth int) ([]byte, error) {
	switch c {
	case '"':
		return e.text(dst)
	case '[':
		return e.sequence(dst, ']', depth)
	case '(':
		return e.sequence(dst, ')', depth)
	case '{':
		return e.object(dst, depth)
	case '\\':
		return e.character(dst)
	case ']', ')', '}', '^', '`', '~', '@', '\'':
		return dst, fmt.Errorf("%q where a form should begin", c)
	}
	word, err := e.token(c)
	if err != nil {
		return dst, err
	}
	return atom(dst, word)
}

// sequence reads a vector, list or set behind its opening bracket.
func (e *ednReader) sequence(dst []byte, end byte, depth int) ([]byte, error) {
	dst = append(dst, '[')
	for first := true; ; first = false {
		c, err := e.inside(depth)
		if err != nil {
			return dst, err
		}
		if c == end {
			return append(dst, ']'), nil
		}
		if !first {
			dst = append(dst, ',')
		}
		if dst, _, err = e.formAt(dst, c, depth+1); err != nil {
			return dst, err
		}
	}
}

// object reads a map behind its opening brace.
func (e *ednReader) object(dst []byte, depth int) ([]byte, error) {
	dst = append(dst, '{')
	seen := map[string]bool{}
	err := e.members(depth, func(name []byte) (err error) {
		if seen[string(name)] {
			return errors.New("given twice")
		}
		if len(seen) > 0 {
			dst = append(dst, ',')
		}
		seen[string(name)] = true
		dst = append(append(dst, name...), ':')
		dst, _, err = e.form(dst, depth+1)
		return err
	})
	return append(dst, '}'), err
}

// members calls member for each member of a map behind its opening brace, with the reader in front
// of its value. The name is a JSON string.
func (e *ednReader) members(depth int, member func(name []byte) error) error {
	for {
		c, err := e.inside(depth)
		if err != nil || c == '}' {
			return err
		}
		name, _, err := e.formAt(nil, c, depth+1)
		if err != nil {
			return err
		}
		switch name[0] {
		case '[', '{':
			return fmt.Errorf("%s is the key of a map: JSON has no such keys", excerpt(name))
		case '"':
		default:
			name = appendText(nil, string(name))
		}
		if err := member(name); err != nil {
			return err
		}
	}
}

// inside is start for where the file must not end.
func (e *ednReader) inside(depth int) (byte, error) {
	c, err := e.start(depth)
	if errors.Is(err, io.EOF) {
		err = errEDNEnd
	}
	return c, err
}

// ends tells whether a token ends before c.
func ends(c byte) bool { return c <= ' ' || strings.IndexByte(`,";()[]{}`, c) >= 0 }

// token reads a word whose first byte is c.
func (e *ednReader) token(c byte) (string, error) {
	if ends(c) {
		return "", fmt.Errorf("%q where a word should begin", c)
	}
	word := []byte{c}
	for {
		c, err := e.next()
		if errors.Is(err, io.EOF) {
			return string(word), nil
		}
		if err != nil {
			return "", err
		}
		if ends(c) {
			e.back(c)
			return string(word), nil
		}
		word = append(word, c)
	}
}

// atom appends a keyword, symbol or number.
func atom(dst []byte, word string) ([]byte, error) {
	switch word {
	case "nil":
		return append(dst, "null"...), nil
	case "true", "false":
		return append(dst, word...), nil
	}
	digits := strings.TrimLeft(word, "+-")
	switch {
	case word == ":" || !utf8.ValidString(word):
		return dst, fmt.Errorf("%s is no word", excerpt([]byte(word)))
	case word[0] == ':':
		return appendText(dst, word[1:]), nil
	case digits == "" || digits[0] < '0' || digits[0] > '9':
		return appendText(dst, word), nil
	}
	number := strings.TrimPrefix(word, "+")
	if over, under, ok := strings.Cut(number, "/"); ok && integral(over) && integral(under) {
		return appendText(dst, number), nil
	}
	if whole, ok := strings.CutSuffix(number, "N"); ok && integral(whole) {
		number = whole
	}
	number = strings.TrimSuffix(number, "M")
	if !json.Valid([]byte(number)) || number[0] == '"' {
		return dst, fmt.Errorf("%s is no number", excerpt([]byte(word)))
	}
	return append(dst, number...), nil
}

func integral(text string) bool {
	return text != "" && strings.Trim(strings.TrimPrefix(text, "-"), "0123456789") == ""
}

// text reads a string behind its opening quote.
func (e *ednReader) text(dst []byte) ([]byte, error) {
	at := len(dst)
	dst = append(dst, '"')
	for {
		c, err := e.within()
		if err != nil {
			return dst, err
		}
		switch {
		case c == '"':
			dst = append(dst, '"')
			if !json.Valid(dst[at:]) {
				return dst, fmt.Errorf("the string %s has an escape that EDN does not know", excerpt(dst[at:]))
			}
			return dst, nil
		case c == '\\':
			dst = append(dst, c)
			if c, err = e.within(); err != nil {
				return dst, err
			}
			if c == '/' {
				return dst, errors.New(`EDN has no escape \/`)
			}
			dst = append(dst, c)
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
}

// ednCharacters are the characters that have names.
var ednCharacters = map[string]string{
	"newline": "\n", "return": "\r", "space": " ", "tab": "\t", "formfeed": "\f", "backspace": "\b",
}

// character reads what follows a backslash; it may be a byte that ends tokens elsewhere.
func (e *ednReader) character(dst []byte) ([]byte, error) {
	c, err := e.within()
	if err != nil {
		return dst, err
	}
	word := string(rune(c))
	if !ends(c) {
		if word, err = e.token(c); err != nil {
			return dst, err
		}
	}
	if utf8.RuneCountInString(word) == 1 && utf8.ValidString(word) {
		return appendText(dst, word), nil
	}
	if named, ok := ednCharacters[word]; ok {
		return appendText(dst, named), nil
	}
	if escaped := []byte(`"\` + word + `"`); word[0] == 'u' && len(word) == 5 && json.Valid(escaped) {
		return append(dst, escaped...), nil
	}
	return dst, fmt.Errorf("%s is no character", excerpt([]byte(word)))
}
