package workloads

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

func TestValuesAreUniqueWithinAKey(t *testing.T) {
	for w, kinds := range map[string][]string{"register": {"read", "write", "cas"}, "kv": {"read", "write", "cas", "delete"}} {
		t.Run(w, func(t *testing.T) {
			w, err := New(w, Options{Keys: 3})
			require.NoError(t, err)
			requireUniqueValues(t, w, kinds)
		})
	}
}

func requireUniqueValues(t *testing.T, w Workload, want []string) {
	seen := map[string]bool{}
	kinds := map[string]int{}
	for _, client := range draw(w, 8, 1000) {
		for _, op := range client {
			kinds[op.F]++
			value := string(op.Value)
			if op.F == "cas" {
				var pair [2]*int
				require.NoError(t, json.Unmarshal(op.Value, &pair))
				require.NotNil(t, pair[1])
				value = strconv.Itoa(*pair[1])
			}
			if op.F == "delete" {
				require.Nil(t, op.Value)
			} else if op.F != "read" {
				require.False(t, seen[op.Key+" "+value], "%s writes %s twice", op.Key, value)
				seen[op.Key+" "+value] = true
			}
		}
	}
	require.Len(t, kinds, len(want))
	for _, f := range want {
		require.Greater(t, kinds[f], 500, f)
	}
}

func TestElementsAreUniqueWithinAKey(t *testing.T) {
	for f, w := range map[string]Workload{
		"append": Append(Options{Keys: 3}), "insert": Set(Options{Keys: 3}), "enqueue": Queue(Options{Keys: 3}),
	} {
		seen := map[string]bool{}
		kinds := map[string]int{}
		for _, client := range draw(w, 8, 1000) {
			for _, op := range client {
				kinds[op.F]++
				if op.F == f {
					require.False(t, seen[op.Key+" "+string(op.Value)], "%s gets %s twice", op.Key, op.Value)
					seen[op.Key+" "+string(op.Value)] = true
				}
			}
		}
		require.Len(t, kinds, 2)
		for _, n := range kinds {
			require.Greater(t, n, 3000, f)
		}
	}
}

func TestCountersOnlyGrow(t *testing.T) {
	kinds := map[string]int{}
	for _, client := range draw(Counter(Options{Keys: 3}), 8, 1000) {
		for _, op := range client {
			kinds[op.F]++
			if op.F == "add" {
				delta, err := strconv.Atoi(string(op.Value))
				require.NoError(t, err)
				require.Positive(t, delta)
				require.LessOrEqual(t, delta, deltaMax)
			}
		}
	}
	require.Len(t, kinds, 2)
	require.Greater(t, kinds["read"], 2500)
	require.Greater(t, kinds["add"], 3500)
}

func TestTransfersGoBetweenTwoAccounts(t *testing.T) {
	kinds := map[string]int{}
	for _, client := range draw(Bank(Options{Keys: 3}), 8, 1000) {
		for _, op := range client {
			kinds[op.F]++
			if op.F == "read" {
				require.JSONEq(t, allAccounts, string(op.Value))
				continue
			}
			var transfer struct{ From, To, Amount int }
			require.NoError(t, json.Unmarshal(op.Value, &transfer))
			require.NotEqual(t, transfer.From, transfer.To)
			require.Less(t, max(transfer.From, transfer.To), accounts)
			require.GreaterOrEqual(t, min(transfer.From, transfer.To), 0)
			require.Positive(t, transfer.Amount)
			require.LessOrEqual(t, transfer.Amount, amountMax)
		}
	}
	require.Len(t, kinds, 2)
	require.Greater(t, kinds["read"], 2500)
	require.Greater(t, kinds["transfer"], 3500)
}

func TestTransactionsAppendUniqueElements(t *testing.T) {
	seen := map[string]bool{}
	micros, appends := 0, 0
	for _, client := range draw(Txn(Options{Keys: 3}), 8, 1000) {
		for _, op := range client {
			require.Equal(t, "txn", op.F)
			require.Empty(t, op.Key)
			parts, ok := history.MicroOps(op.Value)
			require.True(t, ok)
			require.LessOrEqual(t, len(parts), microsMax)
			micros += len(parts)
			for _, m := range parts {
				if m.F == "append" {
					appends++
					at := string(m.Key) + " " + string(m.Value)
					require.False(t, seen[at], "%s is appended twice", at)
					seen[at] = true
				}
			}
		}
	}
	require.Greater(t, micros, 8000*2)
	require.Greater(t, appends, micros*4/10)
	require.Less(t, appends, micros*6/10)
}
