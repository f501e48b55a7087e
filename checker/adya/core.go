package adya

import (
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"ordeal/checker"
	"ordeal/history"
)

// call is a transaction of a core: what it did to the keys that the core is about, with all elements struck from
// the lists that others appended.
type call struct {
	strange bool
	micros  []struct {
		key   int
		reads bool
		list  []element // that a read shows; of an append its element
	}
}

// core is some transactions and what they did to some keys, without the rest of the history. If the whole history has a serial order, then so has the
// core: the same one, with the rest struck from it.
func (r *records) core(txns, keys []int32) []porcupine.Operation {
	outside := r.outside(txns, keys)
	ops := make([]porcupine.Operation, 0, len(txns))
	for _, t := range txns {
		x := &r.txns[t]
		c := &call{strange: x.strange}
		for i := x.first; i < x.last; i++ {
			m := &r.micros[i]
			key := slices.Index(keys, m.key)
			if key < 0 {
				continue
			}
			list := []element{m.element}
			if m.reads() {
				list = slices.DeleteFunc(r.list(m), func(e element) bool { return outside[inKey{m.key, e}] })
			}
			c.micros = append(c.micros, struct {
				key   int
				reads bool
				list  []element
			}{key, m.reads(), list})
		}
		ops = append(ops, porcupine.Operation{ClientId: r.ops[t].Index, Input: c, Call: int64(x.begin), Return: int64(x.end)})
	}
	return ops
}

// inKey is an element of a key.
type inKey struct {
	key     int32
	element element
}

// outside are the elements of keys that were appended, and not by a transaction of the core.
func (r *records) outside(txns, keys []int32) map[inKey]bool {
	inside := map[inKey]bool{}
	for _, t := range txns {
		for _, k := range keys {
			for _, e := range r.appends(t, k) {
				inside[inKey{k, e}] = true
			}
		}
	}
	outside := map[inKey]bool{}
	for i := range r.micros {
		m := &r.micros[i]
		at := inKey{m.key, m.element}
		if !m.reads() && slices.Contains(keys, m.key) && r.txns[m.txn].outcome != history.Fail && !inside[at] {
			outside[at] = true
		}
	}
	return outside
}

// confirm asks Porcupine whether an anomaly's core has a serial order that keeps to real time. ok is false if it has
// one. It knows nothing of dependencies. sure is false if that would take too long.
func (j *judgement) confirm(a *anomaly, limit time.Duration) (ok, sure bool) {
	if len(a.cycle) > toldMax {
		return true, false
	}
	result := search(j.core(a.txns, a.concerns()), len(a.concerns()), limit)
	return result != porcupine.Ok, result != porcupine.Unknown
}

// besideMax is the most transactions that Porcupine is asked about together: its states are all lists of all keys.
const besideMax = 200

// beside lets Porcupine judge a whole history that has an order, if it is small. n is how many it judged, 1 or 0; ok
// is false if it finds no order.
func (j *judgement) beside(order []int32) (n int, ok bool) {
	if j.budget.CrossCheck == checker.CrossCheckOff || len(order) > besideMax {
		return 0, true
	}
	limit := 50 * time.Millisecond
	if j.budget.CrossCheck == checker.CrossCheckAll {
		limit = j.budget.Time
	}
	keys := make([]int32, len(j.records.keys))
	for k := range keys {
		keys[k] = int32(k)
	}
	switch search(j.core(order, keys), len(keys), limit) {
	case porcupine.Ok:
		return 1, true
	case porcupine.Illegal:
		return 1, false
	}
	return 0, true
}

func search(core []porcupine.Operation, keys int, limit time.Duration) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(machine(keys), core, limit)
}

// machine is a number of lists on which one transaction after the other is done. One of unknown outcome may be
// done at the very end, which is the same as never.
func machine(keys int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return make([][]element, keys) },
		Step: func(state, input, _ any) (bool, any) {
			c := input.(*call)
			lists := slices.Clone(state.([][]element))
			for _, m := range c.micros {
				switch {
				case !m.reads:
					lists[m.key] = append(slices.Clone(lists[m.key]), m.list...)
				case !slices.Equal(m.list, lists[m.key]):
					return false, state
				}
			}
			return !c.strange, lists
		},
		Equal: func(a, b any) bool {
			return slices.EqualFunc(a.([][]element), b.([][]element), slices.Equal[[]element])
		},
	}
}
