package ordeal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal"
	"ordeal/checker"
	"ordeal/cluster"
	"ordeal/history"
	"ordeal/nemesis"
	"ordeal/workloads"
)

// memory is a system that Ordeal knows nothing about: one node, which keeps registers in a map. It tells
// neither leader nor state and keeps no apply log. It is correct as long as nobody kills it.
type memory struct{}

const memoryEnv = "ORDEAL_TEST_MEMORY" // where a node of it listens

// request is an operation on the wire; the answer is the value after it, with status 409 if a cas failed.
type request struct {
	F, Key     string
	Old, Value json.RawMessage
}

func (memory) Name() string { return "memory" }

func (memory) Command(n cluster.NodeSpec) (cluster.Command, error) {
	self, err := os.Executable()
	return cluster.Command{Path: self, Env: []string{memoryEnv + "=" + address(n)}}, err
}

func (memory) Ready(ctx context.Context, n cluster.NodeSpec) error {
	_, err := memoryClient{n}.Invoke(ctx, history.Event{F: "read", Key: "ready"})
	return err
}

func (memory) Dial(_ context.Context, n cluster.NodeSpec) (workloads.Client, error) {
	return memoryClient{n}, nil
}

func address(n cluster.NodeSpec) string { return fmt.Sprintf("%s:80", n.Addr) }

type memoryClient struct{ node cluster.NodeSpec }

func (c memoryClient) Close() error { return nil }

func (c memoryClient) Invoke(ctx context.Context, op history.Event) (history.Event, error) {
	r := request{F: op.F, Key: op.Key, Value: op.Value}
	if op.F == "cas" {
		var pair [2]json.RawMessage
		if err := json.Unmarshal(op.Value, &pair); err != nil {
			return op, err
		}
		r.Old, r.Value = pair[0], pair[1]
	}
	body, err := json.Marshal(r)
	if err != nil {
		return op, err
	}
	// A POST on a connection of its own: net/http sends it once.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address(c.node), nil)
	if err != nil {
		return op, err
	}
	req.Header.Set("Op", string(body))
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return op, err
	}
	defer func() { _ = res.Body.Close() }()
	var now json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&now); err != nil {
		return op, err
	}
	switch {
	case res.StatusCode == http.StatusConflict:
		op.Value = now
		return op, history.ErrNotApplied
	case op.F == "read":
		op.Value = now
	}
	return op, nil
}

// serveMemory is a node.
func serveMemory(addr string) error {
	var mu sync.Mutex
	values := map[string]json.RawMessage{}
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // a test's
		mu.Lock()
		defer mu.Unlock()
		var op request
		if err := json.Unmarshal([]byte(r.Header.Get("Op")), &op); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		now, ok := values[op.Key]
		if !ok {
			now = json.RawMessage("null")
		}
		switch {
		case op.F == "cas" && string(op.Old) != string(now):
			w.WriteHeader(http.StatusConflict)
		case op.F != "read":
			values[op.Key] = op.Value
			now = op.Value
		}
		_, _ = w.Write(now)
	}))
}

// TestForeignSystem: nothing is hard-wired to kv.
func TestForeignSystem(t *testing.T) {
	trial := func(t *testing.T, faults string) checker.Status {
		r := ordeal.Try(t, ordeal.Config{System: memory{}, Nodes: 1, Concurrency: 5, Faults: faults, Time: 5 * time.Second})
		return r.Verdict.Status
	}
	t.Run("what keeps its memory is linearizable", func(t *testing.T) {
		require.Equal(t, checker.Valid, trial(t, "pause"))
	})
	t.Run("what forgets is not", func(t *testing.T) {
		require.Equal(t, checker.Invalid, trial(t, "kill"))
	})
	t.Run("it is not asked for what it cannot do", func(t *testing.T) {
		lost := nemesis.Step{At: time.Second, For: time.Second, Fault: "member", Target: nemesis.One, Params: map[string]string{"how": "wipe"}}
		for _, c := range []ordeal.Config{
			{Faults: "kill@leader"}, {Faults: "pause,transfer"}, {Faults: "member"},
			{Schedule: &nemesis.Schedule{Steps: []nemesis.Step{lost}}},
		} {
			c.System = memory{}
			err := c.Check()
			var usage *ordeal.UsageError
			require.True(t, errors.As(err, &usage))
			require.ErrorContains(t, err, "does not tell who leads")
		}
		require.NoError(t, ordeal.Config{System: memory{}, Faults: "all"}.Check())
	})
}
