package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// ReadEDN reads a history in EDN as Jepsen writes it: maps, one after the other or in one vector.
// Porcupine's logs of a key-value store are such histories too. It is as strict as Read, and refuses
// a history that is cut off.
//
//   - :type, :f and :process are required. Whose process is no number, as the nemesis's, is left out.
//   - :index counts upwards, or is missing everywhere; then events are numbered as they come.
//   - :time is in nanoseconds, or is missing everywhere; then each event is one after the last.
//   - :key, :node, :term, :revision and :error are an Event's; members of other names are ignored.
//   - get is read as read, and put as write.
//
// Values become JSON as ednReader says. One tagged #jepsen.independent/tuple is [key value]. Jepsen
// itself writes such pairs without the tag, as vectors, so without a tag they are told from other
// values by this: every invocation's value is a pair that begins with a scalar, which is the :key if
// there is one, and some have a :key or are reads of [key nil]. Only the tagged form is unambiguous.
//
// In Jepsen a completion repeats the value of its invocation, with what was asked for filled in. So
// the value of a failed or unknown operation is no answer, and what an ok add was to add is not the
// sum. What such an operation was answered is in :found, if anywhere (see WriteEDN). nil is a value
// in an answer, but none in an invocation.
func ReadEDN(name string, r io.Reader) (History, error) {
	e := &ednReader{r: bufio.NewReaderSize(r, 256<<10), line: 1}
	j := jepsenReader{edn: e, shared: decoder{texts: map[string]string{}}, found: map[int]json.RawMessage{}}
	if err := j.history(); err != nil {
		return History{}, e.locate(name, err)
	}
	j.settle()
	return History{Events: j.events}, nil
}

// jepsenReader reads a history in EDN.
type jepsenReader struct {
	edn    *ednReader
	shared decoder
	form   []byte // the value of a member, as JSON
	events []Event
	found  map[int]json.RawMessage // by place in events: what :found says
	tagged bool                    // some value had the tag of a tuple

	seen, always uint            // members of this event, and of :index and :time those that all events have
	client       bool            // this event is a client's
	answer       json.RawMessage // what its :found says
	forms        int             // events so far, whoever's they are
	index        int             // of the last one
}

// ednFields are the members of an event that are read, in the order of their bits.
var ednFields = [...]string{"index", "time", "process", "type", "f", "key", "value", "node", "term", "revision", "error", "found"}

type ednName struct{ theirs, ours string }

// ednNames are the operations that histories in EDN call otherwise.
var ednNames = [...]ednName{{"get", "read"}, {"put", "write"}}

// Members that all events have or none, and those that all have.
const (
	ednOptional = 1<<0 | 1<<1
	ednRequired = 1<<2 | 1<<3 | 1<<4
)

// history reads to the end of the file.
func (j *jepsenReader) history() error {
	var end byte // of the vector; 0 if there is none
	for first := true; ; first = false {
		j.edn.bytes = 0
		c, err := j.edn.start(0)
		switch {
		case errors.Is(err, io.EOF) && end != 0:
			return errEDNEnd
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case first && c == '[':
			end = ']'
		case first && c == '(':
			end = ')'
		case end != 0 && c == end:
			if c, err = j.edn.start(0); err == nil {
				return fmt.Errorf("%q follows the history", c)
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		default:
			if err := j.event(c); err != nil {
				return err
			}
		}
	}
}

// event reads one whose first byte is c.
func (j *jepsenReader) event(c byte) (err error) {
	if c == '#' { // of a record's tag
		if c, err = j.edn.within(); err != nil {
			return err
		}
		if _, err = j.edn.token(c); err != nil {
			return err
		}
		if c, err = j.edn.inside(0); err != nil {
			return err
		}
	}
	if c != '{' {
		return fmt.Errorf("%q where the map of an event should begin", c)
	}
	e := Event{Index: j.forms, Time: time.Duration(j.forms)}
	j.seen, j.client, j.answer = 0, true, nil
	err = j.edn.members(0, func(name []byte) error {
		s := scanner{b: name}
		field, err := j.shared.text(&s)
		if err == nil {
			err = j.field(&e, field)
		}
		if err != nil && !errors.As(err, new(*readError)) {
			err = &fieldError{field, err.Error()}
		}
		return err
	})
	if err != nil {
		return err
	}
	return j.add(e)
}

// add takes an event whose members have been read.
func (j *jepsenReader) add(e Event) error {
	for i, name := range ednFields {
		switch bit := uint(1) << i; {
		case bit&ednRequired&^j.seen != 0:
			return &fieldError{name, "missing"}
		case bit&ednOptional == 0 || j.forms == 0:
		case bit&(j.seen^j.always) != 0:
			return &fieldError{name, "some events have it and some have not"}
		}
	}
	if j.forms > 0 && e.Index <= j.index {
		return &fieldError{"index", fmt.Sprintf("%d after %d", e.Index, j.index)}
	}
	if e.Index > math.MaxInt32 {
		return &fieldError{"index", fmt.Sprintf("%d is above %d", e.Index, math.MaxInt32)}
	}
	j.always = j.seen
	j.index = e.Index
	j.forms++
	if j.client {
		if j.answer != nil {
			j.found[len(j.events)] = j.answer
		}
		j.events = append(j.events, e)
	}
	return nil
}

// field reads a member of an event, with the reader in front of its value.
func (j *jepsenReader) field(e *Event, name string) error {
	bit := slices.Index(ednFields[:], name)
	if bit >= 0 && j.seen&(1<<bit) != 0 {
		return errors.New("given twice")
	}
	var tag string
	var err error
	if j.form, tag, err = j.edn.form(j.form[:0], 1); err != nil || bit < 0 {
		return err
	}
	if string(j.form) == "null" && (1<<bit)&ednRequired == 0 && name != "value" && name != "found" {
		return nil // as good as missing
	}
	j.seen |= 1 << bit
	return j.member(e, name, tag)
}

// member takes the value of a member, which is j.form.
func (j *jepsenReader) member(e *Event, name, tag string) (err error) {
	s := scanner{b: j.form}
	switch name {
	case "process":
		if j.client = j.form[0] == '-' || j.form[0] >= '0' && j.form[0] <= '9'; j.client {
			e.Process, err = s.int(0)
		}
	case "f":
		e.F, err = j.shared.text(&s)
		if at := slices.IndexFunc(ednNames[:], func(n ednName) bool { return n.theirs == e.F }); at >= 0 {
			e.F = ednNames[at].ours
		} else if err == nil && e.F == "" {
			err = errors.New("empty")
		}
	case "key":
		e.Key, err = j.key(j.form)
	case "value":
		e.Value, err = j.shared.value(&s)
		if err != nil || tag != tupleTag {
			return err
		}
		j.tagged = true
		key, value, ok := tuple(e.Value)
		if !ok {
			return errors.New("a tuple that is no [key value]")
		}
		e.Value = value
		e.Key, err = j.key(key)
	case "found":
		j.answer, err = j.shared.value(&s)
	case "error":
		if j.form[0] == '"' {
			e.Err, err = j.shared.text(&s)
		} else {
			e.Err = string(j.form)
		}
	default:
		err = j.shared.member(&s, slices.Index(eventFields[:], name), e)
	}
	return err
}
