package ordeal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCommand: the command that repeats a trial must not leave to a bug's header what somebody has overruled.
func TestCommand(t *testing.T) {
	const rest = " --time 10s --seed 7"
	path := filepath.Join(t.TempDir(), "mine.diff")
	for _, c := range []struct {
		header string
		config Config
		want   string
	}{
		{"", Config{}, "--faults all --bug B" + rest},
		{"", Config{Nodes: 3}, "--nodes 3 --faults all --bug B" + rest},
		{"# nodes: 3", Config{}, "--nodes 3 --faults all --bug B" + rest + " --concurrency 12"},
		{"# nodes: 3", Config{Nodes: 5}, "--nodes 5 --faults all --bug B" + rest + " --concurrency 20"},
		{"# concurrency: 40", Config{}, "--nodes 5 --faults all --bug B" + rest + " --concurrency 40"},
		{"# concurrency: 40", Config{Concurrency: 20}, "--nodes 5 --faults all --bug B" + rest + " --concurrency 20"},
	} {
		require.NoError(t, os.WriteFile(path, []byte(c.header+"\n"), 0o600))
		c.config.Bug, c.config.Seed = path, 7
		p, err := c.config.plan()
		require.NoError(t, err)
		want := strings.Fields("ordeal run register " + strings.Replace(c.want, "B", path, 1))
		require.Equal(t, want, p.command(""), c.header)
	}
}
