package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"
)

// History is what Read found in a history.jsonl.
type History struct {
	Events []Event
	Torn   string // what was found torn at the end, in words; empty if nothing was
}

// AppendJSON appends e as one line of history.jsonl, with its newline. It fails if e.Type is none of
// the four or e.Value is not JSON. Text that is not UTF-8 is stored with U+FFFD in place of what is
// not, as encoding/json does.
func AppendJSON(dst []byte, e Event) ([]byte, error) {
	if e.Type < Invoke || e.Type > Info {
		return dst, fmt.Errorf("event %d: no event type %d", e.Index, uint8(e.Type))
	}
	dst = append(dst, `{"index":`...)
	dst = strconv.AppendInt(dst, int64(e.Index), 10)
	dst = append(dst, `,"time":`...)
	dst = strconv.AppendInt(dst, int64(e.Time), 10)
	dst = append(dst, `,"process":`...)
	dst = strconv.AppendInt(dst, int64(e.Process), 10)
	dst = append(dst, `,"type":"`...)
	dst = append(dst, typeNames[e.Type]...)
	dst = append(dst, `","f":`...)
	dst = appendText(dst, e.F)
	dst = appendField(dst, `,"key":`, e.Key)
	if len(e.Value) > 0 {
		line := bytes.NewBuffer(append(dst, `,"value":`...))
		if err := json.Compact(line, e.Value); err != nil { // which checks it and takes its newlines out
			return dst, fmt.Errorf("event %d: value %s is not JSON", e.Index, excerpt(e.Value))
		}
		dst = line.Bytes()
	}
	dst = appendField(dst, `,"node":`, e.Node)
	dst = appendUint(dst, `,"term":`, e.Term)
	dst = appendUint(dst, `,"revision":`, e.Revision)
	dst = appendField(dst, `,"err":`, e.Err)
	return append(dst, '}', '\n'), nil
}

func appendField(dst []byte, name, text string) []byte {
	if text == "" {
		return dst
	}
	return appendText(append(dst, name...), text)
}

func appendUint(dst []byte, name string, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, name...), n, 10)
}

func appendText(dst []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil {
				panic(err) // a string always has a JSON form
			}
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}

// WriteJSONL writes a history.jsonl, in which events are numbered from 0.
func WriteJSONL(w io.Writer, events []Event) error {
	return writeLines(w, events, func(line []byte, i int, e Event) ([]byte, error) {
		e.Index = i
		return AppendJSON(line, e)
	})
}

// writeLines writes what add appends for each event, which it is given with its place.
func writeLines(w io.Writer, events []Event, add func(line []byte, i int, e Event) ([]byte, error)) error {
	out := bufio.NewWriterSize(w, 256<<10)
	var line []byte
	var err error
	for i, e := range events {
		if line, err = add(line[:0], i, e); err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("write history: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write history: %w", err)
	}
	return nil
}

// Read reads a history.jsonl, called name in errors. It is strict: what it does not understand is a
// *SyntaxError, because a history that is silently misread convicts the innocent. The one thing it
// forgives is a last line that a crash cut off, which it reports in Torn.
func Read(name string, r io.Reader) (History, error) {
	var h History
	in := newLines(r)
	dec := decoder{texts: map[string]string{}}
	for {
		line, whole, err := in.next()
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		if errors.Is(err, errLineTooLong) {
			return h, in.locate(name, err)
		}
		if err != nil {
			return h, fmt.Errorf("read %s after line %d: %w", name, in.n, err)
		}
		e, err := dec.event(line)
		if err == nil && e.Index != len(h.Events) {
			err = &fieldError{"index", fmt.Sprintf("%d where %d should follow", e.Index, len(h.Events))}
		}
		switch {
		case err == nil:
			h.Events = append(h.Events, e)
		case torn(line, whole):
			h.Torn = fmt.Sprintf("line %d is cut off after %d bytes: %s", in.n, len(line), excerpt(line))
			return h, nil
		default:
			return h, in.locate(name, err)
		}
	}
}

// decoder reads events; it shares what repeats in a history, to keep millions of events small.
type decoder struct {
	texts map[string]string
	slab  []byte // values are cut from it
}

// textsMax bounds the table of shared texts: a hostile history must not make it larger than itself.
const textsMax = 1 << 16

func (d *decoder) text(s *scanner) (string, error) {
	at := s.i
	if name, ok := s.name(); ok {
		if shared, ok := d.texts[string(name)]; ok {
			return shared, nil
		}
	}
	s.i = at
	text, err := s.text()
	if err != nil {
		return "", err
	}
	if raw := s.b[at:s.i]; len(d.texts) < textsMax && !bytes.ContainsRune(raw, '\\') && utf8.Valid(raw) {
		d.texts[text] = text // without escapes it is its own name
	}
	return text, nil
}

func (d *decoder) value(s *scanner) (json.RawMessage, error) {
	v, err := s.raw()
	if err != nil {
		return nil, err
	}
	if cap(d.slab)-len(d.slab) < len(v) {
		d.slab = make([]byte, 0, max(1<<14, len(v)))
	}
	at := len(d.slab)
	d.slab = append(d.slab, v...)
	return json.RawMessage(d.slab[at:len(d.slab):len(d.slab)]), nil
}

// Members of an event in the order of their bits in the set of those seen.
var eventFields = [...]string{"index", "time", "process", "type", "f", "key", "value", "node", "term", "revision", "err"}

const eventFieldsRequired = 5 // the first ones

func (d *decoder) event(line []byte) (Event, error) {
	var e Event
	var seen uint
	s := scanner{b: line}
	err := s.object(func(name []byte) error {
		for i, known := range eventFields {
			if known != string(name) {
				continue
			}
			if seen&(1<<i) != 0 {
				return errors.New("given twice")
			}
			seen |= 1 << i
			return d.member(&s, i, &e)
		}
		return errors.New("unknown")
	})
	if err != nil {
		return e, err
	}
	for i, name := range eventFields[:eventFieldsRequired] {
		if seen&(1<<i) == 0 {
			return e, &fieldError{name, "missing"}
		}
	}
	return e, nil
}

// timeMax is the longest run: far beyond any, and far from where durations overflow.
const timeMax = 10_000 * time.Hour

// member reads the value of eventFields[field].
func (d *decoder) member(s *scanner, field int, e *Event) (err error) {
	switch eventFields[field] {
	case "index":
		e.Index, err = s.int(0)
	case "time":
		var n int64
		if n, err = s.int64(0); err == nil && n > int64(timeMax) {
			err = fmt.Errorf("%d is over %d (%v)", n, timeMax, timeMax)
		}
		e.Time = time.Duration(n)
	case "process":
		e.Process, err = s.int(Observer)
	case "type":
		var text string
		if text, err = d.text(s); err == nil {
			err = e.Type.UnmarshalText([]byte(text))
		}
	case "f":
		if e.F, err = d.text(s); err == nil && e.F == "" {
			err = errors.New("empty")
		}
	case "key":
		e.Key, err = d.text(s)
	case "value":
		e.Value, err = d.value(s)
	case "node":
		e.Node, err = d.text(s)
	case "term":
		e.Term, err = s.uint64()
	case "revision":
		e.Revision, err = s.uint64()
	case "err":
		e.Err, err = d.text(s)
	}
	return err
}
