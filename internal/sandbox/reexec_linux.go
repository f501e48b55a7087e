package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
)

// innerFlags are the namespaces of every sandbox.
const innerFlags = syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS

// Inside reports whether this process is the inner one of a sandbox: it is PID 1, carries the
// marker, and its pid namespace is not the one that the marker was written in. Processes that the
// inner one starts inherit the marker, but are not PID 1.
func Inside() bool {
	outer := os.Getenv(markerEnv)
	if outer == "" || os.Getpid() != 1 {
		return false
	}
	own, err := pidNamespace()
	return err == nil && own != outer
}

func pidNamespace() (string, error) { return os.Readlink("/proc/self/ns/pid") }

// Reexec runs this program again, with the same arguments, environment, directory and standard
// streams, as PID 1 of a new sandbox, waits for it, and returns its exit code (128+n when signal n
// ended it). The caller should exit with that code.
//
// The inner process is in a process group of its own, so that a terminal's Ctrl-C reaches only
// this one, which forwards SIGINT and SIGQUIT: PID 1 ignores every signal that it does not handle.
// On SIGTERM and SIGHUP the inner process, and with it everything in the sandbox, is killed at
// once, and the code is 143 or 129. When this process dies in any other way the kernel kills the
// inner one.
//
// The error is an *Unavailable when the kernel does not allow a sandbox here.
func Reexec() (exitCode int, err error) {
	exitCode, err = reexec(os.Geteuid() != 0)
	if os.Geteuid() == 0 && errors.Is(err, syscall.EPERM) {
		// Root without CAP_SYS_ADMIN, as in many containers: it may still own a user namespace.
		var again error
		if exitCode, again = reexec(true); again == nil {
			return exitCode, nil
		}
	}
	return exitCode, err
}

func reexec(userns bool) (int, error) {
	cmd, err := innerCommand(userns)
	if err != nil {
		return 0, err
	}
	sigs := make(chan os.Signal, 16)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup and shells' background jobs mean it
			signal.Notify(sigs, s)
		}
	}
	defer signal.Stop(sigs)

	// Pdeathsig belongs to the thread that starts the child: were that thread to end while the
	// child runs, the child would be killed. Locked, it lives as long as this call.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, startError(err, userns)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return supervise(cmd, done, sigs)
}

// innerCommand is this program once more, in new namespaces.
func innerCommand(userns bool) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	outer, err := pidNamespace()
	if err != nil {
		return nil, fmt.Errorf("read this process's pid namespace: %w", err)
	}
	return &exec.Cmd{
		Path:        "/proc/self/exe", // also right when the file was moved or deleted since
		Args:        append([]string{self}, os.Args[1:]...),
		Env:         append(os.Environ(), markerEnv+"="+outer),
		Stdin:       os.Stdin,
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		SysProcAttr: namespaces(userns),
	}, nil
}

// namespaces returns the attributes of a process in a new sandbox.
func namespaces(userns bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: innerFlags,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true,
	}
	if userns {
		// Root inside, because only then do the capabilities survive the exec.
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// supervise passes signals on until the inner process ends.
func supervise(cmd *exec.Cmd, done <-chan error, sigs <-chan os.Signal) (int, error) {
	code := -1
	for {
		select {
		case sig := <-sigs:
			s, _ := sig.(syscall.Signal)
			if s == syscall.SIGTERM || s == syscall.SIGHUP {
				code, s = 128+int(s), syscall.SIGKILL
			}
			// An error means that it has just ended; then done says so.
			_ = cmd.Process.Signal(s)
		case err := <-done:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				return 0, fmt.Errorf("wait for the sandbox: %w", err)
			}
			if code < 0 {
				code = exitCodeOf(cmd.ProcessState)
			}
			return code, nil
		}
	}
}

func exitCodeOf(state *os.ProcessState) int {
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return state.ExitCode()
}

// startError tells a refusal by the kernel from any other failure to start.
func startError(err error, userns bool) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		if reason := refusal(errno, userns); reason != "" {
			return &Unavailable{Reason: reason, Err: err}
		}
	}
	return fmt.Errorf("start the sandbox: %w", err)
}

// refusal explains why the kernel answered errno to the creation of namespaces, and what to do;
// empty when errno is no refusal.
func refusal(errno syscall.Errno, userns bool) string {
	switch errno {
	case syscall.EPERM, syscall.EACCES:
		return forbidden(userns)
	case syscall.ENOSPC, syscall.EUSERS:
		for _, kind := range []string{"user", "net", "pid", "mnt"} {
			if readSysctl("user/max_"+kind+"_namespaces") == "0" {
				return fmt.Sprintf("user.max_%s_namespaces is 0; raise it (sysctl -w user.max_%[1]s_namespaces=1000)", kind) +
					orRoot(userns)
			}
		}
		return "the limit on namespaces is reached (user.max_*_namespaces, or 32 levels deep)"
	case syscall.EINVAL, syscall.ENOSYS:
		return "this kernel lacks user, network, pid or mount namespaces"
	}
	return ""
}

func forbidden(userns bool) string {
	switch {
	case !userns:
		return "this root may not make namespaces (no CAP_SYS_ADMIN); run the container with --privileged, or allow user namespaces in it"
	case readSysctl("kernel/unprivileged_userns_clone") == "0":
		return "ordinary users may not make user namespaces here (sysctl -w kernel.unprivileged_userns_clone=1)" + orRoot(userns)
	case readSysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor restricts ordinary users' user namespaces here (sysctl -w kernel.apparmor_restrict_unprivileged_userns=0)" +
			orRoot(userns)
	}
	return "a policy of this machine or container (seccomp, LSM) forbids user namespaces; allow them" + orRoot(userns)
}

func orRoot(userns bool) string {
	if userns && os.Geteuid() != 0 {
		return ", or run as root"
	}
	return ""
}

// readSysctl returns the value of a sysctl such as "kernel/yama/ptrace_scope", empty when this
// kernel has none of that name.
func readSysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}
