package workloads

import (
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// draw takes n operations of each client, all clients at once.
func draw(w Workload, clients, n int) [][]history.Event {
	all := make([][]history.Event, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for op := range w.Ops(rand.New(rand.NewPCG(7, uint64(c))), c) {
				if all[c] = append(all[c], op); len(all[c]) == n {
					return
				}
			}
		})
	}
	wg.Wait()
	return all
}

func TestRegisterValuesAreUniqueWithinAKey(t *testing.T) {
	seen := map[string]bool{}
	ops, kinds := map[string]int{}, map[string]int{}
	for _, client := range draw(Register(Options{Keys: 3}), 8, 1000) {
		for _, op := range client {
			ops[op.Key]++
			kinds[op.F]++
			value := string(op.Value)
			if op.F == "cas" {
				var pair [2]*int
				require.NoError(t, json.Unmarshal(op.Value, &pair))
				require.NotNil(t, pair[1])
				pairValue, err := json.Marshal(pair[1])
				require.NoError(t, err)
				value = string(pairValue)
			}
			if op.F != "read" {
				require.False(t, seen[op.Key+" "+value], "%s writes %s twice", op.Key, value)
				seen[op.Key+" "+value] = true
			}
		}
	}
	require.Greater(t, len(ops), 15, "keys rotate")
	for key, n := range ops {
		require.LessOrEqual(t, n, opsPerKey, key)
	}
	for _, f := range []string{"read", "write", "cas"} {
		require.Greater(t, kinds[f], 500, f)
	}
}

func TestRegisterIsDrawnFromTheSeed(t *testing.T) {
	one, two := draw(Register(Options{Keys: 3}), 1, 500), draw(Register(Options{Keys: 3}), 1, 500)
	require.Equal(t, one, two)
}

func TestUnknownWorkload(t *testing.T) {
	_, err := New("nosuch", Options{Keys: 1})
	require.ErrorContains(t, err, "known: register")
}
