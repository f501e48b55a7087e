package sandbox_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ordeal/internal/sandbox"
)

func TestInside(t *testing.T) {
	needSandbox(t)
	require.True(t, sandbox.Inside())
	require.Equal(t, 1, os.Getpid())
	self, err := os.Readlink("/proc/self")
	require.NoError(t, err)
	require.Equal(t, "1", self)
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	require.NoError(t, err)
	require.Equal(t, "1\n", string(forward))
	require.NoError(t, os.WriteFile("/run/xtables.lock", nil, 0o600))
	lo, err := net.InterfaceByName("lo")
	require.NoError(t, err)
	require.NotZero(t, lo.Flags&net.FlagUp)
	if ms, ok := sandbox.RTOMax(); ok {
		require.Equal(t, 1000, ms)
	}
}

// What the program needs below /run stays visible.
func TestRunInUse(t *testing.T) {
	needSandbox(t)
	dir, err := os.MkdirTemp("/run", "")
	require.NoError(t, err)
	cmd := play("enter-stat")
	cmd.Env = append(cmd.Env, "TMPDIR="+dir)
	require.NoError(t, cmd.Start())
	require.Zero(t, exitCode(t, cmd))
}

func TestMarkerDoesNotLeak(t *testing.T) {
	needSandbox(t)
	cmd := play("inside")
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, "false\n", string(out))
}

func TestSetupOutsideIsAnError(t *testing.T) {
	if sandbox.Inside() {
		t.Setenv("ORDEAL_SANDBOX", "")
	}
	require.False(t, sandbox.Inside())
	require.ErrorContains(t, sandbox.Setup(), "not in one")
	_, err := sandbox.NewStar(1)
	var no *sandbox.Unavailable
	require.ErrorAs(t, err, &no)
}

func TestExitCode(t *testing.T) {
	needSandbox(t)
	for _, code := range []int{0, 1, 7, 255} {
		cmd := play("enter-exit:" + strconv.Itoa(code))
		require.NoError(t, cmd.Start())
		require.Equal(t, code, exitCode(t, cmd))
	}
}

func TestSignalsForwarded(t *testing.T) {
	needSandbox(t)
	cmd := play("enter-interrupt")
	startUntil(t, cmd, "ready")
	require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
	require.Equal(t, 42, exitCode(t, cmd), "SIGINT: the inner process cleans up")

	cmd = play("enter-interrupt")
	cmd.Stderr = nil // the stacks
	startUntil(t, cmd, "ready")
	require.NoError(t, cmd.Process.Signal(syscall.SIGQUIT))
	require.Equal(t, 2, exitCode(t, cmd), "SIGQUIT: the inner process dumps its stacks")
}

// A sandbox must end with the outer process, whatever ends that, and take everything with it: also
// a process that left session and process group.
func TestNothingIsLeft(t *testing.T) {
	needSandbox(t)
	tests := []struct {
		signal syscall.Signal
		code   int
	}{
		{syscall.SIGKILL, -1},
		{syscall.SIGTERM, 143},
		{syscall.SIGHUP, 129},
	}
	for _, test := range tests {
		t.Run(unix.SignalName(test.signal), func(t *testing.T) {
			word := "victim-of-" + unix.SignalName(test.signal)
			cmd := play("enter-victim:" + word)
			startUntil(t, cmd, "ready")
			require.Len(t, pidsWith(t, word), 1)
			inner := childrenOf(t, cmd.Process.Pid)
			require.Len(t, inner, 1)
			require.NoError(t, cmd.Process.Signal(test.signal))
			require.Equal(t, test.code, exitCode(t, cmd))
			require.Eventually(t, func() bool {
				return len(pidsWith(t, word)) == 0 && !exists(inner[0])
			}, time.Second, time.Millisecond)
		})
	}
}

func TestInnerKilled(t *testing.T) {
	needSandbox(t)
	cmd := play("enter-victim:victim-of-inner")
	startUntil(t, cmd, "ready")
	inner := childrenOf(t, cmd.Process.Pid)
	require.Len(t, inner, 1)
	require.NoError(t, syscall.Kill(inner[0], syscall.SIGKILL))
	require.Equal(t, 137, exitCode(t, cmd))
	require.Empty(t, pidsWith(t, "victim-of-inner"))
}

func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	var pids []int
	entries, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	require.NoError(t, err)
	for _, task := range entries {
		list, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		require.NoError(t, err)
		for word := range strings.FieldsSeq(string(list)) {
			child, err := strconv.Atoi(word)
			require.NoError(t, err)
			pids = append(pids, child)
		}
	}
	return pids
}

// Orphans are reaped while children of os/exec come and go, and no exit status goes astray, not
// even of a child whose Wait comes late.
func TestOrphansAreReaped(t *testing.T) {
	needSandbox(t)
	late := play("exit:77")
	require.NoError(t, late.Start())
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 15 {
				orphans := play("orphans")
				if err := orphans.Run(); orphans.ProcessState.ExitCode() != 5 {
					t.Errorf("a parent of orphans: %v", err)
				}
				want := (worker*20 + i) % 250
				cmd := play("exit:" + strconv.Itoa(want))
				err := cmd.Run()
				var exit *exec.ExitError
				if err != nil && !errors.As(err, &exit) {
					t.Errorf("its exit status is lost: %v", err)
				} else if got := cmd.ProcessState.ExitCode(); got != want {
					t.Errorf("exit status %d instead of %d", got, want)
				}
			}
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool {
		return len(childrenOf(t, os.Getpid())) == 1
	}, 5*time.Second, 5*time.Millisecond, "all orphans are gone")
	require.Equal(t, 77, exitCode(t, late))
}

// An ordinary user (uid 1000 of a nested user namespace) where user namespaces are used up.
func TestForbidden(t *testing.T) {
	needSandbox(t)
	const capSysResource = 24 // to write the limit
	cmd := play("forbidden")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{capSysResource},
	}
	out, err := cmd.Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "false *sandbox.Unavailable no sandbox: user.max_user_namespaces is 0")
	require.Contains(t, string(out), "run as root")
}

func TestProbe(t *testing.T) {
	needSandbox(t)
	require.NoError(t, sandbox.Probe())
	t.Setenv("ORDEAL_SANDBOX", "") // as if outside
	require.NoError(t, sandbox.Probe())
	rows := sandbox.Capabilities()
	require.NotEmpty(t, rows)
	for _, row := range rows {
		require.NotEmpty(t, row.Name)
		require.NotEmpty(t, row.Detail)
		t.Logf("%-18s %-5t %s", row.Name, row.OK, row.Detail)
	}
	require.True(t, rows[0].OK)
}

func TestRequired(t *testing.T) {
	t.Setenv("ORDEAL_REQUIRE", "fuse, net")
	require.True(t, sandbox.Required("net"))
	require.False(t, sandbox.Required("ne"))
	t.Setenv("ORDEAL_REQUIRE", "")
	require.False(t, sandbox.Required("net"))
}
