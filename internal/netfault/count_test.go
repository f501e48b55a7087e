package netfault

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func pair(i, j byte) Pair {
	return Pair{netip.AddrFrom4([4]byte{10, 77, 0, i}), netip.AddrFrom4([4]byte{10, 77, 0, j})}
}

func TestParseCount(t *testing.T) {
	p, n, ok := parseCount("[12:720] -A NEM -s 10.77.0.1/32 -d 10.77.0.2/32 -j DROP\n")
	require.True(t, ok)
	require.Equal(t, pair(1, 2), p)
	require.Equal(t, uint64(12), n)
	for _, line := range []string{
		"",
		"*filter",
		":NEM - [0:0]",
		"[1:2] -A FORWARD -j NEM",
		"[1:2] -A OTHER -s 10.77.0.1/32 -d 10.77.0.2/32 -j DROP",
		"[x:2] -A NEM -s 10.77.0.1/32 -d 10.77.0.2/32 -j DROP",
		"[1:2] -A NEM -s ten/32 -d 10.77.0.2/32 -j DROP",
	} {
		_, _, ok := parseCount(line)
		require.False(t, ok, line)
	}
}

// fake is a kernel that can be told to fail.
type fake struct {
	rules map[Pair]uint64
	// failure of the next replace; done says that it fails after its work
	failure error
	done    bool
	// failure of every counts
	blind error
}

func (k *fake) name() string { return "fake" }

func (k *fake) replace(_ context.Context, pairs []Pair) error {
	err := k.failure
	k.failure = nil
	if err == nil || k.done {
		k.rules = map[Pair]uint64{}
		for _, p := range pairs {
			k.rules[p] = 0
		}
	}
	return err
}

func (k *fake) counts(context.Context) (map[Pair]uint64, error) {
	return maps.Clone(k.rules), k.blind
}

func (k *fake) remove(context.Context) error { return nil }

// A replacement that fails, perhaps after it was done, leaves nothing cut that nobody wants.
func TestFailures(t *testing.T) {
	ctx := t.Context()
	for _, done := range []bool{false, true} {
		kernel := &fake{done: done}
		f := newFirewall(kernel)
		broken := errors.New("broken")

		kernel.failure = broken
		require.ErrorIs(t, f.Cut(ctx, "a", []Pair{pair(1, 2)}), broken)
		require.NoError(t, f.Heal(ctx, "a"))
		require.Empty(t, kernel.rules)

		require.NoError(t, f.Cut(ctx, "a", []Pair{pair(1, 2)}))
		kernel.rules[pair(1, 2)] = 3
		kernel.failure = broken
		require.ErrorIs(t, f.Heal(ctx, "a"), broken)
		kernel.blind = broken
		require.NoError(t, f.Heal(ctx, "a"), "counters that cannot be read do not keep it cut")
		require.Empty(t, kernel.rules)
		_, err := f.Dropped(ctx, "a")
		require.ErrorIs(t, err, broken)
		kernel.blind = nil

		// Counters that a failed replacement set back do not turn into a huge count.
		require.NoError(t, f.Cut(ctx, "b", []Pair{pair(1, 2)}))
		kernel.rules[pair(1, 2)] = 5
		require.NoError(t, f.Cut(ctx, "c", []Pair{pair(1, 2)}))
		kernel.failure = broken
		require.ErrorIs(t, f.Cut(ctx, "d", []Pair{pair(1, 2)}), broken)
		for _, id := range []string{"b", "c"} {
			n, err := f.Dropped(ctx, id)
			require.NoError(t, err)
			require.LessOrEqual(t, n, uint64(5))
		}
		require.NoError(t, f.HealAll(ctx))
		require.Empty(t, kernel.rules)
	}
}
