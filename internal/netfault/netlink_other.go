//go:build !linux

package netfault

import (
	"context"
	"errors"
	"runtime"
)

// OpenNetlink needs Linux.
func OpenNetlink(context.Context) (*Firewall, error) {
	return nil, errors.New("open the firewall: nftables needs Linux, this is " + runtime.GOOS)
}
