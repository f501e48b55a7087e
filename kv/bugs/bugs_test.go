package bugs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryBugBuilds is what keeps the diffs alive: kv changes, and a diff that no longer applies or no
// longer compiles convicts nobody.
func TestEveryBugBuilds(t *testing.T) {
	all, err := All()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(all), 3)
	for _, b := range all {
		t.Run(b.ID, func(t *testing.T) {
			t.Parallel()
			for name, field := range map[string]string{
				"title": b.Title, "origin": b.Origin, "workload": b.Workload, "check": b.Check, "story": b.Story,
			} {
				require.NotEmpty(t, field, name)
			}
			require.Contains(t, []string{"A", "B", "C"}, b.Tier)
			out := filepath.Join(t.TempDir(), "kvnode")
			require.NoError(t, b.Build(context.Background(), out))
			require.NoError(t, exec.Command(out, "-h").Run())
		})
	}
}

func TestFind(t *testing.T) {
	b, err := Find("leader-local-read")
	require.NoError(t, err)
	require.Equal(t, []string{"pause@leader", "partition:isolate@leader"}, b.Faults)
	require.Contains(t, b.Story, "as long as it leads. One that was paused or cut off")
	_, err = Find("no-such")
	require.ErrorContains(t, err, "ack-before-commit, follower-local-read")
	_, err = Find("no-such.diff")
	require.ErrorIs(t, err, os.ErrNotExist)

	path := filepath.Join(t.TempDir(), "mine.diff")
	require.NoError(t, os.WriteFile(path, []byte("# title: mine\n"+edit("kv/core.go", "-x")), 0o600))
	b, err = Find(path)
	require.NoError(t, err)
	require.Equal(t, "mine", b.ID)
	require.Equal(t, "mine", b.Title)

	require.NoError(t, os.WriteFile(path, []byte("# titel: mine\n"), 0o600))
	_, err = Find(path)
	require.ErrorContains(t, err, `unknown header "titel"`)
}

// edit is a diff of one hunk at the top of a file.
func edit(name, line string) string {
	old, now := "1", "1"
	switch line[0] {
	case '-':
		now = "0"
	case '+':
		old = "0"
	}
	return "--- a/" + name + "\n+++ b/" + name + "\n@@ -1," + old + " +1," + now + " @@\n" + line + "\n"
}

func TestBadDiffs(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.go"), []byte("a\nb\nc\n"), 0o600))
	for name, c := range map[string]struct{ diff, problem string }{
		"empty":     {"", "empty"},
		"outside":   {edit("cmd/kvnode/main.go", "-a"), "cmd/kvnode/main.go"},
		"dots":      {edit("kv/../cmd/main.go", "-a"), "kv/../cmd/main.go"},
		"only dots": {edit("kv/..", "-a"), "kv/.."},
		"absolute":  {edit("/etc/passwd", "-a"), "/etc/passwd"},
		"gone":      {edit("kv/core.go", "-z"), "kv/core.go: hunk 1 (@@ -1,1 +1,0 @@): its lines are not there"},
		"no file":   {edit("kv/none.go", "-a"), "none.go"},
		"malformed": {"--- a/kv/core.go\n+++ b/kv/core.go\n@@ -1,7 +1,1 @@\n-a\n", "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Bug{ID: name, Diff: []byte(c.diff)}.apply(dir)
			require.ErrorContains(t, err, c.problem)
		})
	}
}

// TestHunksMove: a hunk is applied where its lines are now.
func TestHunksMove(t *testing.T) {
	dir := t.TempDir()
	text := strings.Repeat("x\n", 50) + "a\nb\nc\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.go"), []byte(text), 0o600))
	diff := "--- a/kv/core.go\n+++ b/kv/core.go\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
	changed, err := Bug{Diff: []byte(diff)}.apply(dir)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("x\n", 50)+"a\nB\nc\n", string(changed["core.go"]))
}

func TestNoGoCommand(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	b, err := Find("ack-before-commit")
	require.NoError(t, err)
	require.ErrorContains(t, b.Build(context.Background(), "out"), "needs the go command")
}
