package adya

import (
	"encoding/json"
	"slices"
	"time"

	"ordeal/history"
)

// element is what is appended: an integer itself, or elementText plus the place of its text in records.texts.
type element int64

const elementText element = 1 << 62

// txn is a transaction; its place is that of its operation.
type txn struct {
	first, last int32 // its micro-operations are micros[first:last]
	outcome     history.Type
	strange     bool          // a read of it shows what is no list
	begin, end  time.Duration // end is history.Never if the outcome is unknown
}

// micro is one append or one read within a transaction. What failed or has no answer has no reads.
type micro struct {
	txn, key int32
	length   int32   // of the list that a read shows; isAppend for an append
	fork     int32   // of a read whose list departs from its key's chain: its place in forks; else inChain
	element  element // of an append
}

const (
	isAppend int32 = -1
	inChain  int32 = -1
)

func (m *micro) reads() bool { return m.length != isAppend }

// chain is a key: the longest list that was read, of which every other read should show the beginning.
type chain struct {
	name    json.RawMessage
	list    []element
	longest int32 // the read that shows all of list, as a place in micros; -1 if list is empty
}

// fork is a list that departs from the chain of its key: it shows the first same elements of it, and then rest.
type fork struct {
	same int32
	rest []element
}

// records are a run's transactions, as far as they were told.
type records struct {
	ops    []history.Op
	txns   []txn
	micros []micro
	keys   []chain
	forks  []fork
	texts  []json.RawMessage // of elements that are no integers
	told   int64             // bytes that lists and names take

	places []int32 // of micro-operations, key by key
	first  []int32 // of each key's in places, and behind the last their number
}

// bytes estimates what the check will hold at most, beside the operations.
func (r *records) bytes() int64 {
	const perTxn, perMicro = 200, 140 // measured, with what the collector has not taken yet
	return int64(len(r.txns))*perTxn + int64(len(r.micros))*perMicro + r.told
}

// index sorts the micro-operations by key.
func (r *records) index() {
	r.first = make([]int32, len(r.keys)+1)
	for i := range r.micros {
		r.first[r.micros[i].key+1]++
	}
	for k := range r.keys {
		r.first[k+1] += r.first[k]
	}
	r.places = make([]int32, len(r.micros))
	next := slices.Clone(r.first)
	for i := range r.micros {
		k := r.micros[i].key
		r.places[next[k]] = int32(i)
		next[k]++
	}
}

// on are the micro-operations on key k, in their order.
func (r *records) on(k int32) []int32 { return r.places[r.first[k]:r.first[k+1]] }

// of are the micro-operations of transaction t on key k, in their order.
func (r *records) of(t, k int32) []int32 {
	all := r.on(k)
	from, _ := slices.BinarySearch(all, r.txns[t].first)
	to, _ := slices.BinarySearch(all, r.txns[t].last)
	return all[from:to]
}

// appends are the elements that transaction t appended to key k, in its order.
func (r *records) appends(t, k int32) []element {
	var own []element
	for _, p := range r.of(t, k) {
		if m := &r.micros[p]; !m.reads() {
			own = append(own, m.element)
		}
	}
	return own
}

// firstRead is the first read of key k by transaction t, and what t had appended before it; nil if there is none.
func (r *records) firstRead(t, k int32) (read *micro, own int32) {
	for _, p := range r.of(t, k) {
		m := &r.micros[p]
		if m.reads() {
			return m, own
		}
		own++
	}
	return nil, own
}

// at is the element in place i of the list that the read m shows.
func (r *records) at(m *micro, i int32) element {
	if m.fork != inChain && i >= r.forks[m.fork].same {
		return r.forks[m.fork].rest[i-r.forks[m.fork].same]
	}
	return r.keys[m.key].list[i]
}

// list is what the read m shows.
func (r *records) list(m *micro) []element {
	l := make([]element, m.length)
	for i := range l {
		l[i] = r.at(m, int32(i))
	}
	return l
}
