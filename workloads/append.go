package workloads

import (
	"math/rand/v2"

	"ordeal/checker"
)

// Append is independent lists, which are appended to and read as a whole.
//
// The value of an append is its element, a number that no other append to the key has; a read
// returns the list, or null for a key that is absent. So every read tells which appends took effect
// before it, and in which order: what was lost, came twice or changed places is seen in one read.
func Append(o Options) Workload {
	return Workload{
		Name:     "append",
		Ops:      make(rotation, o.Keys).ops(appendOp),
		Checkers: []checker.Checker{checker.Linearizable(checker.List(), o.Budget)},
	}
}

func appendOp(r *rand.Rand, s *slot, _ int) (f string, value []byte) {
	if r.IntN(100) < 50 {
		return "read", nil
	}
	return "append", s.fresh()
}
