package adya

import (
	"math/rand/v2"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// TestACoreOfWhatIsLegalIsAcquitted: what Porcupine confirms is worth something only if it acquits any part of a
// history that is legal as a whole.
func TestACoreOfWhatIsLegalIsAcquitted(t *testing.T) {
	acquitted := 0
	for seed := range uint64(500) {
		d := dice{Rand: rand.New(rand.NewPCG(seed, 4))}
		ops := d.history()
		if Transactions(checker.Budget{}).Check(t.Context(), ops).Status != checker.Valid {
			continue
		}
		r, err := parse(ops, 1<<30, func() bool { return false })
		require.NoError(t, err)
		j := judgement{records: r, budget: checker.Budget{Memory: 1 << 30}}
		var keys, txns []int32
		for k := range r.keys {
			if d.IntN(2) == 0 {
				keys = append(keys, int32(k))
			}
		}
		for i := range r.txns {
			if r.txns[i].outcome != history.Fail && d.IntN(2) == 0 {
				txns = append(txns, int32(i))
			}
		}
		require.Equal(t, porcupine.Ok, j.search(t.Context(), txns, keys), "seed %d: %v of keys %v\n%s", seed, txns, keys, described(ops))
		acquitted++
	}
	require.Greater(t, acquitted, 200)
}
