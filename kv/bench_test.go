package kv

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func BenchmarkGetPut(b *testing.B) {
	for _, clients := range []int{1, 20} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { benchmarkGetPut(b, clients) })
	}
}

// benchmarkGetPut is the load of BENCHMARKS.md: half linearizable gets, half puts of 100 bytes, spread
// over all nodes.
func benchmarkGetPut(b *testing.B, clients int) {
	c := newCluster(b, 3, nil)
	value := string(bytes.Repeat([]byte("v"), 100))
	for id := range c.peers {
		c.must(http.StatusOK, id, http.MethodPut, "/kv/warm", value)
	}
	var left, bad atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	begin, cpu := time.Now(), cpuTime(b)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			id := uint64(i%3) + 1
			for left.Add(-1) >= 0 {
				n := left.Load()
				method, path := http.MethodGet, fmt.Sprintf("/kv/key-%d", n/2%1000)
				if n%2 == 0 {
					method = http.MethodPut
				}
				if code, _, _ := c.do(id, method, path, value); code != http.StatusOK && code != http.StatusNotFound {
					bad.Add(1)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "op/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op") // clients included
	b.ReportMetric(float64(bad.Load()), "errors")
}

// cpuTime is what this process has used; unlike op/s it means something on a busy machine.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
