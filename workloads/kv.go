package workloads

import (
	"fmt"
	"math/rand/v2"

	"ordeal/checker"
)

// KV is independent keys of a store: read, write, cas, and delete, after which a key is absent.
//
// It is Register with deletions: a key is absent at many moments, so that a read of null, unlike one of a number,
// does not tell when it was.
func KV(o Options) Workload {
	return Workload{
		Name:     "kv",
		Ops:      make(rotation, o.Keys).ops(kvOp),
		Checkers: []checker.Checker{checker.Linearizable(checker.KV(), o.Budget), checker.Versions()},
		Online:   checker.OnlineKV,
	}
}

func kvOp(r *rand.Rand, s *slot, n int) (f string, value []byte) {
	switch p := r.IntN(100); {
	case p < 45:
		return "read", nil
	case p < 75:
		return "write", s.fresh()
	case p < 87:
		return "cas", s.cas(n)
	case p < 92: // for when it has been deleted
		return "cas", fmt.Appendf(nil, "[null,%s]", s.fresh())
	default:
		return "delete", nil
	}
}
