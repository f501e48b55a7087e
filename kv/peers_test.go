//go:build linux

package kv_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"
)

// The side-by-side benchmark's size. Each round starts a cluster on empty disks, fills it, loads it and
// takes it down, one store after the other, so that a noisy machine is noisy for all.
const (
	peerRounds  = 3
	peerNodes   = 3
	peerClients = 16
	peerLoad    = 5 * time.Second
)

// peer is a store that takes part, as its own program on its own defaults: nothing is tuned, and all of
// them sync their log.
type peer struct {
	name   string
	module string // directory of the module that pins its version
	pkg    string
	load   []string // arguments of the load that say how to speak to it
	args   func(id int, dir string, clients, nodes []string) []string
}

var peers = []peer{
	{
		name: "kv", module: "..", pkg: "./cmd/kvnode", load: []string{"--protocol", "http", "--prefix", "/kv"},
		args: func(id int, dir string, clients, _ []string) []string {
			return []string{
				"--id", fmt.Sprint(id), "--dir", filepath.Join(dir, "data"), "--peers", numbered("%d=%s", clients),
			}
		},
	},
	{
		name: "etcd", module: "../systems/testdata/peers/etcd", pkg: "go.etcd.io/etcd/server/v3",
		load: []string{"--protocol", "etcd"},
		args: func(id int, dir string, clients, nodes []string) []string {
			return []string{
				"--name", fmt.Sprintf("n%d", id), "--data-dir", filepath.Join(dir, "data"), "--log-level", "warn",
				"--listen-client-urls", "http://" + clients[id-1], "--advertise-client-urls", "http://" + clients[id-1],
				"--listen-peer-urls", "http://" + nodes[id-1], "--initial-advertise-peer-urls", "http://" + nodes[id-1],
				"--initial-cluster", numbered("n%d=http://%s", nodes),
			}
		},
	},
	{
		name: "raftexample", module: "../systems/testdata/peers/raftexample", pkg: "go.etcd.io/etcd/v3/contrib/raftexample",
		load: []string{"--protocol", "http"},
		args: func(id int, _ string, clients, nodes []string) []string {
			_, port, _ := net.SplitHostPort(clients[id-1])
			urls := "http://" + strings.Join(nodes, ",http://")
			return []string{"--id", fmt.Sprint(id), "--port", port, "--cluster", urls}
		},
	},
}

// figures are of one round, or medians of several.
type figures struct {
	Ops, Failed                            int
	Failure                                string
	Seconds, CPUSeconds                    float64 // of the load
	SettleSeconds                          float64 // from its end until all that was acknowledged was applied
	PutP50µs, PutP99µs, GetP50µs, GetP99µs float64
	memory                                 memory
	nodeCPU                                time.Duration // of all nodes
}

// peerColumns are the figures that are reported.
var peerColumns = []struct {
	name string
	of   func(f figures) float64
}{
	{"op/s", func(f figures) float64 { return float64(f.Ops) / f.Seconds }},
	{"settled-op/s", func(f figures) float64 { return float64(f.Ops) / (f.Seconds + f.SettleSeconds) }},
	{"get-p50-µs", func(f figures) float64 { return f.GetP50µs }},
	{"get-p99-µs", func(f figures) float64 { return f.GetP99µs }},
	{"put-p50-µs", func(f figures) float64 { return f.PutP50µs }},
	{"put-p99-µs", func(f figures) float64 { return f.PutP99µs }},
	{"node-cpu-µs/op", func(f figures) float64 { return float64(f.nodeCPU.Microseconds()) / float64(f.Ops) }},
	{"load-cpu-µs/op", func(f figures) float64 { return f.CPUSeconds * 1e6 / float64(f.Ops) }},
	{"RSS-MiB", func(f figures) float64 { return f.memory.rss }},
	{"peak-RSS-MiB", func(f figures) float64 { return f.memory.peak }},
	{"anon-MiB", func(f figures) float64 { return f.memory.anon }},
	{"PSS-MiB", func(f figures) float64 { return f.memory.pss }},
	{"errors", func(f figures) float64 { return float64(f.Failed) }},
}

// BenchmarkPeers sets kv beside etcd and raftexample: 3 nodes here, 16 clients spread over them, each with
// a connection and one operation open, half gets and half puts of 100 bytes over 1,000 keys that exist.
// Memory is the mean of the nodes when the load ends.
//
// What is compared is what a client sees. What is not alike: raftexample acknowledges a put before it is
// committed and answers a get from the node's own map, so it promises much less than the other two, which
// are linearizable, and its puts do not wait for a disk; settled-op/s counts the time until all that was
// acknowledged has been applied. etcd keeps every revision, with leases, watches and authentication at
// hand. The protocols differ (HTTP/1.1, gRPC), so the load, one program for all, reports its own processor
// time. All share one disk, in TMPDIR; a file system in memory is refused.
//
// It fetches its rivals from the module proxy: go test -run '^$' -bench Peers -timeout 20m ./kv
func BenchmarkPeers(b *testing.B) {
	requireDisk(b, b.TempDir())
	bin := b.TempDir()
	build(b, "../systems/testdata/peers/etcd", filepath.Join(bin, "load"), ".")
	for _, p := range peers {
		build(b, p.module, filepath.Join(bin, p.name), p.pkg)
	}
	seen := make(map[string][]figures)
	for round := range peerRounds {
		for _, p := range peers {
			b.Run(fmt.Sprintf("%s/round=%d", p.name, round+1), func(b *testing.B) {
				for b.Loop() {
					f := measurePeer(b, p, bin, round)
					seen[p.name] = append(seen[p.name], f)
					for _, c := range peerColumns {
						b.ReportMetric(c.of(f), c.name)
					}
					b.ReportMetric(0, "ns/op")
				}
			})
		}
	}
	fmt.Print("\nmedians of all rounds\n", peerTable(seen), "\n") // a benchmark with parts has no log of its own
}

// peerTable sets the medians of all rounds side by side.
func peerTable(seen map[string][]figures) string {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, p := range peers {
		_, _ = fmt.Fprintf(t, "\t%s", p.name)
	}
	_, _ = fmt.Fprintln(t, "\t")
	for _, c := range peerColumns {
		_, _ = fmt.Fprint(t, c.name)
		for _, p := range peers {
			var all []float64
			for _, f := range seen[p.name] {
				all = append(all, c.of(f))
			}
			if slices.Sort(all); len(all) > 0 { // none if -bench has left it out
				_, _ = fmt.Fprintf(t, "\t%.1f", all[len(all)/2])
			}
		}
		_, _ = fmt.Fprintln(t, "\t")
	}
	_ = t.Flush()
	return text.String()
}

// measurePeer is one store's turn in one round.
func measurePeer(b *testing.B, p peer, bin string, round int) figures {
	dir := b.TempDir()
	clients, nodes := freeAddrs(b, peerNodes), freeAddrs(b, peerNodes)
	var pids []int
	for id := 1; id <= peerNodes; id++ {
		home := filepath.Join(dir, fmt.Sprint(id))
		require.NoError(b, os.Mkdir(home, 0o750))
		pid, kill := startPeer(b, home, filepath.Join(bin, p.name), p.args(id, home, clients, nodes))
		defer kill()
		pids = append(pids, pid)
	}
	load := func(more ...string) []byte {
		args := slices.Concat(p.load, []string{
			"--nodes", strings.Join(clients, ","), "--clients", fmt.Sprint(peerClients),
		}, more)
		cmd := exec.CommandContext(b.Context(), filepath.Join(bin, "load"), args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(b, err, "%s, load: %s; %s", p.name, &stderr, lastWords(dir))
		return out
	}
	load("--for", "0")
	before := cpuOf(b, pids)
	out := load("--for", peerLoad.String(), "--seed", fmt.Sprint(round+1))
	var f figures
	f.nodeCPU = cpuOf(b, pids) - before
	f.memory = memoryOf(b, pids)
	require.NoError(b, json.Unmarshal(out, &f), "%s", out)
	require.Positive(b, f.Ops, "%s: %s", f.Failure, lastWords(dir))
	if f.Failed > 0 {
		b.Logf("%d operations failed, the first: %s", f.Failed, f.Failure)
	}
	return f
}

// startPeer starts one node in its own directory, where it leaves its output. The node dies with this
// process, if kill has not been called before.
func startPeer(b *testing.B, home, program string, args []string) (pid int, kill func()) {
	out, err := os.Create(filepath.Join(home, "output"))
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = home, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(b, cmd.Start())
	return cmd.Process.Pid, func() {
		cancel()
		_ = cmd.Wait() // killed
		_ = out.Close()
	}
}

// lastWords is the end of every node's output.
func lastWords(dir string) string {
	var text strings.Builder
	files, _ := filepath.Glob(filepath.Join(dir, "*", "output"))
	for _, name := range files {
		out, _ := os.ReadFile(name)
		_, _ = fmt.Fprintf(&text, "\n%s:\n%s", name, out[max(0, len(out)-500):])
	}
	return text.String()
}

// build compiles a program of a module with the toolchain of this one.
func build(b *testing.B, module, program, pkg string) {
	out, err := exec.CommandContext(b.Context(), "go", "build", "-C", module, "-o", program, pkg).CombinedOutput()
	require.NoError(b, err, "build %s: %s", pkg, out)
}

// freeAddrs are addresses on loopback where nobody listened a moment ago.
func freeAddrs(b *testing.B, n int) (addrs []string) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		defer func() { require.NoError(b, l.Close()) }() // all at once: no address twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// numbered formats a number from 1 and each item, with commas in between.
func numbered(format string, items []string) string {
	var list []string
	for i, item := range items {
		list = append(list, fmt.Sprintf(format, i+1, item))
	}
	return strings.Join(list, ",")
}
