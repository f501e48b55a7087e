package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// AppliedKind says what a line of an apply log reports.
type AppliedKind uint8

// A node boots with the state of a snapshot, applies entries, has its state replaced by a leader's
// snapshot, or becomes leader.
const (
	AppliedBoot AppliedKind = iota + 1
	AppliedEntry
	AppliedRestore
	AppliedLeader
)

// Applied is one line of nodes/<node>.apply.jsonl:
//
//	{"boot":1,"from":41}                                    the 1st start, with the state of index 41
//	{"index":42,"term":3,"digest":"00c0ffee00c0ffee"}       entry 42 was applied
//	{"restore":90,"term":4}                                 the state is now the snapshot of index 90
//	{"leader":true,"term":4}                                this node became leader of term 4
type Applied struct {
	Kind   AppliedKind
	Boot   int    // number of the start, from 1; boot only
	Index  uint64 // of the entry or the snapshot; not for leader
	Term   uint64 // not for boot
	Digest uint64 // of the entry's command; entry only
}

// ReadApplyLog reads an apply log, called name in errors, as strictly as Read. Nodes are killed in
// the middle of a line: one that is cut off at the end, or by the boot that comes next, on the same
// line or on one of its own, is described in torn and left out.
func ReadApplyLog(name string, r io.Reader) (log []Applied, torn string, err error) {
	in := newLines(r)
	var broken error // the line before is not JSON; forgiven if a boot follows
	for {
		line, whole, err := in.next()
		switch {
		case errors.Is(err, io.EOF):
			return log, torn, broken
		case errors.Is(err, errLineTooLong):
			return log, torn, in.locate(name, err)
		case err != nil:
			return log, torn, fmt.Errorf("read %s after line %d: %w", name, in.n, err)
		}
		a, err := scanApplied(line)
		if err != nil && !json.Valid(line) {
			torn = fmt.Sprintf("line %d is cut off: %s", in.n, excerpt(line))
			if boot := bytes.LastIndex(line, []byte(`{"boot":`)); boot > 0 {
				a, err = scanApplied(line[boot:])
			}
			if err != nil && !whole {
				return log, torn, nil
			}
			if err != nil && broken == nil {
				broken = in.locate(name, err)
				continue
			}
		}
		if broken != nil && (err != nil || a.Kind != AppliedBoot) {
			return log, torn, broken
		}
		if err != nil {
			return log, torn, in.locate(name, err)
		}
		broken = nil
		log = append(log, a)
	}
}

// appliedFields are the members of each kind of line; all are required.
var appliedFields = [...][]string{
	AppliedBoot:    {"boot", "from"},
	AppliedEntry:   {"index", "term", "digest"},
	AppliedRestore: {"restore", "term"},
	AppliedLeader:  {"leader", "term"},
}

func scanApplied(line []byte) (Applied, error) {
	var a Applied
	seen := make([]string, 0, 3)
	s := scanner{b: line}
	err := s.object(func(field []byte) error {
		name := string(field)
		if slices.Contains(seen, name) {
			return errors.New("given twice")
		}
		seen = append(seen, name)
		return a.member(&s, name)
	})
	if err != nil {
		return a, err
	}
	if a.Kind == 0 {
		return a, errors.New("the line has none of boot, index, restore, leader")
	}
	for _, want := range appliedFields[a.Kind] {
		if !slices.Contains(seen, want) {
			return a, &fieldError{want, "missing"}
		}
	}
	if len(seen) != len(appliedFields[a.Kind]) {
		return a, fmt.Errorf("the members %q do not belong together", seen)
	}
	return a, nil
}

func (a *Applied) member(s *scanner, name string) (err error) {
	switch name {
	case "boot":
		a.Kind = AppliedBoot
		a.Boot, err = s.int(1)
	case "from":
		a.Index, err = s.uint64()
	case "index":
		a.Kind = AppliedEntry
		a.Index, err = s.uint64()
	case "restore":
		a.Kind = AppliedRestore
		a.Index, err = s.uint64()
	case "leader":
		a.Kind = AppliedLeader
		var v []byte
		if v, err = s.raw(); err == nil && string(v) != "true" {
			err = errors.New("only true may stand here")
		}
	case "term":
		a.Term, err = s.uint64()
	case "digest":
		var text string
		if text, err = s.text(); err == nil {
			if a.Digest, err = strconv.ParseUint(text, 16, 64); err != nil || len(text) != 16 {
				err = errors.New("not 16 hexadecimal digits")
			}
		}
	default:
		err = errors.New("unknown")
	}
	return err
}
