package workloads

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"ordeal/checker"
)

// Register is independent registers: read, write and cas.
//
// Values are unique within a key: each write or cas takes the next number of its key's counter. A cas
// expects the number that was drawn last, which is what the key most likely holds. Which operation a client
// sends and in which slot is drawn from its source; which key holds the slot, and which number is
// next, depends on how far all clients have come.
func Register(o Options) Workload {
	return Workload{
		Name:     "register",
		Ops:      make(rotation, o.Keys).ops(registerOp),
		Checkers: []checker.Checker{checker.Linearizable(checker.Register(), o.Budget), checker.Versions()},
		Online:   checker.OnlineRegister,
	}
}

func registerOp(r *rand.Rand, s *slot, n int) (f string, value []byte) {
	switch p := r.IntN(100); {
	case p < 50:
		return "read", nil
	case p < 85:
		return "write", s.fresh()
	default:
		return "cas", s.cas(n)
	}
}

// cas is the value of a compare-and-set that is the nth operation of its key.
func (s *slot) cas(n int) []byte {
	old := "null" // of a new key: it is most likely absent
	if n > 2 {
		old = strconv.FormatInt(s.values.Load(), 10)
	}
	return fmt.Appendf(nil, "[%s,%s]", old, s.fresh())
}
