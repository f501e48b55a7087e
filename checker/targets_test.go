package checker

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"ordeal/history"
)

// BenchmarkTargets measures what CHECKING.md sets targets for: the time of a whole check without Porcupine beside it, and
// the most memory that it held above the history.
func BenchmarkTargets(b *testing.B) {
	for _, bench := range []struct {
		name string
		load load
		want Status
	}{
		{"1M-one-key-10-clients", load{keys: 1, ops: 1_000_000, clients: 10}, Valid},
		{"1M-one-key-100-clients-5%-unknown", load{keys: 1, ops: 1_000_000, clients: 100, unknown: 0.05}, Valid},
		{"1M-one-key-100-clients-5%-unknown-stale", load{keys: 1, ops: 1_000_000, clients: 100, unknown: 0.05, stale: 1}, Invalid},
		{"10M-one-key-100-clients-5%-unknown", load{keys: 1, ops: 10_000_000, clients: 100, unknown: 0.05}, Valid},
		{"1M-4000-keys-10-clients-5%-unknown", load{keys: 4000, ops: 250, clients: 10, unknown: 0.05}, Valid},
	} {
		b.Run(bench.name, func(b *testing.B) {
			if testing.Short() && bench.load.ops > 1_000_000 {
				b.Skip("short")
			}
			measured(b, Register(), bench.load.history(1), bench.want)
		})
	}
}

func measured(b *testing.B, m Model, ops []history.Op, want Status) {
	b.Helper()
	check := Linearizable(m, Budget{CrossCheck: CrossCheckOff})
	judge := func() {
		if v := check.Check(b.Context(), ops); v.Status != want || len(v.Findings) > 0 && len(v.Findings[0].Ops) > 6 {
			b.Fatal(v.Status, v.Reason, v.Findings)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		judge()
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1)) // so that the heap is little more than what is held
	meter := newMeter()
	judge()
	b.ReportMetric(float64(meter.stop())/(1<<20), "held-MiB")
	runtime.KeepAlive(ops)
}

// meter watches how much the heap holds above what it held at first.
type meter struct {
	base, peak uint64
	done       chan struct{}
	wg         sync.WaitGroup
}

func newMeter() *meter {
	runtime.GC()
	m := &meter{done: make(chan struct{})}
	m.base = heap()
	m.peak = m.base
	m.wg.Go(func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				m.peak = max(m.peak, heap())
			case <-m.done:
				return
			}
		}
	})
	return m
}

func (m *meter) stop() uint64 {
	close(m.done)
	m.wg.Wait()
	return max(m.peak, heap()) - m.base
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapInuse
}

// BenchmarkSearch decides a million operations in keys of 250 by search: ours with what a register can be simplified
// by, ours alone, and Porcupine, which gets half a second a key and tells how many it decided.
func BenchmarkSearch(b *testing.B) {
	const memory = 1 << 29
	var keys []*registerProblem
	for _, k := range byKey(load{keys: 4000, ops: 250, clients: 10}.history(1)) {
		p, err := parseRegister(k.ops)
		if err != nil {
			b.Fatal(err)
		}
		keys = append(keys, p.(*registerProblem))
	}
	for _, bench := range []struct {
		name   string
		decide func(p *registerProblem) result
	}{
		{"simplified", func(p *registerProblem) result { return p.searched(b.Context(), memory).Result }},
		{"alone", func(p *registerProblem) result {
			_, r := wgl(b.Context(), p.calls, register(), memory)
			return r
		}},
		{"porcupine", func(p *registerProblem) result {
			ctx, cancel := context.WithTimeout(b.Context(), time.Second/2)
			defer cancel()
			return search(ctx, p, memory)
		}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				var decided atomic.Int64
				var pool errgroup.Group
				pool.SetLimit(runtime.GOMAXPROCS(0))
				for _, p := range keys {
					pool.Go(func() error {
						if bench.decide(p) == legal {
							decided.Add(1)
						}
						return nil
					})
				}
				_ = pool.Wait() // none fails
				b.ReportMetric(float64(decided.Load()), "decided")
			}
		})
	}
}

// BenchmarkBudget tells what a check takes of its budget that it cannot do with: one of time, one of memory.
func BenchmarkBudget(b *testing.B) {
	for name, budget := range map[string]Budget{
		"time":   {Time: 2 * time.Second, KeyTime: time.Second, Memory: 8 << 30},
		"memory": {Memory: 128 << 20},
	} {
		b.Run(name, func(b *testing.B) {
			defer debug.SetGCPercent(debug.SetGCPercent(1))
			ops := hard("k", 16)
			var took time.Duration
			var held uint64
			for b.Loop() {
				m, start := newMeter(), time.Now()
				if v := Linearizable(Register(), budget).Check(b.Context(), ops); v.Status != Unknown {
					b.Fatal(v.Status)
				}
				took, held = max(took, time.Since(start)), max(held, m.stop())
			}
			b.ReportMetric(float64(took)/float64(cmp.Or(budget.KeyTime, defaultKeyTime))*100, "%-of-time")
			b.ReportMetric(float64(held)/float64(budget.Memory)*100, "%-of-memory")
		})
	}
}
