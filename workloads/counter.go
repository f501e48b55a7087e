package workloads

import (
	"math/rand/v2"
	"strconv"

	"ordeal/checker"
)

// deltaMax is the most that an add adds. Wide, so that an add that was applied twice is seldom hidden
// behind one of unknown outcome that was of the same size.
const deltaMax = 1000

// Counter is independent counters, which are added to and read.
//
// The value of an add is what it adds, and when it is ok the sum that it left; a read returns the
// sum, or null for a key that is absent. All that is added is above zero: a counter that only grows
// has each value during one interval of time, so every answer tells where in the order it belongs.
func Counter(o Options) Workload {
	return Workload{
		Name:     "counter",
		Ops:      make(rotation, o.Keys).ops(counterOp),
		Checkers: []checker.Checker{checker.Linearizable(checker.Counter(), o.Budget)},
	}
}

func counterOp(r *rand.Rand, _ *slot, _ int) (f string, value []byte) {
	if r.IntN(100) < 40 {
		return "read", nil
	}
	return "add", strconv.AppendInt(nil, 1+r.Int64N(deltaMax), 10)
}
