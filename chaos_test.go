package ordeal_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal"
	"ordeal/checker"
	"ordeal/internal/sandbox"
	"ordeal/kv/bugs"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(memoryEnv); addr != "" {
		panic(serveMemory(addr))
	}
	os.Exit(ordeal.Main(m))
}

// TestChaos puts the reference KV on trial under each kind of fault, where it must be clean, and with
// planted bugs, where it must be convicted. `ordeal bugs run` tries all of them.
func TestChaos(t *testing.T) {
	for _, c := range []ordeal.Config{
		{Faults: "none", Time: 4 * time.Second},
		{Faults: "kill", Time: 6 * time.Second},
		{Faults: "pause", Time: 6 * time.Second},
		{Faults: "partition", Time: 6 * time.Second},
		{Faults: "transfer", Time: 6 * time.Second, Workload: "counter"},
		{Faults: "member", Time: 10 * time.Second, Nodes: 3},
		{Faults: "all", Time: 25 * time.Second, Workload: "append"},
	} {
		t.Run("clean/"+c.Faults, func(t *testing.T) { ordeal.Test(t, c) })
	}
	for _, bug := range []string{"ack-before-commit", "follower-local-read", "leader-local-read", "wiped-disk-same-id"} {
		t.Run("bug/"+bug, func(t *testing.T) {
			planted, err := bugs.Find(bug)
			require.NoError(t, err)
			r := ordeal.Try(t, ordeal.Config{Bug: bug})
			require.Equal(t, checker.Invalid, r.Verdict.Status, "the planted bug must be convicted: %s", r.Verdict.Reason)
			require.NotEmpty(t, r.Verdict.Findings)
			for _, f := range r.Verdict.Findings {
				require.Contains(t, planted.Checks, f.Checker, "convicted by another check than the bug names: %s", f.Text)
				require.LessOrEqual(t, len(f.Ops), 12, "the witness is too large to read")
			}
		})
	}
}

// TestVacuous: a run that shows nothing is not valid.
func TestVacuous(t *testing.T) {
	t.Run("nothing to cut", func(t *testing.T) {
		r := ordeal.Try(t, ordeal.Config{Nodes: 1, Faults: "partition", Time: 4 * time.Second})
		require.Equal(t, checker.Unknown, r.Verdict.Status)
		require.Contains(t, r.Verdict.Reason, "had no effect")
	})
	t.Run("interrupted", func(t *testing.T) {
		if err := sandbox.Ready(); err != nil {
			t.Skip(err) // the other subtest fails if it must not be so
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		r, err := ordeal.Run(ctx, ordeal.Config{Faults: "none", Out: t.TempDir()})
		require.NoError(t, err)
		require.Equal(t, checker.Unknown, r.Verdict.Status)
		require.Contains(t, r.Verdict.Reason, "interrupted")
	})
}
