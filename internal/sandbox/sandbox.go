// Package sandbox gives the harness a machine of its own: new network, pid and mount namespaces
// (and a user namespace unless it is root) that die with the harness, and inside them a star of
// network namespaces, one for each node.
//
// It does not know what runs in the sandbox, which packets are dropped, or what a run is. The
// facts it is built on are in FAULTS.md, "Sandbox".
package sandbox

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// markerEnv names the environment variable by which the inner process knows that Reexec started
// it. Its value is the outer process's pid namespace, so that a copy of the environment in some
// other process does not pass for a sandbox; see Inside.
const markerEnv = "ORDEAL_SANDBOX"

// requireEnv names the environment variable that turns skips into failures; see Required.
const requireEnv = "ORDEAL_REQUIRE"

// rtoMaxMS is the bound on TCP's retransmission time-out in the sandbox, in milliseconds. Without
// it the kernel backs off up to two minutes, and the time a cut takes to heal measures the
// kernel's patience instead of the system under test (15 s after a cut of 40 s; with it < 1 s).
const rtoMaxMS = 1000

// MaxNodes is the largest star: node i has the address 10.77.0.i.
const MaxNodes = 254

// Unavailable says that this machine, or this user on it, cannot have a sandbox. Everything else
// that goes wrong is a plain error; only Unavailable is a reason to skip.
type Unavailable struct {
	// Reason is what forbids it and what to do about it, in words for the user.
	Reason string
	// Err is the kernel's answer, nil when there was none.
	Err error
}

// Error returns the reason, then the kernel's own words.
func (u *Unavailable) Error() string {
	if u.Err == nil {
		return "no sandbox: " + u.Reason
	}
	return fmt.Sprintf("no sandbox: %s (%v)", u.Reason, u.Err)
}

// Unwrap returns the kernel's answer.
func (u *Unavailable) Unwrap() error { return u.Err }

// Capability is one row of `ordeal doctor`: something a fault may need, and whether it is here.
type Capability struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what was found, or what is missing and how to get it
}

// Enter is the whole protocol for a main function or a TestMain. Outside, it re-executes the
// program in a sandbox and returns done with the exit code to leave with. Inside, it sets the
// sandbox up and returns not done: the caller goes on with its work. An error that is an
// *Unavailable means that the caller is not in a sandbox and cannot be; it may go on without.
func Enter() (code int, done bool, err error) {
	if Inside() {
		return 0, false, Setup()
	}
	code, err = Reexec()
	if err != nil {
		return 0, false, err
	}
	return code, true, nil
}

// Required reports whether the environment variable ORDEAL_REQUIRE, a comma list such as
// "net,fuse", names the capability: then a test must fail where it would skip, so that no CI
// passes by doing nothing.
func Required(capability string) bool {
	words := strings.Split(os.Getenv(requireEnv), ",")
	return slices.ContainsFunc(words, func(w string) bool { return strings.TrimSpace(w) == capability })
}

// nodeAddr returns the address of node i, counted from 1.
func nodeAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(i)}) }

// HubAddr returns the harness's own address, the source of whatever it sends to the nodes.
func HubAddr() netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 255, 254}) }
