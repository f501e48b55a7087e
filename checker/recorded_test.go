package checker

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// etcdLogs are the numbers of the logs of Jepsen's etcd test in Porcupine's test data: 000 to 102.
// 095 is empty, because etcd did not start, and Porcupine's tests leave it out.
const etcdLogs = 103

// etcdLegal are those that Porcupine's tests expect to be linearizable. All others are not.
var etcdLegal = []int{2, 5, 7, 18, 25, 31, 38, 45, 48, 49, 51, 53, 56, 67, 75, 76, 80, 87, 92, 98, 100, 101, 102}

// kvLogs are the logs of a key-value store, and what Porcupine's tests expect.
var kvLogs = []struct {
	name   string
	status Status
	ops    int
}{
	{"c01-ok", Valid, 58}, {"c01-bad", Invalid, 38}, {"c10-ok", Valid, 337}, {"c10-bad", Invalid, 405},
	{"c50-ok", Valid, 1712}, {"c50-bad", Invalid, 2024},
}

// recorded is where Porcupine's test data is.
func recorded(t testing.TB) string {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/anishathalye/porcupine").Output()
	require.NoError(t, err)
	return filepath.Join(strings.TrimSpace(string(dir)), "test_data")
}

func readOps(t testing.TB, file string) []history.Op {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	h, err := history.Load(filepath.Base(file), f)
	require.NoError(t, err)
	ops, err := history.Pair(h.Events)
	require.NoError(t, err, file)
	return ops
}

func etcdLog(dir string, n int) string {
	return filepath.Join(dir, "jepsen", fmt.Sprintf("etcd_%03d.log", n))
}

// etcdCall is an operation of the etcd test as Porcupine's tests model it, word for word: a cas that
// failed found another value than its old one, and nobody knows which.
type etcdCall struct {
	f         string
	from, to  string
	ok, maybe bool
}

func etcdModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "null" },
		Step: func(state, input, _ any) (bool, any) {
			c := input.(etcdCall)
			switch c.f {
			case "read":
				return c.maybe || c.from == state, state
			case "write":
				return true, c.to
			}
			legal := c.maybe || c.ok == (c.from == state)
			if c.from == state {
				return legal, c.to
			}
			return legal, state
		},
	}
}

// etcdOperations are ops for etcdModel; what returns never returns after everything else.
func etcdOperations(t testing.TB, ops []history.Op) (calls []porcupine.Operation) {
	for _, op := range ops {
		c := etcdCall{f: op.F, ok: op.Type == history.OK, maybe: op.Type == history.Info}
		switch op.F {
		case "read":
			if op.Type != history.OK {
				continue
			}
			c.from = string(op.Output)
		case "write":
			c.to = string(op.Input)
		case "cas":
			from, to, ok := history.CASValue(op.Input)
			require.True(t, ok)
			c.from, c.to = string(from), string(to)
		}
		calls = append(calls, porcupine.Operation{ClientId: op.Index, Input: c, Call: int64(op.Call), Return: int64(op.Return)})
	}
	return calls
}

// TestRecordedLogsAreReadAsPorcupineReadsThem: what Porcupine says of our operations is what it says
// of its own.
func TestRecordedLogsAreReadAsPorcupineReadsThem(t *testing.T) {
	dir := recorded(t)
	total := 0
	for n := range etcdLogs {
		ops := readOps(t, etcdLog(dir, n))
		total += len(ops)
		if n != 95 {
			require.Equal(t, slices.Contains(etcdLegal, n), porcupine.CheckOperations(etcdModel(), etcdOperations(t, ops)), "etcd_%03d", n)
		}
	}
	require.Equal(t, 8523, total)
	for _, log := range kvLogs {
		require.Len(t, readOps(t, filepath.Join(dir, "kv", log.name+".txt")), log.ops, log.name)
	}
}

// TestRecordedLogs: all verdicts on Porcupine's test data are those of its own tests.
func TestRecordedLogs(t *testing.T) {
	dir := recorded(t)
	register := Linearizable(Register(), Budget{})
	for n := range etcdLogs {
		want := Invalid
		if slices.Contains(etcdLegal, n) {
			want = Valid
		} else if n == 95 {
			want = Unknown
		}
		v := register.Check(context.Background(), readOps(t, etcdLog(dir, n)))
		require.Equal(t, want, v.Status, "etcd_%03d: %s", n, v.Reason)
	}
	for _, log := range kvLogs {
		v := Linearizable(Text(), Budget{}).Check(context.Background(), readOps(t, filepath.Join(dir, "kv", log.name+".txt")))
		require.Equal(t, log.status, v.Status, "%s: %s", log.name, v.Reason)
		require.NoError(t, v.Broken, log.name)
	}
}

// BenchmarkRecordedEtcdLogs judges the logs of the etcd test, all in one iteration.
func BenchmarkRecordedEtcdLogs(b *testing.B) {
	dir := recorded(b)
	var all [][]history.Op
	for n := range etcdLogs {
		all = append(all, readOps(b, etcdLog(dir, n)))
	}
	register := Linearizable(Register(), Budget{})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			for n := range etcdLogs {
				readOps(b, etcdLog(dir, n))
			}
		}
	})
	b.Run("judge", func(b *testing.B) {
		for b.Loop() {
			for _, ops := range all {
				register.Check(b.Context(), ops)
			}
		}
	})
	b.Run("decide", func(b *testing.B) {
		for b.Loop() {
			for _, ops := range all {
				p, err := Register().Parse(pointers(ops))
				require.NoError(b, err)
				_, err = decide(b.Context(), p, 1<<28)
				require.NoError(b, err)
			}
		}
	})
	b.Run("porcupine", func(b *testing.B) {
		for b.Loop() {
			for _, ops := range all {
				porcupine.CheckOperationsTimeout(etcdModel(), etcdOperations(b, ops), time.Minute)
			}
		}
	})
}
