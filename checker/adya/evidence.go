package adya

import "slices"

// A lost append is a stale read of what no read ever shows.
const (
	ruleStale      = "stale read (G-single-realtime)"
	ruleLostAppend = "lost append (G-single-realtime)"
)

// toldMax is the longest cycle that is told step by step, and that Porcupine is asked about. Of a longer one, which
// only so many clients at a time can make, the first transactions stand for all.
const toldMax = 64

// cyclic makes an anomaly of a cycle: its transactions, and the readers without whom they would show nothing. That a
// transaction of unknown outcome has happened is shown by who makes it come before another: it read nothing itself,
// and it never returned.
func (j *judgement) cyclic(cycle []step) anomaly {
	a := anomaly{rule: classOf(cycle).rule, cycle: rotate(cycle)}
	if len(cycle) > toldMax {
		for _, st := range a.cycle[:toldMax] {
			a.add(st.from)
		}
		return a
	}
	for _, st := range a.cycle {
		a.add(st.from)
	}
	for _, st := range a.cycle {
		switch k := st.label.kind(); k {
		case rt:
		case ww:
			j.witness(&a, st.label.key())
		default:
			a.concern(st.label.key())
		}
	}
	j.nickname(&a)
	return a
}

// concern adds a key that a cycle goes through.
func (a *anomaly) concern(k int32) {
	if !slices.Contains(a.keys, k) {
		a.keys = append(a.keys, k)
	}
}

// witness adds the reader that shows the order of the appends to a key, and that they happened.
func (j *judgement) witness(a *anomaly, k int32) {
	a.concern(k)
	if m := j.keys[k].longest; m >= 0 {
		a.add(j.micros[m].txn)
	}
}

// rotate makes a cycle begin with what is easiest to follow: behind its step of real time, if it has one.
func rotate(cycle []step) []step {
	i := slices.IndexFunc(cycle, func(st step) bool { return st.label.kind() == rt })
	return slices.Concat(cycle[i+1:], cycle[:i+1])
}

// nickname gives a cycle of two a name of its own, if it has one.
func (j *judgement) nickname(a *anomaly) {
	if len(a.cycle) != 2 {
		return
	}
	one, two := a.cycle[0], a.cycle[1]
	k, l := one.label.kind(), two.label.kind()
	if l == rw {
		one, two, k, l = two, one, l, k
	}
	key := one.label.key()
	switch {
	case k == rw && l == rt && slices.Contains(j.keys[key].unseen, one.to):
		a.rule = ruleLostAppend
	case k == rw && (l == rw || l == ww) && key == two.label.key() && j.foundSame(key, one.from, one.to):
		if j.txns[two.from].begin < j.txns[one.from].begin {
			one, two = two, one
		}
		a.rule, a.key, a.cycle = ruleLostUpdate, key, nil
		a.txns, a.base = []int32{one.from, two.from}, j.firstFound(key, one.from)
		a.about = []element{j.appends(one.from, key)[0], j.appends(two.from, key)[0]}
	}
}

// foundSame tells whether two transactions found the same list at a key, and appended to it.
func (j *judgement) foundSame(k, one, two int32) bool {
	found := j.firstFound(k, one)
	return found >= 0 && found == j.firstFound(k, two) && len(j.appends(one, k)) > 0 && len(j.appends(two, k)) > 0
}

// firstFound is the length of the list that transaction t found at key k; -1 if it did not read it.
func (j *judgement) firstFound(k, t int32) int32 {
	m, own := j.firstRead(t, k)
	if m == nil {
		return -1
	}
	return m.length - own
}
