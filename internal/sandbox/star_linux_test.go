package sandbox_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"ordeal/internal/sandbox"
)

func newStar(tb testing.TB, n int) *sandbox.Star {
	tb.Helper()
	s, err := sandbox.NewStar(n)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// echo makes node i answer each connection with the address of who connected.
func echo(t *testing.T, s *sandbox.Star, i int) netip.AddrPort {
	t.Helper()
	var l net.Listener
	require.NoError(t, s.Do(i, func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(s.Addr(i), 0).String())
		return err
	}))
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprint(conn, conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr())
			_ = conn.Close()
		}
	}()
	return netip.MustParseAddrPort(l.Addr().String())
}

func ask(to netip.AddrPort) (string, error) {
	conn, err := net.DialTimeout("tcp4", to.String(), 2*time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

// Every node reaches every node and itself, under its own address, and so does the hub: in several
// networks one after another, each of which leaves nothing behind.
func TestStar(t *testing.T) {
	needSandbox(t)
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, n := range []int{5, 1, 3, 5} {
		t.Run(fmt.Sprintf("%d nodes", n), func(t *testing.T) {
			s := newStar(t, n)
			for i := 1; i <= n; i++ {
				server := echo(t, s, i)
				answer, err := ask(server)
				require.NoError(t, err, "hub to node %d", i)
				require.Equal(t, sandbox.HubAddr().String(), answer)
				for j := 1; j <= n; j++ {
					require.NoError(t, s.Do(j, func() (err error) {
						answer, err = ask(server)
						return err
					}), "node %d to node %d", j, i)
					require.Equal(t, s.Addr(j).String(), answer)
				}
			}
		})
		left, err := net.Interfaces()
		require.NoError(t, err)
		for _, i := range left {
			require.NotRegexp(t, "^n[0-9]+$", i.Name)
		}
	}
}

func TestStarStart(t *testing.T) {
	needSandbox(t)
	s := newStar(t, 3)
	seen := map[string]int{}
	hub, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	seen[hub] = 0
	for i := 1; i <= 3; i++ {
		cmd := play("netns")
		out, err := os.CreateTemp(t.TempDir(), "")
		require.NoError(t, err)
		defer func() { _ = out.Close() }()
		cmd.Stdout = out
		require.NoError(t, s.Start(i, cmd))
		require.NoError(t, cmd.Wait())
		text, err := os.ReadFile(out.Name())
		require.NoError(t, err)
		require.NotContains(t, seen, string(text))
		seen[string(text)] = i
	}
	require.ErrorContains(t, s.Start(1, exec.Command("/no/such/program")), "no such file")
}

func TestStarErrors(t *testing.T) {
	needSandbox(t)
	for _, n := range []int{-1, 0, 255} {
		_, err := sandbox.NewStar(n)
		require.ErrorContains(t, err, "from 1 to 254")
	}
	s := newStar(t, 2)
	_, err := sandbox.NewStar(2)
	require.ErrorContains(t, err, "has a network already")
	_, err = net.InterfaceByName("n2")
	require.NoError(t, err, "and it still has it")
	require.ErrorContains(t, s.Do(3, func() error { return nil }), "nodes 1 to 2")
	require.ErrorContains(t, s.Do(1, func() error { runtime.Goexit(); return nil }), "ended its goroutine")
	require.ErrorIs(t, s.Do(1, func() error { return io.EOF }), io.EOF)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.ErrorContains(t, s.Do(1, func() error { return nil }), "closed")
}

func BenchmarkStar5(b *testing.B) {
	if err := sandbox.Ready(); err != nil {
		b.Skip(err)
	}
	var up, down time.Duration
	for b.Loop() {
		begin := time.Now()
		s, err := sandbox.NewStar(5)
		require.NoError(b, err)
		made := time.Now()
		require.NoError(b, s.Close())
		up += made.Sub(begin)
		down += time.Since(made)
	}
	b.ReportMetric(float64(up.Microseconds())/float64(b.N)/1e3, "ms/make")
	b.ReportMetric(float64(down.Microseconds())/float64(b.N)/1e3, "ms/close")
}
