package checker

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"ordeal/history"
)

// word is a value in 64 bits: small whole numbers as they are, others by a hash. Two values that share a word may
// make a violation of nothing, or hide one; the history that is judged knows them apart.
type word uint64

const (
	noWord   word = 0
	nullWord word = 1
)

// longAgo is before every operation, and any moment before the floor of which no more needs to be known.
const longAgo time.Duration = -1

// followed is one key.
type followed struct {
	deletions bool
	gone      bool
	last      time.Duration // invocation or answer
	stirred   bool          // since the last look for quiet keys
	values    map[word]*produced
	lost      map[word]word // values of unknown outcome that nobody found, whose writes began before floor: what their cas expects
	zones     onlineZones
	limit     int // of values, before the dead are looked for
}

// produced is a value with the operation that wrote it, and what touched it.
type produced struct {
	value, from word // from is what the cas expects that writes it; noWord if it is a write
	call        time.Duration
	given       bool          // up by its client: of unknown outcome
	zone        *onlineZone   // nil as long as it may not have been written
	finding     bool          // it was written if what its cas expects was
	prev, next  *produced     // along cas, as far as they are not dead
	latest      time.Duration // call that touched it or one that it came of
	ended       time.Duration // the first call that touched it or one that came of it
}

// newFollowed is a key of which nothing is known.
func newFollowed(deletions bool) *followed {
	return &followed{deletions: deletions, values: map[word]*produced{}, limit: pruneMin}
}

// untouched is a key that nobody has used yet.
func untouched(deletions bool) *followed {
	k := newFollowed(deletions)
	if !deletions {
		k.initial(nullWord, math.MinInt64)
	}
	return k
}

// initial is a value that is there, and has been for at least as long as since at.
func (k *followed) initial(v word, at time.Duration) {
	n := &produced{value: v, call: at, latest: at, ended: history.Never}
	n.zone = k.zones.add(n, at, at)
	k.values[v] = n
}

// letGo forgets all of the key but that it was there.
func (k *followed) letGo() {
	*k = followed{deletions: k.deletions, gone: true, last: k.last, stirred: k.stirred}
}

// invoke begins an operation. It is false if the key cannot be followed any more.
func (k *followed) invoke(c *openClient, e history.Event, floor time.Duration) bool {
	switch e.F {
	case "read":
		return true
	case "write":
		v, ok := wordOf(e.Value)
		return ok && k.begin(c, v, noWord, floor)
	case "cas":
		from, to, ok := wordsOfCAS(e.Value)
		c.expects = from
		if k.leavesOut(from) {
			from = noWord
		}
		return ok && k.begin(c, to, from, floor)
	case "delete":
		return k.deletions
	}
	return false
}

// begin notes that v may be written from now on.
func (k *followed) begin(c *openClient, v, from word, floor time.Duration) bool {
	if k.leavesOut(v) {
		return true
	}
	if len(k.values) >= k.limit || k.knows(v) {
		k.prune(floor)
	}
	if k.knows(v) {
		return false
	}
	c.made = &produced{value: v, from: from, call: c.since, latest: c.since, ended: history.Never}
	k.values[v] = c.made
	return true
}

// leavesOut tells whether nothing is said of v.
func (k *followed) leavesOut(v word) bool { return k.deletions && v == nullWord }

func (k *followed) knows(v word) bool {
	_, lost := k.lost[v]
	return lost || k.values[v] != nil
}

// answer ends an operation. It is false if that is impossible.
func (k *followed) answer(c *openClient, e history.Event) bool {
	k.last = max(k.last, e.Time)
	n := c.made
	switch {
	case e.Type == history.Info:
		if n != nil {
			n.given = true
		}
		return true
	case e.Type == history.OK && e.F == "read":
		return k.finds(e.Value, c, e.Time)
	case e.Type == history.OK:
		return n == nil || k.find(n) && k.touch(n, c.since, e.Time)
	case n != nil && n.zone != nil:
		return false // somebody found it, and now it was never written
	}
	if n != nil {
		delete(k.values, n.value)
	}
	if e.F != "cas" || len(e.Value) == 0 {
		return true
	}
	if v, ok := wordOf(e.Value); ok && v == c.expects {
		return false // it failed, although it found what it expects
	}
	return k.finds(e.Value, c, e.Time)
}

// finds is an answer that shows a value. It is false if that is impossible.
func (k *followed) finds(value json.RawMessage, c *openClient, end time.Duration) bool {
	v, ok := wordOf(value)
	switch {
	case !ok:
		k.letGo()
		return true
	case k.leavesOut(v):
		return true
	}
	n := k.get(v)
	return n != nil && k.find(n) && k.touch(n, c.since, end)
}

// get is a value that may have been written; nil if that cannot be, or if it is dead.
func (k *followed) get(v word) *produced {
	if n := k.values[v]; n != nil {
		return n
	}
	from, ok := k.lost[v]
	if !ok {
		return nil
	}
	delete(k.lost, v)
	n := &produced{value: v, from: from, call: longAgo, given: true, latest: longAgo, ended: history.Never}
	k.values[v] = n
	return n
}

// find makes it certain that n was written, and so in turn what its cas expects. It is false if that cannot be:
// what is expected is not there or has been replaced already, or values came of each other alone.
func (k *followed) find(n *produced) bool {
	switch {
	case n.zone != nil:
		return true
	case n.finding:
		return false
	case n.from == noWord:
		n.zone = k.zones.add(n, history.Never, n.call)
		return true
	}
	n.finding = true
	u := k.get(n.from)
	if u == nil || !k.find(u) || u.next != nil {
		return false
	}
	n.zone, n.prev, n.latest = u.zone, u, max(n.latest, u.latest)
	u.next = n
	k.zones.widen(n.zone, history.Never, n.call)
	return true
}

// touch is a call that found or wrote n. It is false if the chain of n, or that with another, is then impossible:
// see walk and sweep of zoning.
func (k *followed) touch(n *produced, call, end time.Duration) bool {
	if end < n.call || n.prev != nil && end < n.prev.latest || n.next != nil && n.next.ended < call {
		return false
	}
	for m := n; m != nil && m.latest < call; m = m.next {
		m.latest = call
	}
	for m := n; m != nil && m.ended > end; m = m.prev {
		m.ended = end
	}
	k.zones.widen(n.zone, end, call)
	return !k.zones.conflict(n.zone)
}

// pruneMin is how many values of a key are always kept.
const pruneMin = 16

// prune forgets what is dead.
func (k *followed) prune(floor time.Duration) {
	k.zones.prune(floor, func(n *produced) { delete(k.values, n.value) })
	for v, n := range k.values {
		if n.zone == nil && n.given && n.call < floor {
			if k.lost == nil {
				k.lost = map[word]word{}
			}
			k.lost[v] = n.from
			delete(k.values, v)
		}
	}
	k.limit = max(pruneMin, 2*len(k.values))
}

// wordOf reads a value; ok is false if it is no JSON.
func wordOf(raw json.RawMessage) (w word, ok bool) {
	if n, ok := smallNumber(raw); ok {
		return n<<1 | 1, true
	}
	text, ok := history.Canonical(raw)
	if string(text) == "null" {
		return nullWord, ok
	}
	return word(textHash(text))<<1 | 2, ok
}

// smallNumber reads a number that is canonical as it is, which has up to 18 digits, and adds one to it.
func smallNumber(raw []byte) (n word, ok bool) {
	if len(raw) == 0 || raw[0] == '"' || !history.Plain(raw) {
		return 0, false
	}
	for _, c := range raw {
		n = n*10 + word(c-'0')
	}
	return n + 1, true
}

// wordsOfCAS reads [old,new].
func wordsOfCAS(raw json.RawMessage) (from, to word, ok bool) {
	if len(raw) > 2 && raw[0] == '[' && raw[len(raw)-1] == ']' {
		a, b, _ := bytes.Cut(raw[1:len(raw)-1], []byte(","))
		u, ok1 := smallNumber(a)
		v, ok2 := smallNumber(b)
		if ok1 && ok2 {
			return u<<1 | 1, v<<1 | 1, true
		}
	}
	old, next, ok := history.CASValue(raw)
	if !ok {
		return noWord, noWord, false
	}
	from, ok1 := wordOf(old)
	to, ok2 := wordOf(next)
	return from, to, ok1 && ok2
}
