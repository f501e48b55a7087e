package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// load is the shape of a run of the register workload.
type load struct {
	keys, ops int     // ops a key
	clients   int     // at a time on one key
	unknown   float64 // share of operations
	stale     int     // keys with a stale read
}

// history draws a run: every operation takes effect at a random moment of its interval, one of
// unknown outcome at any time after its call or never, also after its client gave up.
func (l load) history(seed uint64) []history.Op {
	r := rand.New(rand.NewPCG(seed, 7))
	var all []history.Op
	for k := range l.keys {
		all = append(all, l.key(r, fmt.Sprintf("k%d", k), k < l.stale)...)
	}
	for i := range all {
		all[i].Index = i
	}
	return all
}

// drawn is an operation and the moment at which it takes effect.
type drawn struct {
	op    history.Op
	point time.Duration
}

func (l load) key(r *rand.Rand, key string, stale bool) []history.Op {
	ops := l.times(r, key)
	slices.SortFunc(ops, func(a, b drawn) int { return cmp.Compare(a.point, b.point) })
	stales := 0
	if stale {
		stales = 3 // not each of them is one: the two writes may have been concurrent
	}
	state, before, changed := "null", "null", history.Never // changed: when state had surely replaced before
	for i := range ops {
		op := &ops[i].op
		fresh := fmt.Sprintf(`"%s-%d"`, key, i+1)
		switch kind := r.IntN(10); {
		case kind < 5:
			op.F, op.Output = "read", json.RawMessage(state)
			if stales > 0 && i > len(ops)/2 && op.Return-1 > changed && op.Type == history.OK {
				op.Output, stales = json.RawMessage(before), stales-1
				op.Call = op.Return - 1
			}
			if op.Type == history.Info {
				op.Output = nil
			}
			continue
		case kind < 8:
			op.F, op.Input = "write", json.RawMessage(fresh)
		default:
			op.F, op.Input = "cas", json.RawMessage("["+state+","+fresh+"]")
		}
		if ops[i].point != history.Never {
			before, state, changed = state, fresh, op.Return
		}
	}
	slices.SortFunc(ops, func(a, b drawn) int { return cmp.Compare(a.op.Call, b.op.Call) })
	var out []history.Op
	for _, d := range ops {
		out = append(out, d.op)
	}
	return out
}

func (l load) times(r *rand.Rand, key string) []drawn {
	const ms = time.Millisecond
	free, process := make([]time.Duration, l.clients), make([]int, l.clients)
	for c := range process {
		process[c] = c
	}
	var ops []drawn
	for range l.ops {
		c := slices.Index(free, slices.Min(free))
		call := free[c] + time.Duration(r.Int64N(int64(ms/2)))
		took := time.Duration(r.ExpFloat64()*float64(2*ms)) + ms/10
		d := drawn{op: history.Op{Process: process[c], Key: key, Node: fmt.Sprintf("n%d", 1+c%5), Type: history.OK, Call: call,
			Return: call + took, Ended: call + took}, point: call + time.Duration(r.Int64N(int64(took)))}
		free[c] = d.op.Return
		if r.Float64() < l.unknown {
			d.op.Type, d.op.Return, d.op.Ended = history.Info, history.Never, call+500*ms
			d.point = call + time.Duration(r.Int64N(int64(800*ms)))
			if r.IntN(2) == 0 {
				d.point = history.Never
			}
			process[c] += l.clients
			free[c] = call + time.Duration(r.Int64N(int64(20*ms))) // not 500: they would all be waiting
		}
		ops = append(ops, d)
	}
	return ops
}

func BenchmarkLinearizable(b *testing.B) {
	for _, bench := range []struct {
		name string
		load load
		want Status
	}{
		{"typical-150k-ops-750-keys", load{keys: 750, ops: 200, clients: 5, unknown: 0.03}, Valid},
		{"typical-10-stale-keys", load{keys: 750, ops: 200, clients: 5, unknown: 0.03, stale: 10}, Invalid},
		{"20-clients-a-key", load{keys: 100, ops: 200, clients: 20, unknown: 0.03}, Valid},
		{"20-clients-a-key-stale", load{keys: 10, ops: 200, clients: 20, unknown: 0.03, stale: 1}, Invalid},
		{"one-key-10k-ops-5-clients", load{keys: 1, ops: 10_000, clients: 5, unknown: 0.01}, Valid},
		{"one-key-10k-ops-5-clients-stale", load{keys: 1, ops: 10_000, clients: 5, unknown: 0.01, stale: 1}, Invalid},
	} {
		b.Run(bench.name, func(b *testing.B) {
			ops := bench.load.history(1)
			b.ReportAllocs()
			for b.Loop() {
				v := Linearizable(Register(), Budget{}).Check(b.Context(), ops)
				if v.Status != bench.want {
					b.Fatal(v.Status, v.Reason)
				}
				for i, f := range v.Findings {
					if len(f.Ops) > 6 || i == 0 {
						b.Log(f.Rule, f.Text, f.Ops, "\n"+picture(pick(ops, f.Ops)))
					}
				}
			}
		})
	}
}

func TestTypicalRunIsDecided(t *testing.T) {
	for seed := range uint64(3) {
		ops := load{keys: 40, ops: 200, clients: 6, unknown: 0.05, stale: 4}.history(seed)
		v := Linearizable(Register(), Budget{}).Check(t.Context(), ops)
		require.Equal(t, Invalid, v.Status, v.Reason)
		require.NotContains(t, v.Reason, "undecided")
		for _, f := range v.Findings {
			require.LessOrEqual(t, len(f.Ops), 8, f.Text)
			if f.Rule == ruleOther {
				t.Error(picture(pick(ops, f.Ops)))
			}
		}
	}
}
