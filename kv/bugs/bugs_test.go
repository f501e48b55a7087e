package bugs

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTable holds the bugs that are planted to the table that they come from; the package comment says why two of it
// are missing.
func TestTable(t *testing.T) {
	want := map[string]string{
		"ack-before-commit":        "A",
		"applied-index-apart":      "B",
		"asks-before-vote-saved":   "C",
		"cas-at-propose":           "A",
		"compact-before-durable":   "B",
		"confchange-after-send":    "C",
		"follower-local-read":      "A",
		"leader-local-read":        "A",
		"lease-read":               "A",
		"no-fsync":                 "A",
		"read-during-replay":       "A",
		"readindex-ctx-reused":     "C",
		"retry-without-dedup":      "A",
		"send-before-save":         "B",
		"sessions-not-in-snapshot": "A",
		"snapshot-skips-wait":      "B",
		"txn-reads-at-propose":     "A",
		"unknown-as-failed":        "A",
		"vote-not-saved":           "B",
		"wiped-disk-same-id":       "A",
	}
	all, err := All()
	require.NoError(t, err)
	tiers := map[string]string{}
	for _, b := range all {
		tiers[b.ID] = b.Tier
	}
	require.Equal(t, want, tiers)
}

// TestEveryBugBuilds is what keeps the diffs alive: kv changes, and a diff that no longer applies or no
// longer compiles convicts nobody.
func TestEveryBugBuilds(t *testing.T) {
	all, err := All()
	require.NoError(t, err)
	sources, err := Sources(t.Context())
	require.NoError(t, err)
	for _, b := range all {
		t.Run(b.ID, func(t *testing.T) {
			t.Parallel()
			for name, field := range map[string]string{
				"title": b.Title, "origin": b.Origin, "faults": b.Faults, "workload": b.Workload, "tier": b.Tier, "story": b.Story,
			} {
				require.NotEmpty(t, field, name)
			}
			require.NotEmpty(t, b.Checks)
			require.NoError(t, b.compile(t.Context(), sources, "ordeal/kv"))
		})
	}
}

func TestBuild(t *testing.T) {
	b, err := Find("ack-before-commit")
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "kvnode")
	require.NoError(t, b.Build(t.Context(), out))
	require.NoError(t, exec.Command(out, "-h").Run())
}

func TestFind(t *testing.T) {
	b, err := Find("leader-local-read")
	require.NoError(t, err)
	require.Equal(t, "pause@leader,partition:isolate@leader", b.Faults)
	require.Contains(t, b.Story, "as long as it leads. One that was paused or cut off")
	_, err = Find("no-such")
	require.ErrorContains(t, err, "ack-before-commit, ")
	_, err = Find("no-such.diff")
	require.ErrorIs(t, err, os.ErrNotExist)

	path := filepath.Join(t.TempDir(), "mine.diff")
	require.NoError(t, os.WriteFile(path, []byte("# title: mine\n"+edit("kv/core.go", "-x")), 0o600))
	b, err = Find(path)
	require.NoError(t, err)
	require.Equal(t, "mine", b.ID)
	require.Equal(t, "mine", b.Title)
	require.Equal(t, 10*time.Second, b.Time)
}

func TestHeaders(t *testing.T) {
	b, err := parse("x.diff", []byte("# id: y\n# check: apply-log, state-hash\n# time: 1m\n# nodes: 3\n# concurrency: 40\n# needs: disk\n# tier: B\n# story: one\n#   two\n"))
	require.NoError(t, err)
	require.Equal(t, Bug{
		ID: "y", Checks: []string{"apply-log", "state-hash"}, Time: time.Minute, Nodes: 3, Concurrency: 40, Needs: "disk",
		Tier: "B", Story: "one two", Diff: b.Diff,
	}, b)

	for header, problem := range map[string]string{
		"titel: mine":                 `x.diff: unknown header "titel"`,
		"mine":                        `x.diff: no header: "# mine"`,
		"id:":                         "x.diff: header id: empty",
		"title: a\x1b[2Jb":            `x.diff: header title: "a\x1b[2Jb" has characters`,
		"tier: D":                     `x.diff: header tier: "D" is not one of A, B, C`,
		"needs: luck":                 `x.diff: header needs: "luck" is not one of disk`,
		"time: 10":                    `x.diff: header time: "10" is no length of time`,
		"time: -1s":                   `x.diff: header time: "-1s" is no length of time`,
		"nodes: many":                 `x.diff: header nodes: "many" is no number`,
		"concurrency: 0":              `x.diff: header concurrency: "0" is no number`,
		"check: linearizable,":        `x.diff: header check: "linearizable,": empty`,
		"tier: A\n# tier: B":          "x.diff: header tier: given twice",
		"check: a\n#   b\n# id: \x00": "x.diff: header id",
	} {
		_, err := parse("x.diff", []byte("# "+header+"\n"))
		require.ErrorContains(t, err, problem)
	}
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
		"no go":     {edit("kv/README.md", "-a"), "kv/README.md: the diff is to change Go files"},
		"test":      {edit("kv/core_test.go", "-a"), "kv/core_test.go: the diff is to change Go files"},
		"twice":     {edit("kv/core.go", "-a") + edit("kv/core.go", "-b"), "kv/core.go: the diff has two sections for it"},
		"mode only": {"diff --git a/kv/core.go b/kv/core.go\nold mode 100644\nnew mode 100755\n", "kv/core.go: the diff changes none of its lines"},
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
