package checker

import (
	"context"
	"math"
	"slices"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
)

// plainProblem is the Problem of a model that has no engine of its own: the search decides.
type plainProblem[C any, P timed[C], S any] struct {
	calls []C
	m     machine[C, S]
}

// Machine implements Problem.
func (p *plainProblem[C, P, S]) Machine() Machine { return p.m.porcupine() }

// Operations implements Problem.
func (p *plainProblem[C, P, S]) Operations() []porcupine.Operation {
	return porcupineOps[C, P](p.calls)
}

// Len implements Problem.
func (p *plainProblem[C, P, S]) Len() int { return len(p.calls) }

// Replay implements Problem.
func (p *plainProblem[C, P, S]) Replay(order []int32) error { return replay[C, P](p.calls, p.m, order) }

// Engines implements Problem.
func (p *plainProblem[C, P, S]) Engines() []Engine {
	return []Engine{{Name: "search", Decide: func(ctx context.Context, memory int64) Answer {
		order, r := wgl[C, P](ctx, p.calls, p.m, memory)
		return Answer{Result: r, Order: order}
	}, Holds: searchBytes * int64(len(p.calls))}}
}

// Groups implements Problem: of a plain problem nothing but reads can be left out.
func (p *plainProblem[C, P, S]) Groups() int { return 0 }

// Keep implements Problem.
func (p *plainProblem[C, P, S]) Keep(func(int) bool) Problem { return p }

// Size implements Problem.
func (p *plainProblem[C, P, S]) Size() int64 { return bytesOf[C](len(p.calls)) }

// Weaken implements Problem: what never changes the state is left out.
func (p *plainProblem[C, P, S]) Weaken(i int) (Problem, bool) {
	if !p.m.reads(&p.calls[i]) {
		return nil, false
	}
	return &plainProblem[C, P, S]{calls: slices.Delete(slices.Clone(p.calls), i, i+1), m: p.m}, true
}

// Explain implements Problem.
func (p *plainProblem[C, P, S]) Explain(ops []*history.Op) Finding {
	t := tellerOf[C, P](ops, p.calls)
	f := Finding{Key: t.key, Rule: ruleOther, Text: noOrderOfMany(len(p.calls))}
	for i := range p.calls {
		f.Ops = append(f.Ops, int(P(&p.calls[i]).when().index))
	}
	if len(p.calls) <= storyMax {
		f.Text = noOrder(len(p.calls))
		f.Proof = everyOrder[C, P](t, p.calls)
	}
	t.sortOps(&f)
	return f
}

// hashOf is a hash of a sequence of numbers.
func hashOf[T ~int32 | ~int64](numbers []T) uint64 {
	h := uint64(math.MaxUint32)
	for _, n := range numbers {
		h = scatter(h + uint64(n))
	}
	return h
}
