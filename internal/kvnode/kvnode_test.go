package kvnode

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFlags(t *testing.T) {
	dir := t.TempDir()
	good := []string{"--id", "1", "--peers", "1=127.0.0.1:1,2=127.0.0.1:2", "--dir", dir}
	joins := []string{"--join", "127.0.0.1:1,127.0.0.1:2", "--dir", dir}
	for _, bad := range []struct {
		problem string
		args    []string
	}{
		{"--peers is missing", []string{"--id", "1"}},
		{"not both", append(good, "--join", "127.0.0.1:1")},
		{"not of the form", []string{"--peers", "x"}},
		{"not of the form", []string{"--peers", "0=a:1"}},
		{"node 1: address", []string{"--peers", "1=nonsense"}},
		{"node 2: address", []string{"--join", "a:1,nonsense"}},
		{"appears twice", []string{"--peers", "1=a:1,1=b:1"}},
		{"--id goes with --peers", []string{"--peers", "1=a:1"}},
		{"--id goes with --peers", append(joins, "--id", "1")},
		{"not among", append(good[2:], "--id", "3")},
		{"--dir is missing", good[:4]},
		{"flag provided but not defined", []string{"--what"}},
		{"unexpected argument \"surplus\"", append(good, "surplus")},
		{"--tick", append(good, "--tick", "0s")},
		{"--heartbeat-ticks", append(good, "--heartbeat-ticks", "-1")},
		{"--election-ticks", append(good, "--election-ticks", "2")},
		{"--snapshot-every", append(good, "--snapshot-every", "0")},
		{"--request-timeout", append(good, "--request-timeout", "-1s")},
		{"--listen", append(good, "--listen", "nowhere")},
		{"--listen", joins},
	} {
		var out, problems strings.Builder
		require.Equal(t, 2, Main(bad.args, &out, &problems), bad.args)
		require.Contains(t, problems.String(), bad.problem)
		require.Equal(t, 1, strings.Count(problems.String(), "\n"), "one line")
	}
	var out, problems strings.Builder
	require.Equal(t, 0, Main([]string{"-h"}, &out, &problems))
	require.Contains(t, out.String(), "snapshot-every")

	cfg, _, err := parseFlags(good, &out)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1 127.0.0.1:1", cfg.Listen+" "+cfg.Advertise)
	cfg, _, err = parseFlags(append(good, "--listen", "0.0.0.0:1"), &out)
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0:1 127.0.0.1:1", cfg.Listen+" "+cfg.Advertise)
	cfg, _, err = parseFlags(append(joins, "--advertise", "127.0.0.1:3"), &out)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3 127.0.0.1:3", cfg.Listen+" "+cfg.Advertise)
	require.Zero(t, cfg.ID)
	require.Len(t, cfg.Peers, 2)
}

// TestBadDisk: a node that cannot start says why, and which file it is about.
func TestBadDisk(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--id", "1", "--peers", "1=127.0.0.1:1", "--listen", "127.0.0.1:0", "--dir", dir}
	var out, problems strings.Builder
	require.NoError(t, os.WriteFile(filepath.Join(dir, "kv.log"), []byte("not a log"), 0o600))
	require.Equal(t, 1, Main(args, &out, &problems))
	require.Contains(t, problems.String(), filepath.Join(dir, "kv.log")+": not a log")
	require.Equal(t, 1, Main(append(args, "--apply-log", filepath.Join(dir, "no", "directory")), &out, &problems))
	require.Contains(t, problems.String(), "apply log: open "+dir)
}
