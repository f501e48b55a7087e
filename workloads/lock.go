package workloads

import (
	"encoding/json"
	"iter"
	"math/rand/v2"
	"sync"

	"ordeal/checker"
	"ordeal/history"
)

// releasePercent is how often a client that holds locks gives the one back that it has held for longest.
const releasePercent = 50

// Lock is independent locks with fencing tokens, which all clients acquire and release.
//
// An acquire has no value; it returns the token of the grant, a number that is higher at each. The value of a
// release is the token that its client was given, and it returns the same. An acquire fails with the error "held", a
// release with "not held" if the lock is not held under that token; both with the token that it is held
// under as their value, null for none. Any other failure says nothing.
//
// What a client releases depends on what it was granted. Where the outcome of an acquire is unknown nobody has the
// token, and if it was granted that lock stays held until another key takes its place.
func Lock(o Options) Workload {
	slots, held := make(rotation, o.Keys), &keyring{held: map[int][]grant{}}
	return Workload{
		Name: "lock",
		Ops: func(r *rand.Rand, client int) iter.Seq[history.Event] {
			return func(yield func(history.Event) bool) {
				for yield(lockOp(r, slots, held, client)) {
				}
			}
		},
		Done:     held.done,
		Checkers: []checker.Checker{checker.Linearizable(checker.Lock(), o.Budget)},
	}
}

func lockOp(r *rand.Rand, slots rotation, held *keyring, client int) history.Event {
	if r.IntN(100) < releasePercent {
		if g, ok := held.oldest(client); ok {
			return history.Event{F: "release", Key: g.key, Value: g.token}
		}
	}
	acquire := func(*rand.Rand, *slot, int) (string, []byte) { return "acquire", nil }
	return slots.draw(r, history.Event{F: "acquire"}, acquire)
}

// keyring knows the locks that each client holds.
type keyring struct {
	mu   sync.Mutex
	held map[int][]grant // by client, the oldest first
}

type grant struct {
	key   string
	token json.RawMessage
}

// done notes what was granted and what was given back. A release of unknown outcome, or that was refused without a
// word on the lock, is tried again: nobody is ever granted its token anew, so if it was carried out, the next finds that.
func (k *keyring) done(client int, done history.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case done.F == "acquire" && done.Type == history.OK:
		k.held[client] = append(k.held[client], grant{done.Key, done.Value})
	case done.F == "release" && (done.Type == history.OK || done.Type == history.Fail && done.Value != nil):
		k.held[client] = k.held[client][1:]
	}
}

// oldest is the lock that a client has held for longest.
func (k *keyring) oldest(client int) (g grant, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.held[client]) == 0 {
		return grant{}, false
	}
	return k.held[client][0], true
}
