package kv

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// requirePatience checks that a loss is reported as soon as the kernel gives up the stream: without
// limitPatience that takes a quarter of an hour.
func requirePatience(t *testing.T, s *sender, l net.Listener) {
	require.Equal(t, uint64(2), <-s.losses)
	a := accept(t, l)
	s.Send(heartbeat(100))
	require.Equal(t, uint64(100), a.next(), "a fresh stream; nothing is repeated")
	require.Empty(t, s.losses)
}

// TestBlackHole: a peer whose packets no longer arrive, as in a partition, is given up and dialled again.
func TestBlackHole(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	s := sendTo(t, l.Addr().String())
	s.Send(heartbeat(1))
	a := accept(t, l)
	require.Equal(t, uint64(1), a.next())
	raw, err := a.conn.(*net.TCPConn).SyscallConn()
	require.NoError(t, err)
	dropAll := unix.SockFprog{Len: 1, Filter: &unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	require.NoError(t, raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &dropAll)
	}))
	require.NoError(t, err)
	s.Send(heartbeat(2))
	requirePatience(t, s, l)
}

// TestFullPipe: a peer that takes what it is sent no longer, as one that is paused, is given up, too.
func TestFullPipe(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	s := sendTo(t, l.Addr().String())
	big := heartbeat(1)
	big.Context = make([]byte, 16<<20)
	s.Send(big)
	accept(t, l)
	requirePatience(t, s, l)
}
