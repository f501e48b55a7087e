package checker

import (
	"bytes"
	"encoding/json"
	"hash/maphash"
	"math/bits"

	"ordeal/history"
)

// interner numbers the values of one key. It is a hash table with open addressing that holds no copies: a key may have a
// million values, and they stay where the history has them.
type interner struct {
	seed   maphash.Seed
	slots  []internSlot // a power of two of them, at most half in use
	values []json.RawMessage
}

// internSlot is free if it is zero.
type internSlot struct {
	hash uint32 // a part of it, so that few others are compared
	next value  // the value's number and 1
}

// newInterner has room for n values, and grows.
func newInterner(n int) interner {
	return interner{
		seed:   maphash.MakeSeed(),
		slots:  make([]internSlot, 1<<bits.Len(uint(2*max(n, 8)))),
		values: make([]json.RawMessage, 0, n),
	}
}

// nullFirst is an interner that numbers null as the constant does.
func nullFirst(n int) interner {
	in := newInterner(n)
	in.number(json.RawMessage("null"))
	return in
}

// value numbers raw; reason is why it cannot.
func (in *interner) value(raw json.RawMessage) (v value, reason string) {
	text, ok := history.Canonical(raw)
	if !ok {
		return none, "its value is not JSON"
	}
	return in.number(text), ""
}

// number is that of a canonical value.
func (in *interner) number(text json.RawMessage) value {
	hash := maphash.Bytes(in.seed, text)
	mask := uint64(len(in.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		s := &in.slots[at]
		if s.next == 0 {
			in.values = append(in.values, text)
			*s = internSlot{uint32(hash >> 32), value(len(in.values))}
			break
		}
		if s.hash == uint32(hash>>32) && bytes.Equal(in.values[s.next-1], text) {
			return s.next - 1
		}
	}
	if 2*len(in.values) > len(in.slots) {
		in.grow()
	}
	return value(len(in.values) - 1)
}

func (in *interner) grow() {
	in.slots = make([]internSlot, 2*len(in.slots))
	mask := uint64(len(in.slots) - 1)
	for v, text := range in.values {
		hash := maphash.Bytes(in.seed, text)
		at := hash & mask
		for in.slots[at].next != 0 {
			at = (at + 1) & mask
		}
		in.slots[at] = internSlot{uint32(hash >> 32), value(v + 1)}
	}
}
