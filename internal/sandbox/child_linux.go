package sandbox

import (
	"os/exec"
	"syscall"
)

// DieWithParent makes the kernel kill cmd's process when the thread that starts it ends, and puts it
// into a process group of its own, so that a terminal's Ctrl-C does not reach it. The caller locks its
// thread for as long as the process is to live. Call it before cmd.Start.
func DieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
