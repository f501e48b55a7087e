package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// lineBytesMax bounds one line of a log: longer ones are hostile or broken, and reading them would
// cost memory before anything about them is known.
const lineBytesMax = 16 << 20

// SyntaxError says where a log is not what it should be. It prints as
// `history.jsonl:7: field "type": …`.
type SyntaxError struct {
	File   string
	Line   int    // from 1
	Field  string // empty if the line as a whole is broken
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
	}
	return fmt.Sprintf("%s:%d: field %q: %s", e.File, e.Line, e.Field, e.Reason)
}

// fieldError is a SyntaxError that does not know its line yet.
type fieldError struct{ field, reason string }

func (e *fieldError) Error() string { return fmt.Sprintf("field %q: %s", e.field, e.reason) }

// scanner reads one JSON object without reflection. It is stricter than encoding/json: names match
// exactly, and none may appear twice or be unknown.
type scanner struct {
	b []byte
	i int
}

var errObject = errors.New("not a complete JSON object")

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

// take skips white space and then c; it tells whether c was there.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// object calls field for each member, with the scanner in front of its value. An error of field is
// returned with the member's name.
func (s *scanner) object(field func(name []byte) error) error {
	if !s.take('{') {
		return errObject
	}
	if s.take('}') {
		return s.end()
	}
	for {
		name, ok := s.name()
		if !ok || !s.take(':') {
			return errObject
		}
		s.space()
		if err := field(name); err != nil {
			return &fieldError{string(name), err.Error()}
		}
		if s.take(',') {
			s.space()
			continue
		}
		if s.take('}') {
			return s.end()
		}
		return errObject
	}
}

func (s *scanner) end() error {
	if s.space(); s.i < len(s.b) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// raw returns the bytes of the value ahead, which alias the line.
func (s *scanner) raw() ([]byte, error) {
	s.space()
	from, depth := s.i, 0
scan:
	for ; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; c {
		case '"':
			if !s.skipString() {
				return nil, errors.New("a string without end")
			}
			s.i-- // the loop steps over the closing quote
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				break scan
			}
		case ',', ' ', '\t', '\r':
			if depth == 0 {
				break scan
			}
		}
	}
	v := s.b[from:s.i]
	if !json.Valid(v) {
		return nil, fmt.Errorf("%s is not JSON", excerpt(v))
	}
	return v, nil
}

// skipString moves past a string; the scanner stands on its opening quote.
func (s *scanner) skipString() bool {
	for s.i++; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return true
		}
	}
	return false
}

// text reads a string. The common case, without escapes, copies its bytes once.
func (s *scanner) text() (string, error) {
	from := s.i
	if s.i >= len(s.b) || s.b[s.i] != '"' {
		return "", s.unexpected("a string")
	}
	if !s.skipString() {
		return "", errors.New("a string without end")
	}
	v := s.b[from:s.i]
	for _, c := range v {
		if c == '\\' || c < ' ' || c >= 0x80 {
			var text string
			if err := json.Unmarshal(v, &text); err != nil {
				return "", fmt.Errorf("%s is not a JSON string", excerpt(v))
			}
			return text, nil
		}
	}
	return string(v[1 : len(v)-1]), nil
}

// name reads a member's name, as it is written: none that we know has an escape in it.
func (s *scanner) name() ([]byte, bool) {
	from := s.i
	if s.i >= len(s.b) || s.b[s.i] != '"' || !s.skipString() {
		return nil, false
	}
	return s.b[from+1 : s.i-1], true
}

func (s *scanner) number() []byte {
	from := s.i
	for s.i < len(s.b) {
		if c := s.b[s.i]; c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' && (c < '0' || c > '9') {
			break
		}
		s.i++
	}
	return s.b[from:s.i]
}

// int64 reads an integer of at least least.
func (s *scanner) int64(least int64) (int64, error) {
	text := s.number()
	n, err := strconv.ParseInt(string(text), 10, 64)
	switch {
	case len(text) == 0:
		return 0, s.unexpected("an integer")
	case err != nil || !json.Valid(text):
		return 0, fmt.Errorf("%s is not an integer of 64 bits", excerpt(text))
	case n < least:
		return 0, fmt.Errorf("%d is below %d", n, least)
	}
	return n, nil
}

// int is int64 for platforms whose int is smaller.
func (s *scanner) int(least int64) (int, error) {
	n, err := s.int64(least)
	if err == nil && n > math.MaxInt {
		return 0, fmt.Errorf("%d is too large", n)
	}
	return int(n), err
}

func (s *scanner) uint64() (uint64, error) {
	text := s.number()
	n, err := strconv.ParseUint(string(text), 10, 64)
	switch {
	case len(text) == 0:
		return 0, s.unexpected("an integer")
	case err != nil || !json.Valid(text):
		return 0, fmt.Errorf("%s is not an unsigned integer of 64 bits", excerpt(text))
	}
	return n, nil
}

func (s *scanner) unexpected(want string) error {
	at := s.i
	v, err := s.raw()
	if err != nil || len(v) == 0 {
		v = s.b[at:]
	}
	return fmt.Errorf("%s is not %s", excerpt(v), want)
}

// excerpt quotes the beginning of hostile bytes.
func excerpt(b []byte) string {
	const most = 40
	if len(b) > most {
		return strconv.QuoteToASCII(string(b[:most])) + "…"
	}
	return strconv.QuoteToASCII(string(b))
}

// lines reads a log line by line.
type lines struct {
	r    *bufio.Reader
	long []byte // a line that did not fit into the reader's buffer
	n    int    // lines read
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 256<<10)} }

var errLineTooLong = fmt.Errorf("the line is longer than %d MiB", lineBytesMax>>20)

// next returns a line without its newline and whether it had one; the bytes are valid until the
// next call. At the end it returns io.EOF.
func (l *lines) next() (line []byte, whole bool, err error) {
	line, err = l.r.ReadSlice('\n')
	l.long = l.long[:0]
	for errors.Is(err, bufio.ErrBufferFull) {
		if l.long = append(l.long, line...); len(l.long) > lineBytesMax {
			l.n++
			return nil, false, errLineTooLong
		}
		line, err = l.r.ReadSlice('\n')
	}
	if len(l.long) > 0 {
		l.long = append(l.long, line...)
		line = l.long
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	if len(line) == 0 {
		return nil, false, io.EOF
	}
	l.n++
	if whole = err == nil; whole {
		line = line[:len(line)-1]
	}
	if len(line) > lineBytesMax {
		return nil, false, errLineTooLong
	}
	return line, whole, nil
}

// locate turns an error about the current line into a SyntaxError; errors of the reader below keep
// their chain.
func (l *lines) locate(file string, err error) error {
	var f *fieldError
	switch {
	case errors.As(err, &f):
		return &SyntaxError{File: file, Line: l.n, Field: f.field, Reason: f.reason}
	default:
		return &SyntaxError{File: file, Line: l.n, Reason: err.Error()}
	}
}

// torn tells whether a line that did not parse is the beginning of one, cut off by a crash.
func torn(line []byte, whole bool) bool {
	return !whole && (!json.Valid(line) || !bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")))
}
