package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"ordeal/internal/netfault"
)

// Probe tries whether a sandbox can be made here, without running anything in it: it creates the
// namespaces and makes the mounts private in them, then fails on purpose, because the program to
// execute does not exist. Inside a sandbox there is nothing to try. The error is an *Unavailable.
func Probe() error {
	if Inside() {
		return nil
	}
	err := probe(os.Geteuid() != 0)
	if err != nil && os.Geteuid() == 0 {
		if probe(true) == nil { // as Reexec does
			return nil
		}
	}
	return err
}

func probe(userns bool) error {
	attr := namespaces(userns)
	attr.Pdeathsig = 0 // this thread is not locked, and the child is gone before Start returns
	// Unsharing once more makes syscall mount / private, the first thing Setup has to do.
	attr.Unshareflags = syscall.CLONE_NEWNS
	cmd := &exec.Cmd{Path: "/proc/self/no-such-program", Args: []string{"probe"}, SysProcAttr: attr}
	err := cmd.Start()
	if errors.Is(err, syscall.ENOENT) {
		return nil // as far as the exec
	}
	if err == nil {
		err = errors.Join(errors.New("a program that does not exist was started"), cmd.Wait())
	}
	return startError(err, userns)
}

// Capabilities returns what `ordeal doctor` shows: each row is tried or read now, and none changes
// the machine. It takes a few milliseconds.
func Capabilities() []Capability {
	return []Capability{
		sandboxRow(),
		iptablesRow(),
		nftablesRow(),
		rtoRow(),
		ptraceRow(),
		fuseRow(),
	}
}

func sandboxRow() Capability {
	row := Capability{Name: "sandbox"}
	if err := Probe(); err != nil {
		row.Detail = err.Error()
		if u, ok := errors.AsType[*Unavailable](err); ok {
			row.Detail = u.Reason
		}
		return row
	}
	row.OK = true
	switch {
	case Inside():
		row.Detail = "this process is in one"
	case os.Geteuid() == 0:
		row.Detail = "namespaces as root"
	default:
		row.Detail = "user namespaces, no privilege needed"
	}
	return row
}

func iptablesRow() Capability {
	row := Capability{Name: "iptables-restore"}
	path, err := netfault.FindIptables()
	if err != nil {
		row.Detail = err.Error() + "; partitions go through netlink instead"
		return row
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	variant, err := netfault.IptablesVariant(ctx, path)
	if err != nil {
		row.Detail = err.Error()
		return row
	}
	return Capability{Name: row.Name, OK: true, Detail: fmt.Sprintf("%s (%s)", path, variant)}
}

func nftablesRow() Capability {
	row := Capability{Name: "nftables netlink"}
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_NETFILTER)
	if err != nil {
		row.Detail = fmt.Sprintf("the kernel has no nfnetlink: %v", err)
		return row
	}
	_ = syscall.Close(fd)
	// Whether nf_tables is behind it only the sandbox's root may ask.
	return Capability{Name: row.Name, OK: true, Detail: "the kernel answers on NETLINK_NETFILTER"}
}

func rtoRow() Capability {
	row := Capability{Name: "tcp_rto_max_ms"}
	if _, row.OK = RTOMax(); !row.OK {
		row.Detail = "needs Linux 6.15: after long cuts TCP alone may stay silent for up to two minutes"
		return row
	}
	row.Detail = fmt.Sprintf("TCP resumes within %d ms of a heal", rtoMaxMS)
	return row
}

func ptraceRow() Capability {
	scope := readSysctl("kernel/yama/ptrace_scope")
	row := Capability{Name: "ptrace", OK: scope != "3"}
	switch scope {
	case "":
		row.Detail = "no Yama"
	case "3":
		row.Detail = "forbidden until reboot (kernel.yama.ptrace_scope=3)"
	default:
		row.Detail = "kernel.yama.ptrace_scope=" + scope + ", which allows tracing one's own children"
	}
	return row
}

func fuseRow() Capability {
	row := Capability{Name: "/dev/fuse"}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		row.Detail = err.Error()
		return row
	}
	_ = f.Close()
	return Capability{Name: row.Name, OK: true, Detail: "can be opened"}
}
