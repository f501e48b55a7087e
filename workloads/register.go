package workloads

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"sync/atomic"

	"ordeal/checker"
	"ordeal/history"
)

// opsPerKey is how many operations a key sees, over all clients, before the next one takes its
// place: enough for a fault to strike within one key's life, few enough for any search to judge it.
const opsPerKey = 400

// Register is independent registers: read, write and cas.
//
// Values are unique within a key: each write or cas takes the next number of its key's counter. A cas
// expects the number that was drawn last, which is what the key most likely holds. Which operation a client
// sends and in which slot is drawn from its source; which key holds the slot, and which number is
// next, depends on how far all clients have come.
func Register(o Options) Workload {
	slots := make([]slot, o.Keys)
	return Workload{
		Name: "register",
		Ops: func(r *rand.Rand, _ int) iter.Seq[history.Event] {
			return func(yield func(history.Event) bool) {
				for i := r.IntN(len(slots)); yield(slots[i].next(r, i, len(slots))); i = r.IntN(len(slots)) {
				}
			}
		},
		Checkers: []checker.Checker{checker.Linearizable(checker.Register(), checker.Budget{})},
	}
}

// slot is the place of one key at a time.
type slot struct {
	ops    atomic.Int64 // sent to this slot so far; tells which key holds it
	values atomic.Int64 // drawn in this slot so far
}

func (s *slot) next(r *rand.Rand, index, slots int) history.Event {
	n := int(s.ops.Add(1) - 1)
	e := history.Event{Key: "k" + strconv.Itoa(n/opsPerKey*slots+index)}
	switch p := r.IntN(100); {
	case p < 50:
		e.F = "read"
	case p < 85:
		e.F, e.Value = "write", strconv.AppendInt(nil, s.values.Add(1), 10)
	default:
		e.F, e.Value = "cas", s.cas(n%opsPerKey)
	}
	return e
}

// cas is the value of a compare-and-set that is the nth operation of its key.
func (s *slot) cas(n int) []byte {
	old := "null" // of a new key: it is most likely absent
	if n > 2 {
		old = strconv.FormatInt(s.values.Load(), 10)
	}
	return fmt.Appendf(nil, "[%s,%d]", old, s.values.Add(1))
}
