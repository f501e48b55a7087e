package adya

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// load is a run of transactions of 1 to 4 micro-operations over keys that rotate, by clients that are busy all the
// time, 1 % of them of unknown outcome.
type load struct {
	txns, clients, keys int
	stale               bool // one transaction in the middle reads what was there long before
}

const benchMicrosPerKey = 100

func (l load) history(seed uint64) []history.Op {
	r := rand.New(rand.NewPCG(seed, 5))
	type drawn struct {
		op    history.Op
		point time.Duration
	}
	free := make([]time.Duration, l.clients)
	all := make([]drawn, l.txns)
	for i := range all {
		c := i % l.clients
		call := free[c] + time.Duration(r.IntN(1000))
		point := call + time.Duration(r.IntN(100_000))
		op := history.Op{Process: c, F: "txn", Type: history.OK, Call: call, Return: point + time.Duration(r.IntN(100_000))}
		op.Ended, free[c] = op.Return, op.Return+1
		all[i] = drawn{op, point}
	}
	slices.SortFunc(all, func(a, b drawn) int { return int(a.point - b.point) })
	lists := make(map[string][]byte)
	sent := make([]int, l.keys)
	for i := range all {
		op := &all[i].op
		happens := true
		if r.IntN(100) == 0 {
			op.Type, op.Return, happens = history.Info, history.Never, r.IntN(2) == 0
		}
		in, out := []byte{'['}, []byte{'['}
		for m := range 1 + r.IntN(4) {
			if m > 0 {
				in, out = append(in, ','), append(out, ',')
			}
			k := r.IntN(l.keys)
			sent[k]++
			key := fmt.Sprintf("k%d", sent[k]/benchMicrosPerKey*l.keys+k)
			if r.IntN(2) == 0 {
				text := fmt.Appendf(nil, `["append",%q,%d]`, key, sent[k])
				in, out = append(in, text...), append(out, text...)
				if happens {
					lists[key] = fmt.Appendf(lists[key], ",%d", sent[k])
				}
				continue
			}
			in = fmt.Appendf(in, `["r",%q,null]`, key)
			list := lists[key]
			if l.stale && i > l.txns/2 && len(list) > 40 && op.Type == history.OK {
				list, l.stale = list[:0], false
			}
			out = fmt.Appendf(out, `["r",%q,[%s]]`, key, list[min(1, len(list)):])
		}
		op.Input = json.RawMessage(append(in, ']'))
		if op.Type == history.OK {
			op.Output = json.RawMessage(append(out, ']'))
		}
	}
	slices.SortFunc(all, func(a, b drawn) int { return int(a.op.Call - b.op.Call) })
	ops := make([]history.Op, len(all))
	for i := range all {
		ops[i] = all[i].op
		ops[i].Index = i
	}
	return ops
}

func TestALongRun(t *testing.T) {
	for _, stale := range []bool{false, true} {
		ops := load{txns: 20_000, clients: 20, keys: 10, stale: stale}.history(1)
		v := Transactions(checker.Budget{}).Check(t.Context(), ops)
		require.NoError(t, v.Broken)
		if !stale {
			require.Equal(t, checker.Valid, v.Status, v.Reason)
			continue
		}
		require.Equal(t, checker.Invalid, v.Status)
		require.Len(t, v.Findings, 1)
		require.LessOrEqual(t, len(v.Findings[0].Ops), 3, v.Findings[0].Text)
	}
}

// TestALongCycle: each transaction misses what the next one appended, all at one moment.
func TestALongCycle(t *testing.T) {
	const n = 100_000
	ops := make([]history.Op, n)
	for i := range ops {
		own, other := i, (i+1)%n
		ops[i] = history.Op{Index: i, Process: i, F: "txn", Type: history.OK,
			Input:  fmt.Appendf(nil, `[["append",%d,1],["r",%d,null]]`, own, other),
			Output: fmt.Appendf(nil, `[["append",%d,1],["r",%d,[]]]`, own, other)}
	}
	v := Transactions(checker.Budget{}).Check(t.Context(), ops)
	require.NoError(t, v.Broken)
	require.Equal(t, checker.Invalid, v.Status)
	require.Contains(t, v.Findings[0].Text, "100000 transactions have no order")
	require.Less(t, len(v.Findings[0].Text), 1000)
	ops[n-1].Output = fmt.Appendf(nil, `[["append",%d,1],["r",0,[1]]]`, n-1)
	v = Transactions(checker.Budget{}).Check(t.Context(), ops)
	require.Equal(t, checker.Valid, v.Status, v.Reason)
}

// BenchmarkTransactions tells the time per transaction, and what the check allocates and holds beside the history.
func BenchmarkTransactions(b *testing.B) {
	for _, l := range []load{
		{txns: 100_000, clients: 20, keys: 10}, {txns: 100_000, clients: 20, keys: 10, stale: true},
		{txns: 1_000_000, clients: 20, keys: 10}, {txns: 1_000_000, clients: 20, keys: 10, stale: true},
		{txns: 1_000_000, clients: 100, keys: 30},
	} {
		b.Run(fmt.Sprintf("txns=%d/clients=%d/stale=%v", l.txns, l.clients, l.stale), func(b *testing.B) {
			ops := l.history(1)
			want := checker.Valid
			if l.stale {
				want = checker.Invalid
			}
			var peak uint64
			for b.Loop() {
				runtime.GC()
				before := held()
				watch := watchMemory()
				v := Transactions(checker.Budget{}).Check(b.Context(), ops)
				peak = max(peak, watch()-before)
				require.Equal(b, want, v.Status, v.Reason)
			}
			b.ReportMetric(float64(peak>>20), "peak-MiB")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(l.txns), "ns/txn")
		})
	}
}

func held() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchMemory measures the largest heap until the function that it returns is called.
func watchMemory() func() uint64 {
	stop, peak := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		most := held()
		for {
			select {
			case <-tick.C:
				most = max(most, held())
			case <-stop:
				peak <- max(most, held())
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-peak
	}
}
