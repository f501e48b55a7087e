package sandbox

import (
	"bufio"
	"bytes"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// startReaper starts the goroutine that does PID 1's duty: to reap the processes whose parents
// died before them, and only those, because the exit status of a child of os/exec belongs to
// whoever calls its Wait.
//
// The two are told apart by the file table. Since Go 1.23 os.StartProcess, and os/exec with it,
// asks the kernel for a pidfd in the same clone that makes the child, and keeps it until Wait or
// Release: so a dead child that no pidfd of this process refers to has nobody who could wait for
// it. Children of a bare syscall.ForkExec, which nothing here uses, would be taken for orphans.
// Where the kernel has no pidfds (before 5.4) nothing is reaped; zombies then last as long as the
// sandbox.
func startReaper() {
	died := make(chan os.Signal, 1) // one is enough: a sweep reaps all there are
	signal.Notify(died, unix.SIGCHLD)
	go func() {
		for {
			var again <-chan time.Time
			if reapOrphans() > 0 {
				// Nothing tells when the holder of a pidfd lets go.
				again = time.After(time.Second)
			}
			select {
			case <-died:
			case <-again:
			}
		}
	}()
}

// reapOrphans reaps every dead orphan of this process and returns how many dead children are left
// to others.
func reapOrphans() (left int) {
	for _, pid := range deadChildren() {
		if !reapOrphan(pid) {
			left++
		}
	}
	return left
}

// deadChildren returns the zombies whose parent is this process.
func deadChildren() []int {
	entries, _ := os.ReadDir("/proc") // a partial list is made good by the next sweep
	parent := strconv.Itoa(os.Getpid())
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		// pid (comm) state ppid …: comm may hold anything, also parentheses.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[0] == "Z" && fields[1] == parent {
			pids = append(pids, pid)
		}
	}
	return pids
}

// reapOrphan reaps pid unless a pidfd elsewhere in this process refers to it, and reports whether
// it is gone. It works on a pidfd of its own, so that a pid that is reused in between is safe.
func reapOrphan(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err == unix.ESRCH
	}
	defer func() { _ = unix.Close(fd) }()
	if pidfdHeld(pid, fd) {
		return false
	}
	for {
		err := unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED|unix.WNOHANG, nil)
		if err != unix.EINTR {
			return err == nil || err == unix.ECHILD
		}
	}
}

// pidfdHeld reports whether a file descriptor of this process other than except is a pidfd of pid.
// When in doubt it says yes: a zombie more is better than an exit status less.
func pidfdHeld(pid, except int) bool {
	const fdinfo = "/proc/self/fdinfo"
	entries, err := os.ReadDir(fdinfo)
	if err != nil {
		return true
	}
	for _, entry := range entries {
		if entry.Name() == strconv.Itoa(except) {
			continue
		}
		info, err := os.ReadFile(fdinfo + "/" + entry.Name())
		if err != nil {
			continue // closed since
		}
		for sc := bufio.NewScanner(bytes.NewReader(info)); sc.Scan(); {
			if value, ok := strings.CutPrefix(sc.Text(), "Pid:"); ok && strings.TrimSpace(value) == strconv.Itoa(pid) {
				return true
			}
		}
	}
	return false
}
