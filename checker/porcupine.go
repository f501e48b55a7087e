package checker

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// search asks Porcupine whether p has a legal order, and stops when ctx is done or when the search
// holds memory bytes.
//
// Porcupine keeps every configuration that it has seen, each with a set of one bit an operation, so
// that a hard key takes memory until the machine has none (etcd-io/etcd#21928: 40 GB). But it asks
// for each of them: a configuration is kept iff Step said yes and Equal did not find it among the
// kept ones. So the wrappers below count exactly what is held. To stop it, Step says no from then
// on; Porcupine then backs out of what it has, and the answer is thrown away.
func search(ctx context.Context, p Problem, memory int64) result {
	ops := p.Operations()
	if len(ops) == 0 {
		return legal
	}
	m := p.Machine()
	w := watched{step: m.Step, equal: m.Equal, room: memory / configurationBytes(len(ops))}
	if w.equal == nil {
		w.equal = func(a, b any) bool { return a == b }
	}
	defer context.AfterFunc(ctx, func() { w.stopped.Store(true) })()
	m.Step, m.Equal = w.Step, w.Equal
	switch ok := porcupine.CheckOperations(m, ops); {
	case ok: // saying no can only hide a legal order
		return legal
	case w.full:
		return outOfMemory
	case w.stopped.Load():
		return outOfTime
	default:
		return illegal
	}
}

// configurationBytes is what Porcupine v1.3.1 holds for one configuration of n operations: the bit
// set, the cache entry of slice and state, its share of a map that is between half and fully
// loaded, and the state itself.
func configurationBytes(n int) int64 {
	const entry, slot, state = 48, 72, 16
	bits := int64(n+63) / 64 * 8
	return bits + bits/8 + entry + slot + state // allocation classes waste up to an eighth
}

// watched is a machine whose search can be measured and stopped. One goroutine uses it.
type watched struct {
	step    func(state, input, output any) (bool, any)
	equal   func(a, b any) bool
	room    int64 // for so many configurations more
	full    bool
	stopped atomic.Bool
}

func (w *watched) Step(state, input, output any) (bool, any) {
	if w.full || w.stopped.Load() {
		return false, state
	}
	ok, next := w.step(state, input, output)
	if ok {
		if w.room--; w.room < 0 {
			w.full = true
			return false, state
		}
	}
	return ok, next
}

func (w *watched) Equal(a, b any) bool {
	same := w.equal(a, b)
	if same {
		w.room++ // it is not kept a second time
	}
	return same
}

// local looks for a violation among groups that are near each other in time, for keys that are too
// hard as a whole: an illegal part convicts the whole (see Problem). It returns the part, or nil.
// Parts share the time that is left, so that a hard one does not keep the others from being tried.
func local(ctx context.Context, p Problem, memory int64) Problem {
	const width, step = 32, 16
	n := p.Groups()
	for from := 0; from < n && ctx.Err() == nil; from += step {
		part := p.Keep(func(g int) bool { return g >= from && g < from+width })
		slice, cancel := ctx, context.CancelFunc(func() {})
		if end, ok := ctx.Deadline(); ok {
			parts := (n - from + step - 1) / step
			slice, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(parts))
		}
		found := convicts(slice, part, memory)
		cancel()
		if found {
			return part
		}
	}
	return nil
}
