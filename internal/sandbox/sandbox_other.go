//go:build !linux

package sandbox

import (
	"net/netip"
	"os/exec"
	"runtime"
)

func needsLinux() error {
	return &Unavailable{Reason: "running a cluster needs Linux; on " + runtime.GOOS +
		" Ordeal only judges and reports (check, report)"}
}

// Inside reports whether this process is the inner one of a sandbox: never, on this system.
func Inside() bool { return false }

// Reexec needs Linux.
func Reexec() (int, error) { return 0, needsLinux() }

// Setup needs Linux.
func Setup() error { return needsLinux() }

// Ready says that a sandbox needs Linux.
func Ready() error { return needsLinux() }

// RTOMax returns the bound on TCP's retransmission time-out in milliseconds: none here.
func RTOMax() (ms int, ok bool) { return 0, false }

// Probe says that a sandbox needs Linux.
func Probe() error { return needsLinux() }

// Capabilities returns the one row there is to tell on this system.
func Capabilities() []Capability {
	return []Capability{{Name: "sandbox", Detail: needsLinux().Error()}}
}

// Star is the network of a cluster; it cannot be made on this system.
type Star struct{ _ struct{} }

// NewStar needs Linux.
func NewStar(int) (*Star, error) { return nil, needsLinux() }

// Addr returns the address that node i, counted from 1, would have.
func (s *Star) Addr(i int) netip.Addr { return nodeAddr(i) }

// Start needs Linux.
func (s *Star) Start(int, *exec.Cmd) error { return needsLinux() }

// Do needs Linux.
func (s *Star) Do(int, func() error) error { return needsLinux() }

// Close has nothing to remove on this system.
func (s *Star) Close() error { return nil }

// DieWithParent does nothing on this system, where there is no trial to start.
func DieWithParent(*exec.Cmd) {}
