package workloads

import (
	"iter"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"ordeal/history"
)

// opsPerKey is how many operations a key sees, over all clients, before the next one takes its
// place: enough for a fault to strike within one key's life, few enough for any search to judge it.
const opsPerKey = 400

// retiredPercent of the operations look at the key that held the slot before. Without them a loss that
// strikes just when the keys change would be seen by nobody.
const retiredPercent = 5

// rotation is a number of slots, each the place of one key at a time. All clients share it.
type rotation []slot

// slot is the place of one key at a time.
type slot struct {
	ops    atomic.Int64 // sent to this slot's keys while they held it; tells which key does
	values atomic.Int64 // drawn in this slot so far
}

// next is what a workload sends as the nth operation of a key, counted from 0, that holds s.
type next func(r *rand.Rand, s *slot, n int) (f string, value []byte)

// ops makes the Ops of a workload whose operations next draws, and whose look is a read.
func (slots rotation) ops(next next) func(*rand.Rand, int) iter.Seq[history.Event] {
	return slots.opsLooking(history.Event{F: "read"}, next)
}

// opsLooking is ops with another look at a retired key. Which slot is next, and whether its retired key is looked
// at, is drawn from the client's source alone; of a slot that has none yet it is the present one.
func (slots rotation) opsLooking(look history.Event, next next) func(*rand.Rand, int) iter.Seq[history.Event] {
	return func(r *rand.Rand, _ int) iter.Seq[history.Event] {
		return func(yield func(history.Event) bool) {
			for yield(slots.draw(r, look, next)) {
			}
		}
	}
}

func (slots rotation) draw(r *rand.Rand, look history.Event, next next) history.Event {
	index := r.IntN(len(slots))
	s := &slots[index]
	if r.IntN(100) < retiredPercent {
		turn := int(s.ops.Load()) / opsPerKey
		look.Key = slots.key(max(turn-1, 0), index)
		return look
	}
	n := int(s.ops.Add(1) - 1)
	e := history.Event{Key: slots.key(n/opsPerKey, index)}
	e.F, e.Value = next(r, s, n%opsPerKey)
	return e
}

// key is the one that is the turn-th in slot index.
func (slots rotation) key(turn, index int) string { return "k" + strconv.Itoa(turn*len(slots)+index) }

// fresh is a number that no other operation of s has.
func (s *slot) fresh() []byte { return strconv.AppendInt(nil, s.values.Add(1), 10) }
