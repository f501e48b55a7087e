package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
)

// tupleTag marks a value that is [key value]. It is the name of the function of Jepsen that makes them.
const tupleTag = "jepsen.independent/tuple"

// settle gives each event what only the whole history tells: its key, if values are untagged tuples,
// and what of its value is an answer.
func (j *jepsenReader) settle() {
	split, keyed := j.untagged()
	open := map[int]int{} // process → place of its invocation
	for i := range j.events {
		e := &j.events[i]
		if e.Type == Invoke {
			open[e.Process] = i
		}
		at, ok := open[e.Process]
		if !ok {
			continue // Pair will refuse it
		}
		invoked := &j.events[at]
		if key, value, ok := tuple(e.Value); split && ok && (!keyed || invoked.Key != "") {
			if text, err := j.key(key); err == nil && (e == invoked || text == invoked.Key) {
				e.Key, e.Value = text, value
			}
		}
		found, told := j.found[i]
		switch {
		case e == invoked:
			if string(e.Value) == "null" {
				e.Value = nil
			}
			continue
		case told:
			e.Value = found
		case e.Type != OK, e.F == "add" && bytes.Equal(e.Value, invoked.Value):
			e.Value = nil
		}
		if e.Key == "" {
			e.Key = invoked.Key
		}
	}
}

// untagged tells whether values are tuples though none is tagged, and whether only those of events
// that have a :key are.
func (j *jepsenReader) untagged() (tuples, keyed bool) {
	if j.tagged {
		return false, false
	}
	keyed = slices.ContainsFunc(j.events, func(e Event) bool { return e.Type == Invoke && e.Key != "" })
	tuples = keyed
	for i := range j.events {
		e := &j.events[i]
		if e.Type != Invoke || keyed && e.Key == "" {
			continue
		}
		head, tail, ok := tuple(e.Value)
		if !ok {
			return false, keyed
		}
		if key, err := j.key(head); err != nil || keyed && key != e.Key {
			return false, keyed
		}
		tuples = tuples || e.F == "read" && string(tail) == "null"
	}
	return tuples, keyed
}

// tuple takes an array of two apart.
func tuple(v json.RawMessage) (key, value json.RawMessage, ok bool) {
	s := scanner{b: v}
	if len(v) == 0 || !s.take('[') {
		return nil, nil, false
	}
	key, err := s.raw()
	if err != nil || !s.take(',') {
		return nil, nil, false
	}
	value, err = s.raw()
	return key, value, err == nil && s.take(']') && s.end() == nil
}

// key is the text of a key, which may be anything but a collection or nil.
func (j *jepsenReader) key(v []byte) (string, error) {
	switch v[0] {
	case '[', '{', 'n':
		return "", errors.New("a key should be a string, keyword or number")
	case '"':
		s := scanner{b: v}
		return j.shared.text(&s)
	}
	s := scanner{b: append(append([]byte{'"'}, v...), '"')}
	return j.shared.text(&s)
}
