package workloads

import (
	"fmt"
	"iter"
	"math/rand/v2"

	"ordeal/checker"
	"ordeal/checker/adya"
	"ordeal/history"
)

const (
	microsMax = 4 // of a transaction

	// microsPerKey is how many micro-operations a key sees before the next one takes its place. About half of
	// them append, so lists stay short; each read returns a whole one.
	microsPerKey = 100
)

// Txn is transactions over lists: each appends to some and reads some, all at one moment.
//
// The value of a txn is a list of micro-operations as Jepsen writes them, ["append",key,element] and
// ["r",key,null], and its key is empty; when it is ok the reads have the list, or null for a key that is absent, in
// the place of null. Elements are numbers that no other append to the key has, so that reads tell which transactions
// came before them, on all keys at once.
func Txn(o Options) Workload {
	slots := make(rotation, o.Keys)
	return Workload{
		Name: "txn",
		Ops: func(r *rand.Rand, _ int) iter.Seq[history.Event] {
			return func(yield func(history.Event) bool) {
				for yield(slots.txn(r)) {
				}
			}
		},
		Checkers: []checker.Checker{adya.Transactions(o.Budget)},
	}
}

// txn draws a transaction. How many micro-operations it has, of which kind and in which slots, is drawn from r alone.
func (slots rotation) txn(r *rand.Rand) history.Event {
	value := []byte{'['}
	for i := range 1 + r.IntN(microsMax) {
		if i > 0 {
			value = append(value, ',')
		}
		value = slots.micro(value, r)
	}
	return history.Event{F: "txn", Value: append(value, ']')}
}

func (slots rotation) micro(value []byte, r *rand.Rand) []byte {
	index := r.IntN(len(slots))
	s := &slots[index]
	if r.IntN(100) < retiredPercent {
		turn := int(s.ops.Load()) / microsPerKey
		return fmt.Appendf(value, `["r",%q,null]`, slots.key(max(turn-1, 0), index))
	}
	key := slots.key(int(s.ops.Add(1)-1)/microsPerKey, index)
	if r.IntN(100) < 50 {
		return fmt.Appendf(value, `["r",%q,null]`, key)
	}
	return fmt.Appendf(value, `["append",%q,%s]`, key, s.fresh())
}
