package netfault_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"ordeal/internal/netfault"
	"ordeal/internal/sandbox"
)

func pairs(s *sandbox.Star, links ...[2]int) []netfault.Pair {
	var list []netfault.Pair
	for _, l := range links {
		list = append(list, netfault.Pair{From: s.Addr(l[0]), To: s.Addr(l[1])})
	}
	return list
}

func TestCuts(t *testing.T) {
	forEachBackend(t, 3, func(t *testing.T, s *sandbox.Star, f *netfault.Firewall) {
		defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
		ctx := t.Context()
		t.Log(f.Backend())
		boxes := []mailbox{newMailbox(t, s, 1), newMailbox(t, s, 2), newMailbox(t, s, 3)}
		dropped := func(id string) int {
			n, err := f.Dropped(ctx, id)
			require.NoError(t, err)
			return int(n)
		}
		requireReach(t, boxes)

		require.NoError(t, f.Cut(ctx, "one-way", pairs(s, [2]int{1, 2})))
		requireReach(t, boxes, [2]int{1, 2})
		require.Equal(t, 1, dropped("one-way"))

		// Overlapping: the union is cut, and each counts from its own beginning.
		isolate := [][2]int{{1, 2}, {2, 1}, {1, 3}, {3, 1}}
		require.NoError(t, f.Cut(ctx, "isolate n1", pairs(s, isolate...)))
		requireReach(t, boxes, isolate...)
		require.Equal(t, 2, dropped("one-way"))
		require.Equal(t, 4, dropped("isolate n1"))
		require.ErrorContains(t, f.Cut(ctx, "one-way", nil), "in force already")

		// Healing one leaves the other, and the healed one's count stays.
		require.NoError(t, f.Heal(ctx, "one-way"))
		requireReach(t, boxes, isolate...)
		require.Equal(t, 2, dropped("one-way"))
		require.Equal(t, 8, dropped("isolate n1"))

		require.NoError(t, f.Heal(ctx, "isolate n1"))
		require.NoError(t, f.Heal(ctx, "isolate n1"))
		require.NoError(t, f.Heal(ctx, "never cut"))
		requireReach(t, boxes)
		require.Equal(t, 8, dropped("isolate n1"))
		_, err := f.Dropped(ctx, "never cut")
		require.ErrorContains(t, err, "no such cut")

		// Again under the same name: the count begins anew.
		require.NoError(t, f.Cut(ctx, "one-way", pairs(s, [2]int{3, 2})))
		require.NoError(t, f.Cut(ctx, "nothing", nil))
		require.Zero(t, dropped("one-way"))
		requireReach(t, boxes, [2]int{3, 2})
		require.Equal(t, 1, dropped("one-way"))
		require.NoError(t, f.HealAll(ctx))
		requireReach(t, boxes)
		require.Equal(t, 1, dropped("one-way"))
		require.Zero(t, dropped("nothing"))
	})
}

// A TCP connection stalls while it is cut, the harness is not cut off, and after the heal the
// connection goes on by itself.
func TestTCP(t *testing.T) {
	forEachBackend(t, 2, func(t *testing.T, s *sandbox.Star, f *netfault.Firewall) {
		ctx := t.Context()
		var l net.Listener
		require.NoError(t, s.Do(2, func() (err error) {
			l, err = net.Listen("tcp4", netip.AddrPortFrom(s.Addr(2), 0).String())
			return err
		}))
		defer func() { _ = l.Close() }()
		go func() {
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer func() { _ = conn.Close() }()
					_, _ = io.Copy(conn, conn) // an echo, until the other side closes
				}()
			}
		}()
		dial := func() (conn net.Conn, err error) {
			conn, err = net.DialTimeout("tcp4", l.Addr().String(), 300*time.Millisecond)
			return conn, err
		}
		var client net.Conn
		require.NoError(t, s.Do(1, func() (err error) { client, err = dial(); return err }))
		defer func() { _ = client.Close() }()
		harness, err := dial()
		require.NoError(t, err)
		defer func() { _ = harness.Close() }()
		echo := func(conn net.Conn, word string, patience time.Duration) error {
			if _, err := conn.Write([]byte(word)); err != nil {
				return err
			}
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				return err
			}
			_, err := io.ReadFull(conn, make([]byte, len(word)))
			return err
		}
		require.NoError(t, echo(client, "before", time.Second))
		require.NoError(t, f.Cut(ctx, "both ways", pairs(s, [2]int{1, 2}, [2]int{2, 1})))
		require.ErrorIs(t, echo(client, "during", 300*time.Millisecond), os.ErrDeadlineExceeded)
		require.NoError(t, echo(harness, "harness", time.Second))
		require.Error(t, s.Do(1, func() error { _, err := dial(); return err }), "no new connection")
		n, err := f.Dropped(ctx, "both ways")
		require.NoError(t, err)
		require.Positive(t, n)
		require.NoError(t, f.Heal(ctx, "both ways"))
		require.NoError(t, echo(client, "after.", 3*time.Second))
	})
}

func TestBadPairs(t *testing.T) {
	forEachBackend(t, 2, func(t *testing.T, s *sandbox.Star, f *netfault.Firewall) {
		v6 := netip.MustParseAddr("fe80::1")
		for _, p := range []netfault.Pair{{}, {From: s.Addr(1)}, {From: s.Addr(1), To: v6}, {From: s.Addr(1), To: s.Addr(1)}} {
			require.ErrorContains(t, f.Cut(t.Context(), "bad", []netfault.Pair{p}), "two IPv4 addresses")
		}
	})
}

func TestContext(t *testing.T) {
	forEachBackend(t, 2, func(t *testing.T, s *sandbox.Star, f *netfault.Firewall) {
		boxes := []mailbox{newMailbox(t, s, 1), newMailbox(t, s, 2)}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, f.Cut(over, "c", pairs(s, [2]int{1, 2})), context.Canceled)
		requireReach(t, boxes)
		require.NoError(t, f.Cut(t.Context(), "c", pairs(s, [2]int{1, 2})))
		require.ErrorIs(t, f.Heal(over, "c"), context.Canceled)
		_, err := f.Dropped(over, "c")
		require.ErrorIs(t, err, context.Canceled)
		requireReach(t, boxes, [2]int{1, 2})
		require.NoError(t, f.Heal(t.Context(), "c"))
		requireReach(t, boxes)
	})
}

func TestConcurrent(t *testing.T) {
	forEachBackend(t, 3, func(t *testing.T, s *sandbox.Star, f *netfault.Firewall) {
		ctx := t.Context()
		boxes := []mailbox{newMailbox(t, s, 1), newMailbox(t, s, 2), newMailbox(t, s, 3)}
		var wg sync.WaitGroup
		for worker := range 4 {
			wg.Go(func() {
				id := strconv.Itoa(worker)
				for range 10 {
					err := errors.Join(f.Cut(ctx, id, pairs(s, [2]int{1 + worker%3, 1 + (worker+1)%3})))
					_, err2 := f.Dropped(ctx, id)
					if err := errors.Join(err, err2, f.Heal(ctx, id)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		requireReach(t, boxes)
	})
}

// A firewall that was never closed does not spoil the next one.
func TestReopen(t *testing.T) {
	if err := sandbox.Ready(); err != nil {
		skip(t, err)
	}
	for name, open := range backends() {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			lost, err := open(ctx)
			if err != nil {
				t.Skip(err)
			}
			s, err := sandbox.NewStar(2)
			require.NoError(t, err)
			defer func() { _ = s.Close() }()
			require.NoError(t, lost.Cut(ctx, "c", pairs(s, [2]int{1, 2})))
			f, err := open(ctx)
			require.NoError(t, err)
			boxes := []mailbox{newMailbox(t, s, 1), newMailbox(t, s, 2)}
			requireReach(t, boxes)
			require.NoError(t, f.Close(ctx))
			require.NoError(t, f.Close(ctx))
			require.ErrorContains(t, f.Cut(ctx, "c", nil), "closed")
			requireReach(t, boxes)
		})
	}
}

func TestOpenPrefersIptables(t *testing.T) {
	if err := sandbox.Ready(); err != nil {
		skip(t, err)
	}
	if _, err := netfault.FindIptables(); err != nil {
		skip(t, err)
	}
	t.Setenv("PATH", "/nowhere") // as an ordinary user's: it is looked for in /usr/sbin
	f, err := netfault.Open(t.Context())
	require.NoError(t, err)
	require.Contains(t, f.Backend(), "iptables-restore (")
	require.NoError(t, f.Close(t.Context()))
}

// An iptables-restore that does not work, first on PATH: netlink takes over.
func TestOpenFallsBack(t *testing.T) {
	if err := sandbox.Ready(); err != nil {
		skip(t, err)
	}
	dir := t.TempDir()
	script := "#!/bin/sh\necho broken >&2\nexit 1\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "iptables-restore"), []byte(script), 0o755))
	t.Setenv("PATH", dir)
	f, err := netfault.Open(t.Context())
	require.NoError(t, err)
	require.Equal(t, "nftables netlink", f.Backend())
	require.NoError(t, f.Close(t.Context()))
	_, err = netfault.OpenIptables(t.Context(), filepath.Join(dir, "iptables-restore"))
	require.ErrorContains(t, err, "broken")
}

func BenchmarkCutHeal20(b *testing.B) {
	if err := sandbox.Ready(); err != nil {
		b.Skip(err)
	}
	var all []netfault.Pair
	for i := byte(1); i <= 5; i++ {
		for j := byte(1); j <= 5; j++ {
			if i != j {
				all = append(all, netfault.Pair{From: netip.AddrFrom4([4]byte{10, 77, 0, i}), To: netip.AddrFrom4([4]byte{10, 77, 0, j})})
			}
		}
	}
	for name, open := range backends() {
		b.Run(name, func(b *testing.B) {
			f, err := open(b.Context())
			if err != nil {
				b.Skip(err)
			}
			var cut, heal time.Duration
			for b.Loop() {
				begin := time.Now()
				require.NoError(b, f.Cut(b.Context(), "c", all))
				made := time.Now()
				require.NoError(b, f.Heal(b.Context(), "c"))
				cut += made.Sub(begin)
				heal += time.Since(made)
			}
			b.ReportMetric(float64(cut.Microseconds())/float64(b.N)/1e3, "ms/cut")
			b.ReportMetric(float64(heal.Microseconds())/float64(b.N)/1e3, "ms/heal")
			require.NoError(b, f.Close(context.Background()))
		})
	}
}
