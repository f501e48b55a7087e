package kv

import (
	"os"
	"syscall"
)

// syncData syncs what is in a file, and its size, but not its times.
func syncData(f *os.File) error {
	return os.NewSyscallError("fdatasync "+f.Name(), syscall.Fdatasync(int(f.Fd())))
}
