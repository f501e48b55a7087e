package ordeal_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

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
		"check: nosuch":                `header check: unknown check "nosuch" (with register there are linearizable, versions, apply-log, state-hash, liveness)`,
		"check: evidence":              `header check: unknown check "evidence"`,
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

// TestLoad: somebody who waits for a trial must know how long it is, whoever says so.
func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.diff")
	require.NoError(t, os.WriteFile(path, []byte("# time: 1h\n"), 0o600))
	for _, c := range []struct {
		config ordeal.Config
		want   time.Duration
	}{
		{ordeal.Config{}, 30 * time.Second},
		{ordeal.Config{Time: time.Minute}, time.Minute},
		{ordeal.Config{Bug: path}, time.Hour},
		{ordeal.Config{Bug: path, Time: time.Minute}, time.Minute},
	} {
		load, err := c.config.Load()
		require.NoError(t, err)
		require.Equal(t, c.want, load)
	}
	var usage *ordeal.UsageError
	_, err := ordeal.Config{Nodes: -1}.Load()
	require.ErrorAs(t, err, &usage)
}
