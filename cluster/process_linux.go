package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollEvery is how often /proc is asked. Threads stop within a millisecond.
const pollEvery = 200 * time.Microsecond

// ownGroup puts a process into a process group of its own, so that one signal reaches it and all
// its children.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killGroup(pid int) error     { return signalGroup(pid, unix.SIGKILL) }
func stopGroup(pid int) error     { return signalGroup(pid, unix.SIGSTOP) }
func continueGroup(pid int) error { return signalGroup(pid, unix.SIGCONT) }

// signalGroup signals the process group that pid leads. The leader must not have been reaped.
func signalGroup(pid int, s unix.Signal) error {
	if err := unix.Kill(-pid, s); err != nil {
		return fmt.Errorf("send %s to the process group %d: %w", unix.SignalName(s), pid, err)
	}
	return nil
}

// awaitExit waits until the child pid has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// diedOfKill reports whether SIGKILL ended the process.
func diedOfKill(state *os.ProcessState) bool {
	if state == nil {
		return false
	}
	ws, ok := state.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// awaitStopped waits until every thread of the process group is stopped. The error names a thread
// that is not.
func awaitStopped(ctx context.Context, group int, ended <-chan struct{}) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		moving, err := movingThread(group)
		if err != nil {
			return err
		}
		if moving == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ended:
			return errEnded
		case <-ctx.Done():
			return fmt.Errorf("%s has not stopped: %w", moving, ctx.Err())
		}
	}
}

// movingThread describes a thread of the process group that is neither stopped nor dead; empty
// when there is none.
func movingThread(group int) (string, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return "", fmt.Errorf("list processes: %w", err)
	}
	found := false
	for _, entry := range entries {
		pid := entry.Name()
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		_, pgrp, err := readStat("/proc/" + pid + "/stat")
		if err != nil || pgrp != group {
			continue // gone, or not ours
		}
		found = true
		if moving, err := movingThreadOf(pid); moving != "" || err != nil {
			return moving, err
		}
	}
	if !found {
		return "", errEnded
	}
	return "", nil
}

func movingThreadOf(pid string) (string, error) {
	tasks, err := os.ReadDir("/proc/" + pid + "/task")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // gone since
	}
	if err != nil {
		return "", err
	}
	for _, task := range tasks {
		state, _, err := readStat("/proc/" + pid + "/task/" + task.Name() + "/stat")
		if err != nil {
			continue // gone since
		}
		switch state {
		case "T", "t", "Z", "X": // stopped, stopped by a tracer, dead
		default:
			return fmt.Sprintf("thread %s of process %s, in state %s,", task.Name(), pid, state), nil
		}
	}
	return "", nil
}

// readStat reads state and process group from a /proc stat file.
func readStat(path string) (state string, pgrp int, err error) {
	stat, err := os.ReadFile(path)
	if err != nil {
		return "", 0, err
	}
	// pid (comm) state ppid pgrp …: comm may hold anything, also parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 3 {
		return "", 0, fmt.Errorf("%s: unexpected content %q", path, stat)
	}
	pgrp, err = strconv.Atoi(fields[2])
	return fields[0], pgrp, err
}
