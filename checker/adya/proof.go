package adya

import (
	"cmp"
	"slices"

	"ordeal/history"
)

// circular tells whether the steps lead back to where they began, and each holds by what clients sent and were
// answered. It knows nothing of blocks and edges. It takes time for the keys of the steps and no more, however long
// the cycle is.
func (r *records) circular(cycle []step) bool {
	for i, st := range cycle {
		if st.to != cycle[(i+1)%len(cycle)].from {
			return false
		}
	}
	byKey := slices.SortedFunc(slices.Values(cycle), func(a, b step) int { return cmp.Compare(a.label.key(), b.label.key()) })
	w := &witness{records: r, key: -1}
	for _, st := range byKey {
		if k := st.label.key(); st.label.kind() != rt && w.key != k {
			w = r.witness(k)
		}
		if !w.holds(st) {
			return false
		}
	}
	return true
}

// witness is what is known of a key by its longest read and by who appended what.
type witness struct {
	*records
	key   int32
	owner map[element]int32 // who alone appended it; -1 if others did too
	shown map[element]int32 // where the longest read shows it first, from 1
}

func (r *records) witness(k int32) *witness {
	w := &witness{records: r, key: k, owner: map[element]int32{}, shown: map[element]int32{}}
	for _, p := range r.on(k) {
		m := &r.micros[p]
		if m.reads() || r.txns[m.txn].outcome == history.Fail {
			continue
		}
		if owner, known := w.owner[m.element]; known && owner != m.txn {
			w.owner[m.element] = -1
		} else {
			w.owner[m.element] = m.txn
		}
	}
	if p := r.keys[k].longest; p >= 0 {
		for i := range r.micros[p].length {
			if e := r.at(&r.micros[p], i); w.shown[e] == 0 {
				w.shown[e] = i + 1
			}
		}
	}
	return w
}

// holds tells whether a step's first transaction must come before its second, if that happened. Where it did not, the
// step behind does not hold: what happened was answered, or an element that it alone appended is shown.
//
// What a read shows was appended by its transaction or before it. If a transaction had come before another, all that it
// appended would stand in front of what the other appended, and in all that the other read.
func (w *witness) holds(st step) bool {
	from, to := &w.txns[st.from], &w.txns[st.to]
	if st.from == st.to || from.outcome == history.Fail || to.outcome == history.Fail {
		return false
	}
	switch st.label.kind() {
	case ww:
		at, seen := w.seen(st.from)
		return seen && w.later(st.to, at)
	case wr:
		at, seen := w.seen(st.from)
		found, read := w.found(st.to)
		return seen && read && at <= found
	case rw:
		found, read := w.found(st.from)
		return read && w.later(st.to, found)
	case rt:
		return from.outcome == history.OK && from.end < to.begin
	default:
		return false
	}
}

// seen is where the longest read shows an element that t alone appended.
func (w *witness) seen(t int32) (at int32, seen bool) {
	for _, e := range w.appends(t, w.key) {
		if at := w.shown[e]; at > 0 && w.owner[e] == t {
			return at, true
		}
	}
	return 0, false
}

// later tells whether t appended something that is not among the first n that the longest read shows.
func (w *witness) later(t, n int32) bool {
	return slices.ContainsFunc(w.appends(t, w.key), func(e element) bool { return w.shown[e] == 0 || w.shown[e] > n })
}

// found is how much of the longest read t found before it appended itself.
func (w *witness) found(t int32) (n int32, read bool) {
	m, own := w.firstRead(t, w.key)
	if m == nil || m.fork != inChain {
		return 0, false
	}
	return m.length - own, true
}
