package adya

import (
	"context"
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
	micros  []callMicro
}

type callMicro struct {
	key   int
	reads bool
	list  []element // that a read shows; of an append its element
}

// core is some transactions and what they did to some keys, without the rest of the history. If the whole history has
// a serial order, then so has the core: the same one, with the rest struck from it.
func (r *records) core(txns, keys []int32) []porcupine.Operation {
	ops := make([]porcupine.Operation, len(txns))
	for i, t := range txns {
		x := &r.txns[t]
		ops[i] = porcupine.Operation{ClientId: r.ops[t].Index, Input: &call{strange: x.strange}, Call: int64(x.begin), Return: int64(x.end)}
	}
	type placed struct {
		place int32
		micro callMicro
	}
	micros := make([][]placed, len(txns))
	for key, k := range keys {
		shown := r.inside(txns, k)
		for i, t := range txns {
			for _, p := range r.of(t, k) {
				m := callMicro{key: key, reads: r.micros[p].reads(), list: []element{r.micros[p].element}}
				if m.reads {
					m.list = shown(&r.micros[p])
				}
				micros[i] = append(micros[i], placed{p, m})
			}
		}
	}
	for i := range micros {
		slices.SortFunc(micros[i], func(a, b placed) int { return int(a.place - b.place) })
		c := ops[i].Input.(*call)
		for _, m := range micros[i] {
			c.micros = append(c.micros, m.micro)
		}
	}
	return ops
}

// inside returns a function that strikes from what a read of key k by a transaction of the core shows all that was
// appended, and by no transaction of the core.
func (r *records) inside(txns []int32, k int32) (shown func(m *micro) []element) {
	struck := map[element]bool{} // of what they show
	chained := int32(0)          // so much of the chain do they show
	for _, t := range txns {
		for _, p := range r.of(t, k) {
			m := &r.micros[p]
			same := m.length
			if m.fork != inChain {
				same = r.forks[m.fork].same
				for _, e := range r.forks[m.fork].rest {
					struck[e] = false
				}
			}
			chained = max(chained, same)
		}
	}
	for _, e := range r.keys[k].list[:chained] {
		struck[e] = false
	}
	for _, p := range r.on(k) {
		if m := &r.micros[p]; !m.reads() && r.txns[m.txn].outcome != history.Fail {
			if _, seen := struck[m.element]; seen {
				struck[m.element] = true
			}
		}
	}
	for _, t := range txns {
		for _, e := range r.appends(t, k) {
			delete(struck, e)
		}
	}
	var chain []element
	var at []int32 // the place of each in the key's chain
	for i, e := range r.keys[k].list[:chained] {
		if !struck[e] {
			chain, at = append(chain, e), append(at, int32(i))
		}
	}
	return func(m *micro) []element {
		same, rest := m.length, []element(nil)
		if m.fork != inChain {
			same, rest = r.forks[m.fork].same, r.forks[m.fork].rest
		}
		n, _ := slices.BinarySearch(at, same)
		if len(rest) == 0 {
			return chain[:n]
		}
		return slices.DeleteFunc(slices.Concat(chain[:n], rest), func(e element) bool { return struck[e] })
	}
}

// confirm checks an anomaly again, with code that knows nothing of the graph: each step of a cycle by itself, and
// whether Porcupine finds a serial order of the core that keeps to real time. ok is false if a step does not hold or
// there is such an order. sure is false if Porcupine could not tell before ctx was done, or was not asked.
func (j *judgement) confirm(ctx context.Context, a *anomaly) (ok, sure bool) {
	if !j.circular(a.cycle) || !j.circular(a.longer) {
		return false, true
	}
	if len(a.cycle) > toldMax || ctx.Err() != nil {
		return true, false
	}
	result := j.search(ctx, a.txns, a.concerns())
	return result != porcupine.Ok, result != porcupine.Unknown
}

// besideMax is the most transactions that Porcupine is asked about together: its states are all lists of all keys.
const besideMax = 200

// beside lets Porcupine judge a whole history that has an order, if it is small. n is how many it judged, 1 or 0; ok
// is false if it finds no order.
func (j *judgement) beside(ctx context.Context, order []int32) (n int, ok bool) {
	if j.budget.CrossCheck == checker.CrossCheckOff || len(order) > besideMax {
		return 0, true
	}
	if j.budget.CrossCheck == checker.CrossCheckSample {
		timed, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		ctx = timed
	}
	keys := make([]int32, len(j.records.keys))
	for k := range keys {
		keys[k] = int32(k)
	}
	switch j.search(ctx, order, keys) {
	case porcupine.Ok:
		return 1, true
	case porcupine.Illegal:
		return 1, false
	}
	return 0, true
}

// search asks Porcupine about a core.
func (j *judgement) search(ctx context.Context, txns, keys []int32) porcupine.CheckResult {
	const perList, perElement = 24, 8
	state := int64(len(keys)) * perList
	for _, k := range keys {
		for _, t := range txns {
			state += perElement * int64(len(j.of(t, k)))
		}
	}
	return checker.Porcupine(ctx, machine(len(keys)), j.core(txns, keys), state, j.budget.Memory)
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
		Hash: func(state any) uint64 { // FNV-1a, word by word
			const offset, prime = 14695981039346656037, 1099511628211
			hash := uint64(offset)
			for _, list := range state.([][]element) {
				for _, e := range list {
					hash = (hash ^ uint64(e)) * prime
				}
				hash = (hash ^ uint64(len(list))) * prime
			}
			return hash
		},
	}
}
