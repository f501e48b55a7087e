package cluster_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWipe(t *testing.T) {
	tr := newTrial(t, 2, "serve", map[string]string{"conf/node.cfg": "12345"})
	ctx := t.Context()
	tr.start("n1", "n2")
	_, _, err := tr.Wipe(ctx, "n1")
	require.ErrorContains(t, err, "wipe n1: it runs already")
	_, _, err = tr.Wipe(ctx, "n9")
	require.ErrorContains(t, err, `no node "n9"`)
	require.NoError(t, tr.Kill(ctx, "n1"))

	// What a node may leave behind to have other files removed.
	outside, dir := t.TempDir(), filepath.Join(tr.dir, "data", "n1")
	precious := filepath.Join(outside, "precious")
	require.NoError(t, os.WriteFile(precious, []byte("do not touch"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "dir")))
	require.NoError(t, os.Symlink(precious, filepath.Join(dir, "conf", "file")))
	require.NoError(t, os.Symlink("../n2", filepath.Join(dir, "neighbour")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))

	files, bytes, err := tr.Wipe(ctx, "n1")
	require.NoError(t, err)
	require.Equal(t, 6, files)
	require.EqualValues(t, len("+")+len("12345"), bytes)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.FileExists(t, precious)
	require.FileExists(t, filepath.Join(tr.dir, "data", "n2", "count"))

	// It begins anew, with the files that its command names.
	tr.start("n1")
	answer, err := ask(tr.addr("n1"), "hello")
	require.NoError(t, err)
	require.Equal(t, "10.77.0.1+", answer)
	text, err := os.ReadFile(filepath.Join(dir, "conf", "node.cfg"))
	require.NoError(t, err)
	require.Equal(t, "12345", string(text))
	require.Contains(t, tr.log("n1"), "disk wiped: 6 files, 6 bytes")
	require.Empty(t, tr.exits.get(), "nobody ended by itself")
}

// A node that has put a link in place of its directory has nobody else's emptied.
func TestWipeOfALink(t *testing.T) {
	tr := newTrial(t, 1, "serve", nil)
	outside, dir := t.TempDir(), filepath.Join(tr.dir, "data", "n1")
	require.NoError(t, os.WriteFile(filepath.Join(outside, "precious"), nil, 0o600))
	require.NoError(t, os.Remove(dir))
	require.NoError(t, os.Symlink(outside, dir))
	_, _, err := tr.Wipe(t.Context(), "n1")
	require.ErrorContains(t, err, "no directory any more")
	require.FileExists(t, filepath.Join(outside, "precious"))
}
