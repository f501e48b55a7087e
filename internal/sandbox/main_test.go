package sandbox_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/internal/sandbox"
)

// modeEnv makes the test binary play a part instead of running tests; see parts.
const modeEnv = "SANDBOX_TEST_MODE"

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// testMain is the pattern for every package whose tests need the sandbox.
func testMain(m *testing.M) int {
	if mode := os.Getenv(modeEnv); mode != "" {
		return part(mode)
	}
	code, done, err := sandbox.Enter()
	if done {
		return code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // the tests that need it skip, or fail under ORDEAL_REQUIRE
	}
	return m.Run()
}

func needSandbox(t *testing.T) {
	t.Helper()
	if err := sandbox.Ready(); err != nil {
		if sandbox.Required("net") {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// part plays the part of a process in a test and returns its exit code.
func part(mode string) int {
	name, arg, _ := strings.Cut(mode, ":")
	switch name {
	case "exit": // at once, with this code
		code, _ := strconv.Atoi(arg)
		return code
	case "sleep": // until killed
		fmt.Println("asleep")
		return forever()
	case "orphans": // leave children behind that outlive their parent by a moment
		for range 3 {
			if err := play("exit:0").Start(); err != nil {
				return fail(err)
			}
		}
		return 5
	case "inside":
		fmt.Println(sandbox.Inside())
		return 0
	case "netns":
		ns, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			return fail(err)
		}
		fmt.Println(ns)
		return 0
	case "forbidden":
		return partForbidden()
	}
	return partSandboxed(name, arg)
}

// partSandboxed plays the parts that make a sandbox of their own.
func partSandboxed(name, arg string) int {
	code, done, err := sandbox.Enter()
	if err != nil {
		return fail(err)
	}
	if done {
		return code
	}
	switch name {
	case "enter-exit": // leave the sandbox with this code
		code, _ = strconv.Atoi(arg)
		return code
	case "enter-stat": // see the directory for temporary files
		if _, err := os.Stat(os.TempDir()); err != nil {
			return fail(err)
		}
		return 0
	case "enter-interrupt": // wait for SIGINT, then clean up
		sigs := make(chan os.Signal, 1)
		signal.Notify(sigs, os.Interrupt)
		fmt.Println("ready")
		<-sigs
		return 42
	case "enter-victim": // with a child that must not outlive it
		child := play("sleep")
		child.Args = append(child.Args, arg)
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := child.Start(); err != nil {
			return fail(err)
		}
		fmt.Println("ready")
		return forever()
	}
	return fail(fmt.Errorf("no such part: %s", name))
}

// partForbidden is an ordinary user on a machine where user namespaces are forbidden.
func partForbidden() int {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return fail(err)
	}
	if err := sandbox.Probe(); err == nil {
		return fail(errors.New("the probe found nothing wrong"))
	}
	_, done, err := sandbox.Enter()
	fmt.Printf("%t %T %v\n", done, err, err)
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 99
}

// forever blocks without being taken for a deadlock.
func forever() int {
	<-time.After(time.Hour)
	return 0
}

// play returns the command that plays a part.
func play(mode string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-test.run=^$")
	cmd.Env = append(os.Environ(), modeEnv+"="+mode)
	cmd.Stderr = os.Stderr
	return cmd
}

// startUntil starts the command and returns when it has printed the line.
func startUntil(t *testing.T, cmd *exec.Cmd, line string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	got, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, line+"\n", got)
}

// exitCode waits for the command and returns its exit code, -1 when a signal ended it.
func exitCode(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	_ = cmd.Wait() // the code tells more
	require.NotNil(t, cmd.ProcessState)
	return cmd.ProcessState.ExitCode()
}

// pidsWith returns the processes that have the word among their arguments.
func pidsWith(t *testing.T, word string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var pids []int
	for _, file := range files {
		args, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(args), word) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}
