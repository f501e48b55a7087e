package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"

	"ordeal/cluster"
	"ordeal/history"
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
type kvSystem struct{ binary string }

// NewKV is the reference KV, run from o.Binary or from this very program.
func NewKV(o Options) System { return kvSystem{o.Binary} }

func (kvSystem) Name() string { return "kv" }

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
	return &kvClient{node: n, conn: httpConn{addr: kvAddr(n)}}, nil
}

func kvAddr(n cluster.NodeSpec) string { return kvAddrOf(n.Addr) }

func kvAddrOf(addr netip.Addr) string { return netip.AddrPortFrom(addr, kvPort).String() }

// kvClient speaks the HTTP API. A value of the history is stored as its JSON text.
type kvClient struct {
	node cluster.NodeSpec
	conn httpConn
}

func (c *kvClient) Close() error { c.conn.close(); return nil }

// Invoke sends read, write or cas.
func (c *kvClient) Invoke(ctx context.Context, op history.Event) (history.Event, error) {
	method, target, body, err := kvRequest(op)
	if err != nil {
		return unanswered(op, fmt.Errorf("%w: %w", history.ErrNotApplied, err))
	}
	a, err := c.conn.do(ctx, method, target, body)
	if err != nil {
		return unanswered(op, err)
	}
	return c.complete(op, a)
}

// unanswered is the completion of an operation that the system said nothing about; it must not carry the
// invocation's value, which would read as an answer.
func unanswered(op history.Event, err error) (history.Event, error) {
	op.Value = nil
	return op, err
}

func kvRequest(op history.Event) (method, target string, body []byte, err error) {
	target = "/kv/" + url.PathEscape(op.Key)
	switch op.F {
	case "read":
		return http.MethodGet, target, nil, nil
	case "write":
		return http.MethodPut, target, op.Value, nil
	case "cas":
		var pair [2]json.RawMessage
		if err := json.Unmarshal(op.Value, &pair); err != nil {
			return "", "", nil, fmt.Errorf("cas value %s: %w", op.Value, err)
		}
		if string(pair[0]) == "null" {
			return http.MethodPut, target + "?absent", pair[1], nil
		}
		return http.MethodPut, target + "?old=" + url.QueryEscape(string(pair[0])), pair[1], nil
	}
	return "", "", nil, fmt.Errorf("kv has no operation %q", op.F)
}

// complete turns an answer into the operation's completion.
func (c *kvClient) complete(op history.Event, a answer) (history.Event, error) {
	op.Node = c.node.ID
	op.Term, _ = strconv.ParseUint(a.header.Get("Kv-Term"), 10, 64)
	op.Revision, _ = strconv.ParseUint(a.header.Get("Kv-Revision"), 10, 64)
	switch {
	case a.status == http.StatusOK && op.F == "read":
		op.Value = jsonValue(a.body)
		return op, nil
	case a.status == http.StatusOK:
		return op, nil
	case a.status == http.StatusNotFound && op.F == "read" && a.header.Get("Kv-Found") == "false":
		op.Value = json.RawMessage("null")
		return op, nil
	case a.status == http.StatusPreconditionFailed && op.F == "cas":
		op.Value = json.RawMessage("null")
		if a.header.Get("Kv-Found") == "true" {
			op.Value = jsonValue(a.body)
		}
		return op, fmt.Errorf("%w: the value is another", history.ErrNotApplied)
	}
	return unanswered(op, kvError(a))
}

// kvError is the error that a node answered with; only its own promise makes it definite.
func kvError(a answer) error {
	var body struct {
		Error, Code string
		Definite    bool
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return fmt.Errorf("status %d with a body that is no JSON", a.status)
	}
	if body.Definite {
		return fmt.Errorf("%w: %s", history.ErrNotApplied, body.Code)
	}
	return errors.New(body.Code)
}

// jsonValue is a stored value as JSON: a node may hand back anything.
func jsonValue(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	text, _ := json.Marshal(string(body)) // a string always can
	return text
}
