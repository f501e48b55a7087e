package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Mismatch is the Err of a cas that failed because it found another value than its old one, and did not tell which.
const Mismatch = "mismatch"

// ReadJepsenLog reads the operations in a jepsen.log, in which older versions of Jepsen tell of each
// event in a line:
//
//	INFO  jepsen.util - 4	:invoke	:cas	[3 0]
//	INFO  jepsen.util - 4	:fail	:cas	[3 0]
//	INFO  jepsen.util - 3	:info	:write	:timed-out
//
// The lines have no time: each is one nanosecond after the last. Lines of other loggers and of the
// nemesis are left out; one of jepsen.util that is none of these is a *SyntaxError. A cas that failed
// with its own value found another value than its old one, and has Err "mismatch"; that is how
// the logs in Porcupine's test data, of the etcd test, are meant. A keyword in place of a failed or
// unknown operation's value becomes its Err.
func ReadJepsenLog(name string, r io.Reader) (History, error) {
	in := newLines(r)
	j := jepsenReader{edn: &ednReader{r: bufio.NewReader(nil)}, shared: decoder{texts: map[string]string{}}}
	for {
		line, _, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return History{Events: j.events}, nil
		case errors.Is(err, errLineTooLong):
			return History{}, in.locate(name, err)
		case err != nil:
			return History{}, fmt.Errorf("read %s after line %d: %w", name, in.n, err)
		}
		logger, rest := word(line)
		if string(logger) == "INFO" {
			logger, rest = word(rest)
		}
		if string(logger) != "jepsen.util" {
			continue
		}
		if err := j.logged(rest, time.Duration(in.n)); err != nil {
			return History{}, in.locate(name, err)
		}
	}
}

// word cuts the first word off a line.
func word(line []byte) (first, rest []byte) {
	line = bytes.TrimLeft(line, " \t\r")
	if end := bytes.IndexAny(line, " \t\r"); end >= 0 {
		return line[:end], bytes.TrimSpace(line[end:])
	}
	return line, nil
}

// logged reads what follows the name of the logger: - process type f value.
func (j *jepsenReader) logged(line []byte, at time.Duration) error {
	dash, line := word(line)
	process, line := word(line)
	kind, line := word(line)
	f, value := word(line)
	e := Event{Index: len(j.events), Time: at}
	number, err := strconv.ParseUint(string(process), 10, 31)
	switch {
	case string(dash) != "-" || len(f) == 0:
		return errors.New("not - process type f value")
	case string(process) == ":nemesis":
		return nil
	case err != nil:
		return &fieldError{"process", excerpt(process) + " is no number of 31 bits"}
	}
	e.Process = int(number)
	if err := e.Type.UnmarshalText(bytes.TrimPrefix(kind, []byte{':'})); err != nil || kind[0] != ':' {
		return &fieldError{"type", excerpt(kind) + " is none of :invoke, :ok, :fail, :info"}
	}
	if len(f) < 2 || f[0] != ':' {
		return &fieldError{"f", excerpt(f) + " is no keyword"}
	}
	quoted := appendText(nil, string(f[1:]))
	if e.F, err = j.shared.text(&scanner{b: quoted}); err != nil {
		return &fieldError{"f", err.Error()}
	}
	if err := j.loggedValue(&e, value); err != nil {
		return &fieldError{"value", err.Error()}
	}
	j.events = append(j.events, e)
	return nil
}

// loggedValue takes the last word of a line.
func (j *jepsenReader) loggedValue(e *Event, value []byte) error {
	j.edn.r.Reset(bytes.NewReader(value))
	j.edn.bytes = 0
	var err error
	if j.form, _, err = j.edn.form(j.form[:0], 1); err != nil {
		return err
	}
	if _, err := j.edn.start(0); !errors.Is(err, io.EOF) {
		return fmt.Errorf("something follows the value in %s", excerpt(value))
	}
	switch {
	case e.Type == Invoke && string(j.form) == "null":
	case e.Type == Invoke || e.Type == OK:
		e.Value, err = j.shared.value(&scanner{b: j.form})
	case value[0] == ':':
		e.Err, err = j.shared.text(&scanner{b: j.form})
	case e.Type == Fail && e.F == "cas":
		e.Err = Mismatch
	}
	return err
}
