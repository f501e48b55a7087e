package adya

import (
	"fmt"
	"math"
	"time"

	"ordeal/history"
)

// replay makes sure that an order of transactions is a proof that they are strictly serializable: it does them one
// after the other. It knows only what clients sent and what they were answered.
func replay(r *records, order []int32) error {
	lists := make([][]element, len(r.keys))
	placed := make([]bool, len(r.txns))
	latest := time.Duration(math.MinInt64) // of the calls so far
	for _, t := range order {
		x := &r.txns[t]
		switch {
		case placed[t]:
			return fmt.Errorf("transaction %d is there twice", r.ops[t].Index)
		case x.outcome == history.Fail:
			return fmt.Errorf("transaction %d did not happen", r.ops[t].Index)
		case x.end < latest:
			return fmt.Errorf("transaction %d had returned before one that stands in front of it was called", r.ops[t].Index)
		}
		placed[t], latest = true, max(latest, x.begin)
		for i := x.first; i < x.last; i++ {
			m := &r.micros[i]
			if !m.reads() {
				lists[m.key] = append(lists[m.key], m.element)
				continue
			}
			if !r.equal(m, lists[m.key]) {
				return fmt.Errorf("transaction %d does not find what it was answered", r.ops[t].Index)
			}
		}
	}
	for t := range r.txns {
		if r.txns[t].outcome == history.OK && !placed[t] {
			return fmt.Errorf("transaction %d is left out", r.ops[t].Index)
		}
	}
	return nil
}

// equal compares what the read m shows with a list.
func (r *records) equal(m *micro, list []element) bool {
	if int(m.length) != len(list) {
		return false
	}
	for i, e := range list {
		if r.at(m, int32(i)) != e {
			return false
		}
	}
	return true
}
