package checker

import (
	"runtime"
	"sync"
	"testing"
	"time"

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
			measured(b, bench.load.history(1), bench.want)
		})
	}
}

func measured(b *testing.B, ops []history.Op, want Status) {
	b.Helper()
	check := Linearizable(Register(), Budget{CrossCheck: CrossCheckOff})
	var peak uint64
	for b.Loop() {
		b.StopTimer()
		m := newMeter()
		b.StartTimer()
		v := check.Check(b.Context(), ops)
		b.StopTimer()
		peak = max(peak, m.stop())
		if v.Status != want || len(v.Findings) > 0 && len(v.Findings[0].Ops) > 6 {
			b.Fatal(v.Status, v.Reason, v.Findings)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
	runtime.KeepAlive(ops)
}

// meter watches how much the heap holds above what it held at first, garbage that was not collected yet included.
type meter struct {
	base, peak uint64
	done       chan struct{}
	wg         sync.WaitGroup
}

func newMeter() *meter {
	runtime.GC()
	m := &meter{done: make(chan struct{})}
	m.base = heap()
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
	return max(m.peak, heap()) - min(m.base, m.peak)
}

func heap() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
