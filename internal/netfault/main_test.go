package netfault_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/internal/netfault"
	"ordeal/internal/sandbox"
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	code, done, err := sandbox.Enter()
	if done {
		return code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // the tests that need it skip, or fail under ORDEAL_REQUIRE
	}
	return m.Run()
}

// skip skips the test, or fails it where ORDEAL_REQUIRE wants the network.
func skip(tb testing.TB, why error) {
	tb.Helper()
	if sandbox.Required("net") {
		tb.Fatal(why)
	}
	tb.Skip(why)
}

// backends are the ways to put rules in, each opened in the sandbox's own namespace.
func backends() map[string]func(context.Context) (*netfault.Firewall, error) {
	program := func(names ...string) func(context.Context) (*netfault.Firewall, error) {
		return func(ctx context.Context) (*netfault.Firewall, error) {
			for _, name := range names {
				for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
					if _, err := os.Stat(dir + name); err == nil {
						return netfault.OpenIptables(ctx, dir+name)
					}
				}
			}
			return nil, os.ErrNotExist
		}
	}
	return map[string]func(context.Context) (*netfault.Firewall, error){
		"iptables": program("iptables-restore"),
		"legacy":   program("iptables-legacy-restore"),
		"netlink":  netfault.OpenNetlink,
	}
}

// forEachBackend runs the test with a star of n nodes and a firewall.
func forEachBackend(t *testing.T, n int, test func(*testing.T, *sandbox.Star, *netfault.Firewall)) {
	if err := sandbox.Ready(); err != nil {
		skip(t, err)
	}
	for name, open := range backends() {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			f, err := open(ctx)
			switch {
			case name == "legacy" && err != nil:
				t.Skip(err) // an extra: not every kernel has it
			case errors.Is(err, os.ErrNotExist):
				skip(t, errors.New("iptables-restore is not installed"))
			}
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, f.Close(context.Background())) })
			star, err := sandbox.NewStar(n)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, star.Close()) })
			test(t, star, f)
		})
	}
}

// mailbox is a UDP socket of a node.
type mailbox struct {
	*net.UDPConn
	addr netip.AddrPort
}

func newMailbox(t *testing.T, s *sandbox.Star, i int) mailbox {
	t.Helper()
	var conn *net.UDPConn
	require.NoError(t, s.Do(i, func() (err error) {
		conn, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.Addr(i), 0)))
		return err
	}))
	t.Cleanup(func() { _ = conn.Close() })
	return mailbox{conn, netip.MustParseAddrPort(conn.LocalAddr().String())}
}

// reaches reports whether a packet gets from one node to the other. Packets on a veth arrive at
// once or never; the wait for "never" is what a busy machine may need for "at once".
func reaches(t *testing.T, from, to mailbox) bool {
	t.Helper()
	word := strconv.FormatInt(time.Now().UnixNano(), 10)
	_, err := from.WriteToUDPAddrPort([]byte(word), to.addr)
	require.NoError(t, err)
	require.NoError(t, to.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	buf := make([]byte, 64)
	for {
		n, _, err := to.ReadFromUDPAddrPort(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return false
		}
		require.NoError(t, err)
		if string(buf[:n]) == word {
			return true
		}
	}
}

// requireReach checks every link of the star against what is to be cut.
func requireReach(t *testing.T, boxes []mailbox, cut ...[2]int) {
	t.Helper()
	for i, from := range boxes {
		for j, to := range boxes {
			want := true
			for _, c := range cut {
				want = want && c != [2]int{i + 1, j + 1}
			}
			require.Equal(t, want, reaches(t, from, to), "n%d to n%d", i+1, j+1)
		}
	}
}
