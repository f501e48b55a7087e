package checker

import (
	"context"
	"sync/atomic"

	"github.com/anishathalye/porcupine"
)

// Porcupine asks Porcupine whether operations have a linearization, with a model that needs Init, Step, Equal and Hash; a
// state takes so many bytes. It is Unknown if ctx is done, or if memory bytes are too few to tell.
func Porcupine(ctx context.Context, m porcupine.Model, ops []porcupine.Operation, state, memory int64) porcupine.CheckResult {
	adds := func(any, any) int64 { return state }
	if !affords(len(ops), memory) {
		return porcupine.Unknown
	}
	switch bounded(ctx, Machine{m, adds}, ops, memory) {
	case legal:
		return porcupine.Ok
	case illegal:
		return porcupine.Illegal
	default:
		return porcupine.Unknown
	}
}

// search asks Porcupine whether p has a legal order.
func search(ctx context.Context, p Problem, memory int64) result {
	switch {
	case !affords(p.Len(), memory):
		return outOfMemory
	case ctx.Err() != nil:
		return outOfTime
	}
	return bounded(ctx, p.Machine(), p.Operations(), memory)
}

// affords tells whether Porcupine can find a legal order of n operations in memory bytes: on its way it keeps as many
// configurations. With less it would only tell of what is illegal at once, after holding as much for nothing.
func affords(n int, memory int64) bool {
	return int64(n)*(operationBytes+configurationBytes(n)) <= memory
}

// bounded asks Porcupine, and stops when ctx is done or when the search holds memory bytes.
//
// Porcupine keeps every configuration that it has seen, each with a set of one bit an operation, so
// that a hard key takes memory until the machine has none (etcd-io/etcd#21928: 40 GB). But it asks
// for each of them: a configuration is kept iff Step said yes and Equal did not find it among the
// kept ones. So the wrappers below count exactly what is held. To stop it, Step says no from then
// on; Porcupine then backs out of what it has, and the answer is thrown away.
func bounded(ctx context.Context, m Machine, ops []porcupine.Operation, memory int64) result {
	if len(ops) == 0 {
		return legal
	}
	n := len(ops)
	w := watched{step: m.Step, equal: m.Equal, adds: m.Adds, configuration: configurationBytes(n), room: memory - operationBytes*int64(n)}
	if w.equal == nil {
		w.equal = func(a, b any) bool { return a == b }
	}
	defer context.AfterFunc(ctx, func() { w.stopped.Store(true) })()
	m.Step, m.Equal = w.Step, w.Equal
	switch ok := porcupine.CheckOperations(m.Model, ops); {
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

// operationBytes is what Porcupine v1.3.1 takes for an operation before it begins: the operation, two entries in a slice that
// grew and the one that it grew from, two nodes, places in tables, and later a frame of the stack, which grows too.
const operationBytes = 72 + 2*64*9/4 + 2*48 + 64 + 24*9/4

// configurationBytes is what Porcupine v1.3.1 holds for one configuration of n operations: the bit set, the cache entry of
// slice and state, its share of a map that is between half and fully loaded, and a state, but for what that points to.
func configurationBytes(n int) int64 {
	const entry, slot, state = 48, 72, 24
	bits := int64(n+63) / 64 * 8
	return bits + bits/8 + entry + slot + state // allocation classes waste up to an eighth
}

// watched is a machine whose search can be measured and stopped. One goroutine uses it.
type watched struct {
	step          func(state, input, output any) (bool, any)
	equal         func(a, b any) bool
	adds          func(input, next any) int64
	configuration int64 // bytes of one, without what its state points to
	last          int64 // bytes of the last one
	room          int64 // for so many bytes more
	full          bool
	stopped       atomic.Bool
}

func (w *watched) Step(state, input, output any) (bool, any) {
	if w.full || w.stopped.Load() {
		return false, state
	}
	ok, next := w.step(state, input, output)
	if ok {
		w.last = w.configuration + w.adds(input, next)
		if w.room -= w.last; w.room < 0 {
			w.full = true
			return false, state
		}
	}
	return ok, next
}

func (w *watched) Equal(a, b any) bool {
	same := w.equal(a, b)
	if same {
		w.room += w.last // it is not kept a second time
	}
	return same
}

// local looks for a violation among groups that are near each other in time, for keys that are too
// hard as a whole: an illegal part convicts the whole (see Problem). It returns the part, or nil.
// It halves p until few groups are left, and any two with fewer than overlap between them stay together somewhere, but for the
// first and the last of so few that nothing would be left out. Parts share the time that is left, so that a hard one does not
// keep the others from being tried.
func local(ctx context.Context, p Problem, memory int64) Problem {
	const width, overlap = 32, 16       // groups
	if memory -= p.Size(); memory < 0 { // a part stands beside what it was cut from
		return nil
	}
	n := p.Groups()
	if n < 2 {
		return nil
	}
	common := min(overlap, n-2)
	first, cancel := halfOf(ctx)
	defer cancel()
	for _, half := range [...]struct {
		ctx      context.Context
		from, to int
	}{{first, 0, (n + common) / 2}, {ctx, (n - common) / 2, n}} {
		if half.ctx.Err() != nil {
			continue
		}
		part := p.Keep(func(g int) bool { return half.from <= g && g < half.to })
		switch {
		case part.Groups() > width:
			part = local(half.ctx, part, memory)
		case !convicts(half.ctx, part, memory):
			part = nil
		}
		if part != nil {
			return part
		}
	}
	return nil
}
