package workloads

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegisterValuesAreUniqueWithinAKey(t *testing.T) {
	seen := map[string]bool{}
	kinds := map[string]int{}
	for _, client := range draw(Register(Options{Keys: 3}), 8, 1000) {
		for _, op := range client {
			kinds[op.F]++
			value := string(op.Value)
			if op.F == "cas" {
				var pair [2]*int
				require.NoError(t, json.Unmarshal(op.Value, &pair))
				require.NotNil(t, pair[1])
				value = strconv.Itoa(*pair[1])
			}
			if op.F != "read" {
				require.False(t, seen[op.Key+" "+value], "%s writes %s twice", op.Key, value)
				seen[op.Key+" "+value] = true
			}
		}
	}
	for _, f := range []string{"read", "write", "cas"} {
		require.Greater(t, kinds[f], 500, f)
	}
}

func TestAppendedElementsAreUniqueWithinAKey(t *testing.T) {
	seen := map[string]bool{}
	kinds := map[string]int{}
	for _, client := range draw(Append(Options{Keys: 3}), 8, 1000) {
		for _, op := range client {
			kinds[op.F]++
			if op.F == "append" {
				require.False(t, seen[op.Key+" "+string(op.Value)], "%s gets %s twice", op.Key, op.Value)
				seen[op.Key+" "+string(op.Value)] = true
			}
		}
	}
	require.Len(t, kinds, 2)
	require.Greater(t, kinds["read"], 3000)
	require.Greater(t, kinds["append"], 3000)
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
