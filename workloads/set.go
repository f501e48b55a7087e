package workloads

import (
	"math/rand/v2"

	"ordeal/checker"
)

// Set is independent sets, which are inserted into and read as a whole.
//
// The value of an insert is its element, a number that no other insert into the set has; a read returns the
// elements in any order, or null for a key that is absent. Like Append it shows what was lost, but not what
// changed places or came twice.
func Set(o Options) Workload {
	return Workload{
		Name:     "set",
		Ops:      make(rotation, o.Keys).ops(setOp),
		Checkers: []checker.Checker{checker.Linearizable(checker.Set(), o.Budget)},
	}
}

func setOp(r *rand.Rand, s *slot, _ int) (f string, value []byte) {
	if r.IntN(100) < 50 {
		return "read", nil
	}
	return "insert", s.fresh()
}
