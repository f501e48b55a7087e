package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// applyQueue is a queue in other words than the model's: see sequential.
func applyQueue(state string, op history.Op) (string, bool) {
	if op.F == "enqueue" {
		return state + string(op.Input) + ",", true
	}
	first, rest, found := strings.Cut(state, ",")
	if !found {
		first = "null"
	}
	return rest, op.Type == history.Info || first == string(op.Output)
}

func (g *randomSystem) queues(op *history.Op) {
	if g.r.IntN(2) == 0 {
		g.fresh++
		element := fmt.Sprint(g.fresh)
		if !g.unique {
			element = fmt.Sprint(g.r.IntN(3))
		}
		op.F, op.Input, op.Output = "enqueue", json.RawMessage(element), json.RawMessage(element)
		switch happens := g.happens(op); {
		case !happens || g.r.IntN(20) == 0:
		case g.r.IntN(8) == 0:
			g.list = slices.Insert(g.list, 0, element)
		default:
			g.list = append(g.list, element)
		}
		return
	}
	op.F, op.Output = "dequeue", json.RawMessage("null")
	switch {
	case g.r.IntN(8) == 0:
		op.Output = json.RawMessage(fmt.Sprint(1 + g.r.IntN(g.fresh+1)))
	case len(g.list) > 0 && g.r.IntN(9) != 0 && g.happens(op):
		op.Output = json.RawMessage(g.list[0])
		if g.r.IntN(15) != 0 {
			g.list = g.list[1:]
		}
	}
}

// unanswered counts the dequeues of unknown outcome, for each of which a witness may have to have an element that it can
// have taken.
func unanswered(ops []history.Op) int {
	n := 0
	for _, op := range ops {
		if op.F == "dequeue" && op.Type == history.Info {
			n++
		}
	}
	return n
}

// queueHistory is one of unique elements.
func queueHistory(r *rand.Rand) []history.Op {
	s := sequential{Queue(), applyQueue, (*randomSystem).queues, true}
	return s.history(r, 4+r.IntN(9), 1+r.IntN(5), 1+r.IntN(5), true)
}

func TestQueueOrderDecidesAllOfUniqueElements(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	bad := 0
	n := histories(t, 12_000)
	for range n {
		ops := queueHistory(r)
		p, err := parseQueue(pointers(ops))
		require.NoError(t, err)
		a := p.(*queueProblem).ordered(t.Context(), 0)
		want := plain(p)
		require.Equal(t, want, a.Result == legal, picture(ops))
		if want {
			require.NoError(t, p.Replay(a.Order), picture(ops))
			continue
		}
		bad++
		require.Equal(t, illegal, a.Result, picture(ops))
		require.False(t, plain(a.Part), picture(ops))
		calls := a.Part.(*queueProblem).calls
		require.True(t, slices.IsSortedFunc(calls, func(a, b queueCall) int { return cmp.Or(cmp.Compare(a.index, b.index), -1) }), "none is there twice")
	}
	t.Logf("%d of %d illegal", bad, n)
	require.Greater(t, bad, n/3)
	require.Less(t, bad, n*2/3)
}

// queueLoad is a queue under load: clients at once, some of whose calls have no answer. More is put in than taken out,
// but now and then it is emptied.
func queueLoad(n, clients int, unknown float64, seed uint64) []history.Op {
	r := rand.New(rand.NewPCG(seed, 9))
	all := load{ops: n, clients: clients, unknown: unknown}.times(r, "k")
	slices.SortFunc(all, func(a, b drawn) int { return int(min(max(a.point-b.point, -1), 1)) })
	var inside []int
	ops := make([]history.Op, 0, n)
	takes := 45
	for i, d := range all {
		op, happened := d.op, d.point != history.Never
		if i%1000 == 0 {
			takes = 45 + 20*(i/1000%2)
		}
		switch {
		case r.IntN(100) >= takes:
			op.F, op.Input = "enqueue", json.RawMessage(fmt.Sprint(i))
			if happened {
				inside = append(inside, i)
			}
		case len(inside) == 0 || !happened:
			op.F, op.Output = "dequeue", json.RawMessage("null")
		default:
			op.F, op.Output = "dequeue", json.RawMessage(fmt.Sprint(inside[0]))
			inside = inside[1:]
		}
		if op.Type == history.Info {
			op.Output = nil
		}
		ops = append(ops, op)
	}
	return numbered(ops)
}

// spoiled is ops with one element lost: two thirds on, somebody is said to have found nothing instead.
func spoiled(ops []history.Op) []history.Op {
	ops = slices.Clone(ops)
	for i := len(ops) * 2 / 3; ; i++ {
		if ops[i].F == "dequeue" && ops[i].Type == history.OK && string(ops[i].Output) != "null" {
			ops[i].Output = json.RawMessage("null")
			return ops
		}
	}
}

func TestQueuesUnderLoadAreDecided(t *testing.T) {
	for _, unknown := range []float64{0, 0.01, 0.1, 0.3} {
		for seed := range uint64(5) {
			ops := queueLoad(4_000, 30, unknown, seed)
			v := Linearizable(Queue(), Budget{}).Check(t.Context(), ops)
			require.NoError(t, v.Broken)
			require.Equal(t, Valid, v.Status, v.Reason)
			require.Contains(t, v.Engine, "queue order 1")

			if unknown == 0.3 {
				continue // so many dequeues without an answer can have taken anything
			}
			v = Linearizable(Queue(), Budget{}).Check(t.Context(), spoiled(ops))
			require.NoError(t, v.Broken)
			require.Equal(t, Invalid, v.Status, v.Reason)
			if unknown == 0 {
				require.LessOrEqual(t, len(v.Findings[0].Ops), 6, v.Findings[0].Text)
			}
			t.Log(unknown, len(v.Findings[0].Ops), v.Findings[0].Rule, v.Findings[0].Text)
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	ops := queueLoad(1_000_000, 30, 0.01, 1)
	b.Run("1M-one-key-30-clients-1%-unknown", func(b *testing.B) { measured(b, Queue(), ops, Valid) })
	ops = spoiled(ops)
	b.Run("1M-one-key-30-clients-1%-unknown-lost", func(b *testing.B) { measured(b, Queue(), ops, Invalid) })
}
