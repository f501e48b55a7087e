package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// rtoMaxPath exists since Linux 6.15, once for each network namespace.
const rtoMaxPath = "/proc/sys/net/ipv4/tcp_rto_max_ms"

// Setup makes the inside of a sandbox ready: no mount reaches the host, /proc shows the sandbox's
// processes, /run is empty and writable (unless this program needs what is there), lo is up,
// packets are forwarded between nodes, TCP backs off no longer than a second (where the kernel can:
// see RTOMax), and orphans are reaped. Call it once, in the inner process, before anything is
// started; it also starts the goroutine that reaps. The error is an *Unavailable when a policy
// forbids one of these.
func Setup() error {
	if !Inside() {
		return errors.New("set up the sandbox: this process is not in one")
	}
	for _, step := range []func() error{setupMounts, setupNetwork} {
		if err := step(); errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
			return &Unavailable{Reason: "a policy of this machine or container forbids a step inside the new namespaces; " +
				"allow it (in a container: --privileged), or run on the host", Err: err}
		} else if err != nil {
			return fmt.Errorf("set up the sandbox: %w", err)
		}
	}
	// This process group is never a terminal's foreground one. PID 1 cannot be stopped either, so
	// that the kernel would have it repeat such a write or read for ever.
	signal.Ignore(unix.SIGTTOU, unix.SIGTTIN)
	startReaper()
	return nil
}

func setupMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make / private: %w", err)
	}
	const quiet = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("proc", "/proc", "proc", quiet, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if inUse("/run") {
		return nil
	}
	// For xtables.lock, which an ordinary user could not write in the host's /run.
	err := unix.Mount("tmpfs", "/run", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755")
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("mount a tmpfs on /run: %w", err)
	}
	return nil
}

// inUse reports whether this program, its working directory or its temporary files are below the
// directory, which must then not be covered: many systems mount sticks and drives below /run.
// Without a /run of its own an ordinary user's sandbox falls back from iptables to netlink.
func inUse(dir string) bool {
	program, err := os.Executable()
	cwd, err2 := os.Getwd()
	if errors.Join(err, err2) != nil {
		return false // not to be found by name anyway
	}
	for _, path := range []string{program, cwd, os.TempDir()} {
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			path = resolved
		}
		if path == dir || strings.HasPrefix(path, dir+"/") {
			return true
		}
	}
	return false
}

func setupNetwork() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	if err := loopbackUp(h); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
		return fmt.Errorf("forward packets: %w", err)
	}
	return boundRTO()
}

func loopbackUp(h *netlink.Handle) error {
	lo, err := h.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := h.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// boundRTO bounds TCP's back-off in the network namespace of the calling thread, where the kernel
// has the setting.
func boundRTO() error {
	err := os.WriteFile(rtoMaxPath, []byte(strconv.Itoa(rtoMaxMS)), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("bound TCP's back-off: %w", err)
	}
	return nil
}

// RTOMax returns the bound on TCP's retransmission time-out here, in milliseconds; ok is false
// where the kernel has no such setting and a healed connection may stay silent for many seconds.
func RTOMax() (ms int, ok bool) {
	ms, err := strconv.Atoi(readSysctl("net/ipv4/tcp_rto_max_ms"))
	return ms, err == nil
}

// Ready returns nil in a sandbox that is set up, and otherwise the reason why this process is not
// in one. Tests that need a sandbox ask it whether to run, skip or fail: see Required.
func Ready() error {
	if !Inside() {
		if err := Probe(); err != nil {
			return err
		}
		return &Unavailable{Reason: "nobody made one: call sandbox.Enter first"}
	}
	if self, err := os.Readlink("/proc/self"); err != nil || self != "1" {
		return &Unavailable{Reason: "it could not be set up: /proc shows another one's processes", Err: err}
	}
	return nil
}
