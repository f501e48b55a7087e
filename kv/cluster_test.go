package kv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cluster is some nodes in this process, on loopback, with their disks in a test's directory.
type cluster struct {
	t      testing.TB
	dir    string
	peers  map[uint64]string
	nodes  map[uint64]*Node
	tune   func(*Config)
	client *http.Client
	boots  uint64
}

func newCluster(t testing.TB, size int, tune func(*Config)) *cluster {
	c := &cluster{
		t: t, dir: t.TempDir(), peers: make(map[uint64]string), nodes: make(map[uint64]*Node), tune: tune,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second},
	}
	for id := range uint64(size) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c.peers[id+1] = l.Addr().String()
		require.NoError(t, l.Close())
	}
	for id := range c.peers {
		c.start(id)
	}
	t.Cleanup(func() {
		c.client.CloseIdleConnections()
		for id := range c.nodes {
			c.stop(id)
		}
	})
	return c
}

func (c *cluster) start(id uint64) {
	c.boots++
	cfg := Config{
		CoreConfig: CoreConfig{
			ID: id, Boot: c.boots, HeartbeatTicks: 2, ElectionTicks: 12, SnapshotEvery: 10_000,
			Logger: newLogger(io.Discard, id),
		},
		Peers: c.peers, Listen: c.peers[id],
		Dir:      filepath.Join(c.dir, strconv.FormatUint(id, 10)),
		ApplyLog: filepath.Join(c.dir, fmt.Sprintf("%d.apply.jsonl", id)),
		Tick:     25 * time.Millisecond, RequestTimeout: 2 * time.Second,
	}
	if c.tune != nil {
		c.tune(&cfg)
	}
	n, err := Start(cfg)
	require.NoError(c.t, err)
	c.nodes[id] = n
}

func (c *cluster) stop(id uint64) {
	require.NoError(c.t, c.nodes[id].Stop())
	delete(c.nodes, id)
}

// do sends one request to a node: the status code, the headers and the body. Code 0 is no answer.
func (c *cluster) do(id uint64, method, path, body string) (int, http.Header, string) {
	req, err := http.NewRequestWithContext(context.Background(), method, "http://"+c.peers[id]+path,
		bytes.NewReader([]byte(body)))
	require.NoError(c.t, err)
	res, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err.Error()
	}
	return res.StatusCode, res.Header, string(text)
}

// must repeats a request until it is answered with the code.
func (c *cluster) must(code int, id uint64, method, path, body string) (http.Header, string) {
	c.t.Helper()
	var h http.Header
	var text string
	require.Eventually(c.t, func() bool {
		var got int
		got, h, text = c.do(id, method, path, body)
		return got == code
	}, 20*time.Second, 5*time.Millisecond, "%s %s at node %d", method, path, id)
	return h, text
}

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
