package checker

import (
	"time"

	"ordeal/history"
)

// Online follows a run of a register or a kv while it goes on, and tells the very response after which no order of
// the operations is legal any more: of a register it says what the zones would say (see zoned) of every prefix of
// the history. It convicts nobody: it only knows when to stop. The history that was recorded is what is judged.
//
// Of each key it remembers only what can still matter. Let floor be a moment before which none of the operations
// began that are still to be answered. A chain x is dead once another chain u has f < floor and s > f of x: whatever
// finds x from now on makes their zones overlap. So x is forgotten, and a value that is found and not known is a
// violation, whether it is dead or was never written. In the same way a value is dead once a call that touched one
// that came of it by cas had ended before floor. What stays are writes of unknown outcome that nobody found: they
// may take effect at any time.
//
// Where a value of a register is written again while it is known, its key is let go: nothing is said of it any more.
// Of a kv, deletions make null such a value from the beginning, so it is left out: who reads it says nothing, and a
// cas that found it is a write. All that is said of it is that such a cas does not fail because it found null.
type Online struct {
	deletions bool
	clients   []openClient
	keys      map[string]*followed
	quiet     quiet
	floor     time.Duration
	events    int
}

// openClient is what Online knows of one client, which does one operation at a time.
type openClient struct {
	process int
	key     *followed     // of the open operation; nil if there is none
	made    *produced     // by the open operation, if it writes
	expects word          // of a cas
	since   time.Duration // when the open operation began; without one, the next begins no earlier
}

// sweepEvents is how many events go by between two looks for quiet keys.
const sweepEvents = 1 << 14

// OnlineRegister follows Register. A process belongs to the client whose number is its remainder by clients; a
// client's next operation begins no earlier than its last one ended.
func OnlineRegister(clients int) *Online { return newOnline(clients, false) }

// OnlineKV follows KV, for clients as OnlineRegister has them.
func OnlineKV(clients int) *Online { return newOnline(clients, true) }

func newOnline(clients int, deletions bool) *Online {
	return &Online{
		deletions: deletions, clients: make([]openClient, clients), keys: map[string]*followed{},
		quiet: quiet{at: map[uint64]uint64{}},
	}
}

// Take is told every event in the order of the history. It is true if the event is a response that made the history
// of its key impossible. After that nothing is said of this key any more.
func (o *Online) Take(e history.Event) (impossible bool) {
	if e.Process < 0 {
		return false
	}
	c := &o.clients[e.Process%len(o.clients)]
	switch {
	case e.Type == history.Invoke:
		o.invoke(c, e)
	case c.key != nil && c.process == e.Process:
		k := c.key
		if impossible = !k.gone && !k.answer(c, e); impossible {
			k.letGo()
		}
		c.key, c.made, c.since = nil, nil, e.Time
	}
	if o.events++; o.events%max(len(o.clients), 32) == 0 {
		o.raiseFloor()
	}
	if o.events%sweepEvents == 0 {
		o.putAway()
	}
	return impossible
}

func (o *Online) invoke(c *openClient, e history.Event) {
	k := o.keys[e.Key]
	if k == nil {
		k = o.quiet.wake(e.Key, o.deletions)
		o.keys[e.Key] = k
	}
	k.stirred, k.last = true, max(k.last, e.Time)
	*c = openClient{process: e.Process, key: k, since: e.Time}
	if !k.gone && !k.invoke(c, e, o.floor) {
		k.letGo()
	}
}

// raiseFloor looks for the client that is farthest behind. What is not recorded yet began after its client's last
// answer, so this holds also for those whose invocation is on its way.
func (o *Online) raiseFloor() {
	o.floor = o.clients[0].since
	for i := range o.clients {
		o.floor = min(o.floor, o.clients[i].since)
	}
}

// putAway makes quiet the keys of which nothing has been heard since the last look. If all that is known of a key happened
// before the floor, then none of its operations is still to be answered.
func (o *Online) putAway() {
	o.raiseFloor()
	for name, k := range o.keys {
		if k.stirred {
			k.stirred = false
			continue
		}
		if k.last < o.floor && o.quiet.keep(name, k, o.floor) {
			delete(o.keys, name)
		}
	}
}
