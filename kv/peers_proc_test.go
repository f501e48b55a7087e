//go:build linux

package kv_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// memory is what a process occupies, in MiB, as /proc tells it.
type memory struct {
	rss  float64 // resident: heap, stacks, and pages of mapped files, a database among them
	peak float64 // the most that rss ever was
	anon float64 // the part of rss that no file backs: heap and stacks
	pss  float64 // rss, with pages shared between processes, such as the program's, divided among them
}

// memoryOf is the mean of some processes.
func memoryOf(b *testing.B, pids []int) (mean memory) {
	n := float64(len(pids))
	for _, pid := range pids {
		status := procFields(b, pid, "status")
		mean.rss += mebibytes(b, status, "VmRSS") / n
		mean.peak += mebibytes(b, status, "VmHWM") / n
		mean.anon += mebibytes(b, status, "RssAnon") / n
		mean.pss += mebibytes(b, procFields(b, pid, "smaps_rollup"), "Pss") / n
	}
	return mean
}

// procFields reads lines of the form "Name:  value".
func procFields(b *testing.B, pid int, file string) map[string]string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
	require.NoError(b, err)
	fields := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

func mebibytes(b *testing.B, fields map[string]string, name string) float64 {
	kib, err := strconv.ParseFloat(strings.TrimSuffix(fields[name], " kB"), 64)
	require.NoError(b, err, "%s: %q", name, fields[name])
	return kib / 1024
}

// cpuOf is the processor time that some processes have used, all together, to a hundredth of a second.
func cpuOf(b *testing.B, pids []int) (sum time.Duration) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		require.NoError(b, err)
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // from the third on: proc(5)
		for _, field := range fields[11:13] {
			n, err := strconv.ParseInt(string(field), 10, 64)
			require.NoError(b, err)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// requireDisk refuses a directory in memory, where a sync costs nothing.
func requireDisk(b *testing.B, dir string) {
	const tmpfs = 0x01021994 // statfs(2)
	var fs syscall.Statfs_t
	require.NoError(b, syscall.Statfs(dir, &fs))
	require.False(b, fs.Type == tmpfs, "%s is in memory: set TMPDIR to a disk", dir)
}
