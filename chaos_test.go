package ordeal_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal"
	"ordeal/checker"
	"ordeal/internal/sandbox"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(memoryEnv); addr != "" {
		panic(serveMemory(addr))
	}
	os.Exit(ordeal.Main(m))
}

// TestChaos puts the reference KV on trial under each set of faults, where it must be clean, and with
// each planted bug, where it must be convicted.
func TestChaos(t *testing.T) {
	for _, faults := range []string{"none", "kill", "pause", "partition", "transfer", "kill,pause,partition"} {
		t.Run("register/"+faults, func(t *testing.T) {
			ordeal.Test(t, ordeal.Config{Faults: faults, Time: 8 * time.Second})
		})
	}
	for _, faults := range []string{"member:remove", "member:wipe@leader"} {
		for _, nodes := range []int{3, 5} {
			t.Run(fmt.Sprintf("register/%s/%d nodes", faults, nodes), func(t *testing.T) {
				ordeal.Test(t, ordeal.Config{Nodes: nodes, Faults: faults, Time: 15 * time.Second})
			})
		}
	}
	t.Run("register/all", func(t *testing.T) {
		ordeal.Test(t, ordeal.Config{Faults: "all", Time: 30 * time.Second})
	})
	for _, bug := range []string{"ack-before-commit", "follower-local-read", "leader-local-read"} {
		t.Run("register/bug/"+bug, func(t *testing.T) {
			r := ordeal.Try(t, ordeal.Config{Bug: bug, Time: 10 * time.Second})
			require.Equal(t, checker.Invalid, r.Verdict.Status, "the planted bug must be convicted: %s", r.Verdict.Reason)
			require.NotEmpty(t, r.Verdict.Findings)
			for _, f := range r.Verdict.Findings {
				require.Equal(t, "linearizable", f.Checker, "convicted by another check than the bug names: %s", f.Text)
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
