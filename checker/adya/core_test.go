package adya

import (
	"math/rand/v2"
	"testing"
	"time"

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
		r, err := parse(ops, func() bool { return false })
		require.NoError(t, err)
		j := judgement{records: r}
		a := anomaly{cycle: []step{}}
		for k := range r.keys {
			if d.IntN(2) == 0 {
				a.keys = append(a.keys, int32(k))
			}
		}
		for i := range r.txns {
			if r.txns[i].outcome != history.Fail && d.IntN(2) == 0 {
				a.txns = append(a.txns, int32(i))
			}
		}
		confirmed, _ := j.confirm(&a, time.Minute)
		require.False(t, confirmed, "seed %d: %v of keys %v\n%s", seed, a.txns, a.keys, described(ops))
		acquitted++
	}
	require.Greater(t, acquitted, 200)
}
