package systems

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"ordeal/cluster"
	"ordeal/internal/kvnode"
	"ordeal/workloads"
)

// kvPort is where a kv node listens, for clients and for its peers.
const kvPort = 7100

// kvSnapshotEvery is how many entries a node applies between snapshots. A trial applies tens of thousands:
// with so few, snapshots and compaction happen all the time, and who was away for a second needs one.
const kvSnapshotEvery = 500

// kvNode is the first argument that makes this program a kv node; see RunNode.
const kvNode = "kvnode"

// RunNode makes this process a node if args (os.Args) ask for it, and returns its exit code. A
// program that starts clusters calls it before it looks at its flags.
func RunNode(args []string) (code int, isNode bool) {
	if len(args) < 2 || args[1] != kvNode {
		return 0, false
	}
	return kvnode.Main(args[2:], os.Stdout, os.Stderr), true
}

// kvSystem is the reference KV; its HTTP API is documented in package kv.
type kvSystem struct {
	binary string
	reads  kvMode
}

// kvMode is what kv promises of a read of one key, as its API calls it; "" is linearizable.
type kvMode string

// NewKV is the reference KV, run from o.Binary or from this very program.
func NewKV(o Options) System { return kvSystem{binary: o.Binary} }

// NewKVLease is the same KV; its leader answers reads without asking anybody, as long as it thinks that it leads. That
// is wrong after a pause, or while another leads already.
func NewKVLease(o Options) System { return kvSystem{o.Binary, "lease"} }

// NewKVLocal is the same KV; each node answers reads from what it has, however old. One node's answers only
// become newer, until it starts again: which entries were committed it learns anew, so it may fall back.
func NewKVLocal(o Options) System { return kvSystem{o.Binary, "local"} }

func (s kvSystem) Name() string {
	if s.reads == "" {
		return "kv"
	}
	return "kv-" + string(s.reads)
}

func (s kvSystem) Command(n cluster.NodeSpec) (cluster.Command, error) {
	peers := make([]string, len(n.Peers))
	for i, p := range n.Peers {
		peers[i] = fmt.Sprintf("%d=%s", i+1, kvAddrOf(p.Addr))
	}
	args := []string{
		"--id", strconv.Itoa(n.Index), "--peers", strings.Join(peers, ","),
		"--dir", n.Dir, "--apply-log", n.ApplyLog,
		"--snapshot-every", strconv.Itoa(kvSnapshotEvery),
	}
	if s.binary != "" {
		return cluster.Command{Path: s.binary, Args: args}, nil
	}
	self, err := os.Executable()
	if err != nil {
		return cluster.Command{}, fmt.Errorf("find this program to run it as a node: %w", err)
	}
	return cluster.Command{Path: self, Args: append([]string{kvNode}, args...)}, nil
}

// WritesApplyLog marks kv as a system whose nodes keep apply logs.
func (kvSystem) WritesApplyLog() {}

func (s kvSystem) Dial(_ context.Context, n cluster.NodeSpec) (workloads.Client, error) {
	return newKVClient(n, s.reads), nil
}

func kvAddr(n cluster.NodeSpec) string { return kvAddrOf(n.Addr) }

func kvAddrOf(addr netip.Addr) string { return netip.AddrPortFrom(addr, kvPort).String() }
