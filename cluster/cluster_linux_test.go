package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"ordeal/cluster"
)

func TestLifeOfANode(t *testing.T) {
	tr := newTrial(t, 2, "serve", nil)
	ctx := t.Context()
	require.Equal(t, cluster.Down, tr.State("n1"))
	require.Zero(t, tr.PID("n1"))
	require.ErrorContains(t, tr.Kill(ctx, "n1"), "kill n1: it is down")
	require.ErrorContains(t, tr.Pause(ctx, "n1"), "pause n1: it is down")
	require.ErrorContains(t, tr.Resume(ctx, "n1"), "resume n1: it is down")

	tr.start("n1", "n2")
	require.Equal(t, cluster.Running, tr.State("n1"))
	require.NoError(t, syscall.Kill(tr.PID("n1"), 0))
	require.ErrorContains(t, tr.Start(ctx, "n1"), "start n1: it runs already")
	require.NoError(t, tr.Resume(ctx, "n1"))

	// What a node writes goes through a pipe: it may answer before its line is in the log.
	served := func(times int) {
		tr.eventually(func() bool { return strings.Count(tr.log("n1"), "serving") == times }, "its line is in the log")
	}
	served(1)

	// Paused: the kernel accepts, nobody answers.
	require.NoError(t, tr.Pause(ctx, "n1"))
	require.Equal(t, cluster.Paused, tr.State("n1"))
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", tr.PID("n1")))
	require.NoError(t, err)
	require.Contains(t, string(stat), ") T ")
	require.ErrorIs(t, tr.Pause(ctx, "n1"), cluster.ErrPaused)
	_, err = ask(tr.addr("n1"), "hello")
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, tr.Resume(ctx, "n1"))
	require.Equal(t, cluster.Running, tr.State("n1"))
	answer, err := ask(tr.addr("n1"), "hello")
	require.NoError(t, err)
	require.Equal(t, "10.77.0.1+", answer)

	// Killed while paused, started again with the same disk.
	require.NoError(t, tr.Pause(ctx, "n1"))
	pid := tr.PID("n1")
	require.NoError(t, tr.Kill(ctx, "n1"))
	require.Equal(t, cluster.Down, tr.State("n1"))
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
	tr.start("n1")
	answer, err = ask(tr.addr("n1"), "hello")
	require.NoError(t, err)
	require.Equal(t, "10.77.0.1++", answer)
	served(2)

	require.NoError(t, tr.Close())
	require.NoError(t, tr.Close())
	require.ErrorContains(t, tr.Start(ctx, "n1"), "closed")
	require.Empty(t, tr.exits.get(), "nobody ended by itself")
	require.Equal(t, []string{
		"--- started pid N", "out serving 10.77.0.1 home " + filepath.Join(tr.dir, "data", "n1"),
		"--- paused", "--- resumed", "--- paused", "--- killed",
		"--- started pid N", "out serving 10.77.0.1 home " + filepath.Join(tr.dir, "data", "n1"),
		"--- killed",
	}, untimed(t, tr.log("n1")))
}

func TestCut(t *testing.T) {
	tr := newTrial(t, 3, "serve", nil)
	ctx := t.Context()
	tr.start("n1", "n2", "n3")
	t.Log(tr.Firewall())
	fromTo := func(from, to string) string {
		answer, err := ask(tr.addr(from), tr.addr(to))
		require.NoError(t, err, "the harness is never cut off")
		return answer
	}
	require.Equal(t, "10.77.0.2+", fromTo("n1", "n2"))
	require.NoError(t, tr.Cut(ctx, "c", [][2]string{{"n1", "n2"}}))
	require.Contains(t, fromTo("n1", "n2"), "timeout")
	require.Equal(t, "10.77.0.3+", fromTo("n1", "n3"))
	dropped, err := tr.Dropped(ctx, "c")
	require.NoError(t, err)
	require.Positive(t, dropped)
	require.NoError(t, tr.Heal(ctx, "c"))
	require.NoError(t, tr.Heal(ctx, "c"))
	require.Equal(t, "10.77.0.2+", fromTo("n1", "n2"))
	require.ErrorContains(t, tr.Cut(ctx, "c", [][2]string{{"n1", "n9"}}), `no node "n9"`)
}

// Several clusters, one after another, and nothing of them is left.
func TestOneAfterAnother(t *testing.T) {
	needSandbox(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	files := openFiles(t)
	for range 4 {
		tr := newTrial(t, 5, "serve", nil)
		tr.start("n1", "n2", "n3", "n4", "n5")
		require.NoError(t, tr.Pause(t.Context(), "n2"))
		require.NoError(t, tr.Cut(t.Context(), "c", [][2]string{{"n1", "n2"}, {"n3", "n4"}}))
		begin := time.Now()
		require.NoError(t, tr.Close())
		t.Logf("closed in %s", time.Since(begin))
	}
	// Pidfds and sockets close in the background.
	require.Eventually(t, func() bool { return openFiles(t) <= files }, 5*time.Second, time.Millisecond)
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}

func TestUnexpectedExit(t *testing.T) {
	tr := newTrial(t, 1, "exit:2", nil)
	require.NoError(t, tr.Start(t.Context(), "n1"))
	tr.eventually(func() bool { return len(tr.exits.get()) > 0 }, "Exited is called")
	require.Equal(t, []string{"n1 exit status 2"}, tr.exits.get())
	require.Equal(t, cluster.Down, tr.State("n1"))
	require.ErrorContains(t, tr.Kill(t.Context(), "n1"), "down")
	require.Equal(t, []string{"--- started pid N", "err leaving with 2", "--- exit status 2"}, untimed(t, tr.log("n1")))
}

// Somebody else's SIGKILL, for instance the kernel's for want of memory, is an unexpected end.
func TestKilledBySomebodyElse(t *testing.T) {
	tr := newTrial(t, 1, "serve", nil)
	tr.start("n1")
	require.NoError(t, syscall.Kill(tr.PID("n1"), syscall.SIGKILL))
	tr.eventually(func() bool { return len(tr.exits.get()) > 0 }, "Exited is called")
	require.Equal(t, []string{"n1 signal: killed"}, tr.exits.get())
}

// However Kill and the node's own end interleave, it is down afterwards, and exactly one of them
// takes the credit.
func TestKillRacesExit(t *testing.T) {
	tr := newTrial(t, 1, "exit:2", nil)
	for i := range 20 {
		require.NoError(t, tr.Start(t.Context(), "n1"))
		<-time.After(time.Duration(i) * time.Millisecond)
		before := len(tr.exits.get())
		err := tr.Kill(t.Context(), "n1")
		require.Equal(t, cluster.Down, tr.State("n1"))
		if err != nil {
			require.ErrorContains(t, err, "down")
			tr.eventually(func() bool { return len(tr.exits.get()) > 0 }, "Exited is called")
		} else {
			require.Len(t, tr.exits.get(), before)
		}
	}
}

// The end of the node's first process is the end of the node: what it leaves behind is killed.
func TestFamily(t *testing.T) {
	tr := newTrial(t, 1, "family", nil)
	require.NoError(t, tr.Start(t.Context(), "n1"))
	tr.eventually(func() bool { return len(tr.exits.get()) > 0 }, "Exited is called")
	require.Equal(t, []string{"n1 exit status 3"}, tr.exits.get())
	_, err := ask(tr.addr("n1"), "hello")
	require.Error(t, err)
}

// A process that left the group and holds the pipes does not keep anybody waiting.
func TestFugitive(t *testing.T) {
	tr := newTrial(t, 1, "family:fugitive", nil)
	require.NoError(t, tr.Start(t.Context(), "n1"))
	tr.eventually(func() bool { return len(tr.exits.get()) > 0 }, "Exited is called")
	require.NoError(t, tr.Close())
}

// Starts, kills and pauses from many goroutines end in a state that is true.
func TestConcurrent(t *testing.T) {
	tr := newTrial(t, 3, "serve", nil)
	ctx := t.Context()
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			for i := range 10 {
				id := fmt.Sprintf("n%d", 1+(worker+i)%3)
				// Who comes second gets an error; what counts is that all return.
				_ = tr.Start(ctx, id)
				_ = tr.Pause(ctx, id)
				_ = tr.Resume(ctx, id)
				if i%2 == 0 {
					_ = tr.Kill(ctx, id)
				}
			}
		})
	}
	wg.Wait()
	for _, s := range tr.Specs() {
		if tr.State(s.ID) == cluster.Down {
			require.Zero(t, tr.PID(s.ID))
			require.NoError(t, tr.Start(ctx, s.ID))
		}
		require.NoError(t, tr.Resume(ctx, s.ID))
		require.NoError(t, syscall.Kill(tr.PID(s.ID), 0))
	}
	require.Empty(t, tr.exits.get())
}

func TestContexts(t *testing.T) {
	tr := newTrial(t, 1, "serve", nil)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, tr.Start(over, "n1"), context.Canceled)
	tr.start("n1")
	for _, err := range []error{tr.Kill(over, "n1"), tr.Pause(over, "n1"), tr.Resume(over, "n1")} {
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Equal(t, cluster.Running, tr.State("n1"))
}

func TestFiles(t *testing.T) {
	tr := newTrial(t, 1, "print", map[string]string{"text": "from a file", "etc/deep/x": "y"})
	dir := filepath.Join(tr.dir, "data", "n1")
	require.NoError(t, tr.Start(t.Context(), "n1"))
	tr.eventually(func() bool { return tr.State("n1") == cluster.Down }, "it ends")
	require.FileExists(t, filepath.Join(dir, "etc", "deep", "x"))
	// Not again: the second start finds the disk as the first left it.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), []byte("changed"), 0o644))
	require.NoError(t, tr.Start(t.Context(), "n1"))
	tr.eventually(func() bool { return strings.Contains(tr.log("n1"), "changed") }, "it prints again")

	for _, name := range []string{"../n2/x", "/etc/x", "", "a/../../x"} {
		require.NoError(t, tr.Close())
		tr = newTrial(t, 1, "print", map[string]string{name: "x"})
		require.ErrorContains(t, tr.Start(t.Context(), "n1"), "not be in the data directory", name)
	}
	require.NoError(t, tr.Close())
	tr = newTrial(t, 1, "print", map[string]string{"link/x": "x"})
	require.NoError(t, os.Symlink("../../nodes", filepath.Join(tr.dir, "data", "n1", "link")))
	require.ErrorContains(t, tr.Start(t.Context(), "n1"), "link/x")
}

func TestBadOptions(t *testing.T) {
	ctx := context.Background()
	command := func(cluster.NodeSpec) (cluster.Command, error) { return cluster.Command{Path: "/no/such/program"}, nil }
	for _, o := range []cluster.Options{
		{Nodes: 1, Dir: t.TempDir()},
		{Nodes: 1, Command: command},
		{Nodes: 0, Dir: t.TempDir(), Command: command},
		{Nodes: 1000, Dir: t.TempDir(), Command: command},
		{Nodes: 1, Dir: "/proc/nowhere", Command: command},
	} {
		_, err := cluster.New(ctx, o)
		require.ErrorContains(t, err, "new cluster: ")
	}
	needSandbox(t)
	c, err := cluster.New(ctx, cluster.Options{Nodes: 1, Dir: t.TempDir(), Command: command})
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.ErrorContains(t, c.Start(ctx, "n1"), "start n1: fork/exec /no/such/program: no such file")
	require.ErrorContains(t, c.Start(ctx, "n2"), `start n2: there is no node "n2"`)
	require.Equal(t, cluster.Down, c.State("n1"))
	require.Equal(t, cluster.Down, c.State("n2"))

	second, err := cluster.New(ctx, cluster.Options{Nodes: 1, Dir: t.TempDir(), Command: command})
	require.Nil(t, second)
	require.ErrorContains(t, err, "has a network already")
	require.NoError(t, c.Cut(ctx, "c", nil), "the first one is unharmed")
}

func TestCommandFails(t *testing.T) {
	needSandbox(t)
	c, err := cluster.New(t.Context(), cluster.Options{Nodes: 1, Dir: t.TempDir(),
		Command: func(cluster.NodeSpec) (cluster.Command, error) { return cluster.Command{}, errors.New("no idea") }})
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.ErrorContains(t, c.Start(t.Context(), "n1"), "start n1: no idea")
}

func BenchmarkFiveNodes(b *testing.B) {
	var made, up, down time.Duration
	for b.Loop() {
		begin := time.Now()
		tr := newTrial(b, 5, "serve", nil)
		ready := time.Now()
		tr.start("n1", "n2", "n3", "n4", "n5")
		started := time.Now()
		require.NoError(b, tr.Close())
		made += ready.Sub(begin)
		up += started.Sub(ready)
		down += time.Since(started)
	}
	for unit, d := range map[string]time.Duration{"ms/new": made, "ms/start-to-answer": up, "ms/close": down} {
		b.ReportMetric(float64(d.Microseconds())/float64(b.N)/1e3, unit)
	}
}
