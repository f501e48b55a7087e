package ordeal_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal"
	"ordeal/kv/bugs"
)

// TestEveryBugMakesATrial: what the headers name must exist here.
func TestEveryBugMakesATrial(t *testing.T) {
	all, err := bugs.All()
	require.NoError(t, err)
	for _, b := range all {
		_, err := ordeal.FindBug(b.ID)
		require.NoError(t, err)
	}
}

func TestBugsThatMakeNoTrial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.diff")
	for header, problem := range map[string]string{
		"check: nosuch":                `header check: unknown check "nosuch" (with register there are evidence, linearizable, apply-log, state-hash, liveness)`,
		"workload: nosuch":             `mine.diff: header workload: unknown workload "nosuch"`,
		"faults: kill@boss":            `mine.diff: header faults: fault "kill@boss": unknown target "boss"`,
		"nodes: 26":                    "nodes: 26 is not within",
		"time: 1ms":                    "time (seconds): 0.001 is not within",
		"nodes: 1\n# check: apply-log": "",
	} {
		require.NoError(t, os.WriteFile(path, []byte("# "+header+"\n"), 0o600))
		_, err := ordeal.FindBug(path)
		if problem == "" {
			require.NoError(t, err)
			continue
		}
		var usage *ordeal.UsageError
		require.ErrorAs(t, err, &usage)
		require.ErrorContains(t, err, problem)
	}
}
