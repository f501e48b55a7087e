//go:build !linux

package cluster

import (
	"context"
	"errors"
	"os"
	"runtime"
	"syscall"
)

// New fails before any of these is called on such a system.
func needsLinux() error { return errors.New("running nodes needs Linux, this is " + runtime.GOOS) }

func ownGroup() *syscall.SysProcAttr                           { return nil }
func killGroup(int) error                                      { return needsLinux() }
func stopGroup(int) error                                      { return needsLinux() }
func continueGroup(int) error                                  { return needsLinux() }
func movingThread(int) (string, error)                         { return "", needsLinux() }
func awaitExit(int)                                            {}
func diedOfKill(*os.ProcessState) bool                         { return false }
func awaitStopped(context.Context, int, <-chan struct{}) error { return needsLinux() }
