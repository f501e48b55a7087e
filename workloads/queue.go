package workloads

import (
	"math/rand/v2"

	"ordeal/checker"
	"ordeal/history"
)

// Queue is independent queues: what goes in first comes out first.
//
// The value of an enqueue is its element, a number that no other enqueue has; a dequeue returns the element that
// it took out, or null if there was none. A little more is put in than taken out, so that a queue is seldom
// empty and what is lost is missed. Retired queues are taken from, too: a queue shows nothing
// of what it holds but its first element.
func Queue(o Options) Workload {
	return Workload{
		Name:     "queue",
		Ops:      make(rotation, o.Keys).opsLooking(history.Event{F: "dequeue"}, queueOp),
		Checkers: []checker.Checker{checker.Linearizable(checker.Queue(), o.Budget)},
	}
}

func queueOp(r *rand.Rand, s *slot, _ int) (f string, value []byte) {
	if r.IntN(100) < 45 {
		return "dequeue", nil
	}
	return "enqueue", s.fresh()
}
