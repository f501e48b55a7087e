package checker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
)

// result is what an engine came to.
type result uint8

const (
	legal result = iota
	illegal
	unfit       // the engine does not cover these operations
	outOfTime   // or cancelled
	outOfMemory // of its own share
)

// Engine is one way to decide a problem.
type Engine struct {
	Name   string
	Decide func(ctx context.Context, memory int64) Answer
	Holds  int64 // bytes that it holds for the problem whatever it finds
}

// expired tells whether ctx is done; it looks every 65,536th step.
func expired(ctx context.Context, step int) bool { return step&0xffff == 0 && ctx.Err() != nil }

// effort is the steps since somebody last looked at a context.
type effort int

// expired tells whether ctx is done; it looks once 65,536 steps were taken.
func (e *effort) expired(ctx context.Context, steps effort) bool {
	if *e += steps; *e < 1<<16 {
		return false
	}
	*e = 0
	return ctx.Err() != nil
}

// Answer is what an engine says.
type Answer struct {
	Result result
	Why    string  // of unfit: what it does not cover
	Order  []int32 // of legal: a linearization, as places in the problem's operations; those that did not happen are left out
	Part   Problem // of illegal: a part of the problem that is illegal by itself; nil if none is known
}

// decision is the answer of the engine that gave it, or of the last that tried.
type decision struct {
	Answer
	engine string
	unfit  []string // why the engines before it were, each with its name
}

// decide asks p's engines in their order. The first that covers p and keeps within its budget decides,
// and what it calls legal is replayed: an order that does not hold is an error.
func decide(ctx context.Context, p Problem, memory int64) (d decision, err error) {
	for _, e := range p.Engines() {
		a := Answer{Result: outOfMemory}
		if e.Holds <= memory {
			a = e.Decide(ctx, memory)
		}
		if a.Result == unfit {
			d.unfit = append(d.unfit, fmt.Sprintf("%s: %s", e.Name, a.Why))
			continue
		}
		d.Answer, d.engine = a, e.Name
		switch a.Result {
		case legal:
			if err := p.Replay(a.Order); err != nil {
				return d, fmt.Errorf("%s gave an order that does not hold, which is a bug in the checker: %w", e.Name, err)
			}
			return d, nil
		case illegal:
			return d, nil
		}
	}
	return d, nil
}

// convicts tells whether an engine finds p illegal within the budget.
func convicts(ctx context.Context, p Problem, memory int64) bool {
	d, _ := decide(ctx, p, memory)
	return d.Result == illegal
}

// interval is when an operation was open, as every model's calls have it.
type interval struct {
	begin, end time.Duration // end is history.Never if maybe
	index      int32         // Op.Index
	maybe      bool          // it may not have happened
}

func intervalOf(op *history.Op) interval {
	return interval{begin: op.Call, end: op.Return, index: int32(op.Index), maybe: op.Type == history.Info}
}

func (i *interval) when() *interval { return i }

// timed is a pointer to a call of kind C.
type timed[C any] interface {
	*C
	when() *interval
}

// machine is a sequential specification: what one key does when its calls come one after the other.
// It is pure, and states are never changed in place.
type machine[C, S any] struct {
	start S
	step  func(state S, c *C) (next S, ok bool)
	equal func(a, b S) bool
	hash  func(state S) uint64
	reads func(c *C) bool     // it never changes a state
	size  func(state S) int64 // bytes that a state points to, as allocated; nil: none
}

// porcupine is m for Porcupine, whose inputs are pointers to calls.
func (m machine[C, S]) porcupine() Machine {
	return Machine{
		Model: porcupine.Model{
			Init: func() any { return m.start },
			Step: func(state, input, _ any) (bool, any) {
				next, ok := m.step(state.(S), input.(*C))
				return ok, next
			},
			Equal: func(a, b any) bool { return m.equal(a.(S), b.(S)) },
			Hash:  func(state any) uint64 { return m.hash(state.(S)) },
		},
		Adds: func(input, next any) int64 { return m.adds(input.(*C), next.(S)) },
	}
}

// adds is what next holds beside the state before c, which led to it, in bytes: nothing if c reads. Where states share memory
// in other ways, as a queue does with the one behind its first, that is too much and never too little.
func (m machine[C, S]) adds(c *C, next S) int64 {
	if m.size == nil || m.reads(c) {
		return 0
	}
	return m.size(next)
}

func porcupineOps[C any, P timed[C]](calls []C) []porcupine.Operation {
	ops := make([]porcupine.Operation, len(calls))
	for i := range calls {
		at := P(&calls[i]).when()
		ops[i] = porcupine.Operation{ClientId: int(at.index), Input: &calls[i], Call: int64(at.begin), Return: int64(at.end)}
	}
	return ops
}

// replay carries calls out in the given order. It is an error if one that must have happened is missing
// or any is there twice, if one is not what m allows, or if one had ended before another began that comes earlier.
func replay[C any, P timed[C], S any](calls []C, m machine[C, S], order []int32) error {
	done := make([]bool, len(calls))
	state, latest := m.start, time.Duration(-1)
	for _, i := range order {
		if i < 0 || int(i) >= len(calls) || done[i] {
			return fmt.Errorf("call %d is no call or comes twice", i)
		}
		done[i] = true
		at := P(&calls[i]).when()
		if latest = max(latest, at.begin); at.end < latest {
			return fmt.Errorf("operation %d had ended before one began that comes earlier", at.index)
		}
		next, ok := m.step(state, &calls[i])
		if !ok {
			return fmt.Errorf("operation %d is not possible in its place", at.index)
		}
		state = next
	}
	for i := range calls {
		if at := P(&calls[i]).when(); !at.maybe && !done[i] {
			return fmt.Errorf("operation %d is missing", at.index)
		}
	}
	return nil
}

// begun is, by gap of an order, the last begin of the calls before it; gap i is before call i.
func begun[C any, P timed[C]](calls []C, order []int32) []time.Duration {
	last := make([]time.Duration, len(order)+1)
	last[0] = math.MinInt64
	for i, at := range order {
		last[i+1] = max(last[i], P(&calls[at]).when().begin)
	}
	return last
}

// due is, by gap of an order, the first end of the calls behind it.
func due[C any, P timed[C]](calls []C, order []int32) []time.Duration {
	first := make([]time.Duration, len(order)+1)
	first[len(order)] = math.MaxInt64
	for i, at := range slices.Backward(order) {
		first[i] = min(first[i+1], P(&calls[at]).when().end)
	}
	return first
}

// places translates an order of some calls of a problem into places among all of them; some keep the
// order of all.
func places[C any, P timed[C]](order []int32, some, all []C) []int32 {
	at := make([]int32, len(some))
	next := 0
	for i := range all {
		if next < len(some) && P(&some[next]).when().index == P(&all[i]).when().index {
			at[next] = int32(i)
			next++
		}
	}
	for i, o := range order {
		order[i] = at[o]
	}
	return order
}
