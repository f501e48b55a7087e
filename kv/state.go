package kv

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
)

// state is the replicated state machine: a map, changed only by apply, in log order, by nothing but
// the command and its index. Anything else (a clock, an iteration order) would let replicas differ.
type state struct {
	items map[string]item
	// hash is the sum of all items' sums. A sum does not depend on the order in which items came and
	// went, so replicas at the same applied index compare equal whichever way they got there
	// (replay or snapshot), and each apply updates it in constant time.
	hash uint64
}

type item struct {
	value []byte
	rev   uint64 // index of the entry that wrote it
	sum   uint64 // this item's share of state.hash
}

// result is what a command or a read found.
type result struct {
	found    bool   // get, failed condition: the key exists; delete: it existed
	conflict bool   // the condition did not hold, nothing changed
	value    []byte // get and failed condition only
	rev      uint64
}

func newState() *state { return &state{items: make(map[string]item)} }

func (s *state) get(key string) result {
	it, ok := s.items[key]
	return result{found: ok, value: it.value, rev: it.rev}
}

// apply carries out the command of the entry at index. The value is kept without a copy: log entries
// are never changed.
func (s *state) apply(index uint64, c *Command) result {
	now := s.get(c.Key)
	if !holds(c, now) {
		now.conflict = true
		return now
	}
	s.remove(c.Key)
	if c.Op == Put {
		s.put(c.Key, c.Value, index)
		return result{found: true, rev: index}
	}
	return result{found: now.found, rev: index}
}

func holds(c *Command, now result) bool {
	switch c.If {
	case IfValue:
		return now.found && bytes.Equal(now.value, c.Old)
	case IfRevision:
		return now.rev == c.Rev
	default:
		return true
	}
}

func (s *state) put(key string, value []byte, rev uint64) {
	it := item{value: value, rev: rev, sum: itemSum(key, value, rev)}
	s.items[key] = it
	s.hash += it.sum
}

func (s *state) remove(key string) {
	s.hash -= s.items[key].sum
	delete(s.items, key)
}

func itemSum(key string, value []byte, rev uint64) uint64 {
	h := sha256.New()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], rev)
	binary.BigEndian.PutUint64(b[8:], uint64(len(key)))
	h.Write(b[:])
	h.Write([]byte(key))
	h.Write(value)
	return binary.BigEndian.Uint64(h.Sum(b[:0]))
}

// snapshotFormat is the first byte of every encoded state.
const snapshotFormat = 1

var errBadSnapshot = errors.New("malformed snapshot")

// encode gives the whole state: format, items by key, checksum. Equal states have equal encodings.
func (s *state) encode() []byte {
	size := 16
	for k, it := range s.items {
		size += len(k) + len(it.value) + 24
	}
	b := make([]byte, 0, size)
	b = append(b, snapshotFormat)
	for _, k := range slices.Sorted(maps.Keys(s.items)) {
		it := s.items[k]
		b = appendBytes(b, []byte(k))
		b = appendBytes(b, it.value)
		b = binary.AppendUvarint(b, it.rev)
	}
	return seal(nil, b)
}

// decodeState is the inverse of encode.
func decodeState(data []byte) (*state, error) {
	b, err := unseal(nil, data)
	if err != nil || len(b) == 0 || b[0] != snapshotFormat {
		return nil, errBadSnapshot
	}
	s := newState()
	r := reader{rest: b[1:]}
	for len(r.rest) > 0 {
		key, value, rev := string(r.bytes()), bytes.Clone(r.bytes()), r.uvarint()
		s.put(key, value, rev)
	}
	if r.bad {
		return nil, errBadSnapshot
	}
	return s, nil
}
