package adya

import (
	"slices"

	"ordeal/history"
)

// versions is what is known of one key: which transactions appended to it in which order, and what each reader
// had found before it did anything to the key itself.
//
// A transaction's appends to a key are one block, since nobody may see it half done. So a run is strictly
// serializable iff its transactions have an order that keeps to real time, in which each reader comes after the
// blocks that it found and before all others of the key. order.go finds the blocks; graph.go says the rest in edges.
type versions struct {
	blocks  []int32 // transactions in the order of their blocks
	starts  []int32 // of each block in the list, and behind the last the list's length
	readers []reader
	unseen  []int32 // transactions whose appends no read shows
	longest int32   // the read that shows the most, as a place in micros; -1 if all found nothing
}

// reader is a transaction that read a key, and the length of the list before its own first append.
type reader struct{ txn, found int32 }

// resolver finds the versions of one key after the other.
type resolver struct {
	*records
	owner     map[element]int32
	aborted   map[element]int32
	times     map[element]int32 // how often it was appended, if more than once
	anomalies []anomaly
	ambiguous []ambiguity
}

// ambiguity is an element that somebody saw and that was appended twice: then the order of appends is not known, and
// no verdict but Invalid can be given.
type ambiguity struct {
	key      int32
	element  element
	one, two int32 // transactions, perhaps the same
}

// resolve finds the versions of key k, or what is wrong with it: one anomaly, or an ambiguity.
func (v *resolver) resolve(k int32) versions {
	places := v.on(k)
	v.own(places)
	result := versions{longest: v.keys[k].longest}
	wrong := func(a *anomaly) bool {
		if a != nil {
			a.key = k
			v.anomalies = append(v.anomalies, *a)
		}
		return a != nil
	}
	unfit := versions{longest: -1} // it gives no edges
	if wrong(v.impossible(k)) {
		return unfit
	}
	if v.unclear(k) {
		wrong(v.missed(k))
		return unfit
	}
	if wrong(v.internal(places, &result)) || wrong(v.forked(k, places, &result)) || wrong(v.split(k, &result)) || wrong(v.halfway(k, &result)) {
		return unfit
	}
	v.hide(&result, places)
	return result
}

// own finds who appended what.
func (v *resolver) own(places []int32) {
	// New maps, since clearing one takes as long as it was ever large, and keys are many.
	v.owner, v.aborted, v.times = make(map[element]int32, len(places)), map[element]int32{}, map[element]int32{}
	for _, p := range places {
		m := &v.micros[p]
		switch {
		case m.reads():
		case v.txns[m.txn].outcome == history.Fail:
			v.aborted[m.element] = m.txn
		default:
			if _, known := v.owner[m.element]; known {
				v.times[m.element] = max(v.times[m.element], 1) + 1
			} else {
				v.owner[m.element] = m.txn
			}
		}
	}
}

// lists calls look for each read that shows what no other before it did, with the first place that is new. The chain
// comes first: what is found in it is not looked for behind.
func (v *resolver) lists(k int32, look func(m *micro, from int32) *anomaly) *anomaly {
	if p := v.keys[k].longest; p >= 0 {
		if a := look(&v.micros[p], 0); a != nil {
			return a
		}
	}
	for _, p := range v.on(k) {
		if m := &v.micros[p]; m.reads() && m.fork != inChain {
			if a := look(m, v.forks[m.fork].same); a != nil {
				return a
			}
		}
	}
	return nil
}

// impossible finds a read of what nobody appended (phantom), of what was appended by a transaction that failed
// (Adya's G1a), or of one element more often than it was appended.
func (v *resolver) impossible(k int32) *anomaly {
	return v.lists(k, func(m *micro, from int32) *anomaly {
		shown := make(map[element]int32, min(int(m.length), len(v.owner))) // more elements that are possible there are not
		for i := range from {
			shown[v.at(m, i)]++
		}
		for i := from; i < m.length; i++ {
			e := v.at(m, i)
			_, owned := v.owner[e]
			if shown[e]++; owned && shown[e] <= max(v.times[e], 1) {
				continue
			}
			a := &anomaly{rule: rulePhantom, about: []element{e}, txns: []int32{m.txn}, reads: []*micro{m}}
			aborted, failed := v.aborted[e]
			switch {
			case owned:
				a.rule, a.writers = ruleDuplicate, v.appended(k, e)
				for _, t := range a.writers {
					a.add(t)
				}
			case failed:
				a.rule, a.aborted = ruleAborted, []int32{aborted}
				if i+1 < m.length {
					a.rule = ruleDirtyUpdate
					a.about = append(a.about, v.at(m, i+1))
				}
			}
			return a
		}
		return nil
	})
}

// appended are the transactions that appended e to key k and did not fail, in their order, one as often as it did.
func (v *resolver) appended(k int32, e element) (writers []int32) {
	for _, p := range v.on(k) {
		if m := &v.micros[p]; !m.reads() && m.element == e && v.txns[m.txn].outcome != history.Fail {
			writers = append(writers, m.txn)
		}
	}
	return writers
}

// unclear tells whether a read shows an element that was appended twice.
func (v *resolver) unclear(k int32) bool {
	if len(v.times) == 0 {
		return false
	}
	found := v.lists(k, func(m *micro, from int32) *anomaly {
		for i := from; i < m.length; i++ {
			if e := v.at(m, i); v.times[e] > 1 {
				w := v.appended(k, e)
				v.ambiguous = append(v.ambiguous, ambiguity{key: k, element: e, one: w[0], two: w[1]})
				return &anomaly{}
			}
		}
		return nil
	})
	return found != nil
}

// missed finds a transaction that was called after an append had returned, and found the empty list. That is wrong in
// any order of appends, so it is looked for where the order is not clear.
func (v *resolver) missed(k int32) *anomaly {
	writer := int32(-1) // the first of those that appended to return
	for _, p := range v.on(k) {
		m := &v.micros[p]
		if t := &v.txns[m.txn]; !m.reads() && t.outcome == history.OK && (writer < 0 || t.end < v.txns[writer].end) {
			writer = m.txn
		}
	}
	for _, p := range v.on(k) {
		m := &v.micros[p]
		if writer < 0 || !m.reads() || m.length > 0 || v.txns[writer].end >= v.txns[m.txn].begin {
			continue
		}
		if read, own := v.firstRead(m.txn, k); read == m && own == 0 {
			return &anomaly{rule: ruleStale, txns: []int32{m.txn, writer}, keys: []int32{k},
				cycle: []step{{m.txn, writer, labelOf(rw, k)}, {writer, m.txn, labelOf(rt, 0)}}}
		}
	}
	return nil
}

// internal compares each transaction's reads with what it did to the key before, and fills in the readers.
func (v *resolver) internal(places []int32, to *versions) *anomaly {
	for from := 0; from < len(places); {
		until := from + 1
		for until < len(places) && v.micros[places[until]].txn == v.micros[places[from]].txn {
			until++
		}
		if a := v.within(places[from:until], to); a != nil {
			return a
		}
		from = until
	}
	return nil
}

// within is internal for one transaction, of which places are all micro-operations on the key.
func (v *resolver) within(places []int32, to *versions) *anomaly {
	var before *micro // the read before
	var own []element // appended since, or since the transaction began
	appends := slices.ContainsFunc(places, func(p int32) bool { return !v.micros[p].reads() })
	for _, p := range places {
		m := &v.micros[p]
		if !m.reads() {
			own = append(own, m.element)
			continue
		}
		if before != nil || appends {
			if a := v.contradiction(m, before, own); a != nil {
				return a
			}
		}
		if before == nil {
			to.readers = append(to.readers, reader{m.txn, m.length - int32(len(own))})
		}
		before, own = m, own[:0]
	}
	return nil
}

// contradiction tells whether m reads anything but what its transaction read before and has appended since; if it
// has read nothing before, whether it reads its appends at the end and none that it is yet to do.
func (v *resolver) contradiction(m, before *micro, own []element) *anomaly {
	base := m.length - int32(len(own))
	if before != nil {
		base = before.length
	}
	if base < 0 {
		return v.contradicted(m, before, base, 0)
	}
	for i := range max(m.length, base+int32(len(own))) {
		switch {
		case i < m.length && i >= base && int(i-base) < len(own) && v.at(m, i) == own[i-base]:
		case i < m.length && i < base && before != nil && v.at(m, i) == v.at(before, i):
		case i < base && before == nil && v.owner[v.at(m, i)] != m.txn:
		default:
			return v.contradicted(m, before, base, i)
		}
	}
	return nil
}

// contradicted is the anomaly of a read m that is wrong in place i.
func (v *resolver) contradicted(m, before *micro, base, i int32) *anomaly {
	a := &anomaly{rule: ruleInternal, txns: []int32{m.txn}, reads: []*micro{m}}
	if before != nil {
		a.reads = append(a.reads, before)
		if i < base {
			v.blame(a, []element{v.at(before, i)})
		}
	}
	for ; i < m.length && len(a.txns) < 3; i++ {
		v.blame(a, []element{v.at(m, i)}) // who came between, or instead
	}
	return a
}

// blame names those who appended elements.
func (v *resolver) blame(a *anomaly, about []element) {
	for _, e := range about {
		if owner, owned := v.owner[e]; owned {
			a.add(owner)
		}
	}
}

// forked finds two reads of which neither shows the beginning of the other. If that is because two transactions
// found the same list and both appended to it, an update was lost.
func (v *resolver) forked(k int32, places []int32, to *versions) *anomaly {
	for _, p := range places {
		m := &v.micros[p]
		if !m.reads() || m.fork == inChain {
			continue
		}
		longest := &v.micros[v.keys[k].longest]
		same := v.forks[m.fork].same
		a := &anomaly{rule: ruleIncompatible, txns: []int32{m.txn, longest.txn}, reads: []*micro{m, longest}}
		a.about = []element{v.at(m, same), v.at(longest, same)}
		v.blame(a, a.about)
		found := func(t int32) bool { // tells whether t found the common beginning of both
			if !slices.Contains(to.readers, reader{t, same}) {
				return false
			}
			m, _ := v.firstRead(t, k)
			return m.fork == inChain || v.forks[m.fork].same >= same
		}
		one, two := v.owner[a.about[0]], v.owner[a.about[1]]
		if one != two && found(one) && found(two) {
			return &anomaly{rule: ruleLostUpdate, txns: []int32{one, two}, about: a.about, base: same}
		}
		return a
	}
	return nil
}
