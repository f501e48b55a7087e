package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// Whatever list order convicts it shows by a few calls, which are illegal by themselves.
func TestListOrderTellsASmallPart(t *testing.T) {
	r := rand.New(rand.NewPCG(51, 52))
	lists, sizes := sequentials()[0], map[int]int{}
	for range histories(t, 20_000) {
		ops := lists.history(r, 4+r.IntN(14), 1+r.IntN(5), 1+r.IntN(6), r.IntN(4) != 0)
		p, err := parseList(pointers(ops))
		require.NoError(t, err)
		a := p.(*listProblem).ordered(t.Context(), 1<<30)
		if a.Result != illegal {
			continue
		}
		require.NotNil(t, a.Part, picture(ops))
		require.False(t, plain(a.Part), picture(ops))
		n := len(a.Part.Operations())
		require.LessOrEqual(t, n, 4, picture(ops))
		sizes[n]++
	}
	t.Log(sizes)
	for n := 1; n <= 4; n++ {
		require.Positive(t, sizes[n], "parts of %d", n)
	}
}

// longList is a list that 10 clients append to, with a read in so many operations.
func longList(n, every int, spoil func(i int, shown []string) string) []history.Op {
	var list []string
	return load{ops: n, clients: 10, unknown: 0.05}.orderly(func(i int, op *history.Op, happens bool) {
		if op.F = "read"; i%every == every-1 {
			op.Output = json.RawMessage(spoil(i, list))
			return
		}
		element := fmt.Sprint(i)
		if op.F, op.Input = "append", json.RawMessage(element); happens {
			list = append(list, element)
		}
	})
}

func showing(list []string) string { return "[" + strings.Join(list, ",") + "]" }

func TestLongListsHaveSmallWitnesses(t *testing.T) {
	const n, every = 6_000, 20
	for name, spoil := range map[string]func(shown []string) string{
		"no list":   func([]string) string { return "7" },
		"nowhere":   func(shown []string) string { return showing(append(slices.Clip(shown), "-1")) },
		"duplicate": func(shown []string) string { return showing(append(slices.Clip(shown), shown[len(shown)/2])) },
		"lost":      func(shown []string) string { return showing(shown[:len(shown)/2]) },
		"other order": func(shown []string) string {
			other := slices.Clone(shown)
			other[1], other[len(other)/2] = other[len(other)/2], other[1]
			return showing(other)
		},
		"one is missing": func(shown []string) string { return showing(slices.Delete(slices.Clone(shown), 5, 6)) },
	} {
		t.Run(name, func(t *testing.T) {
			ops := longList(n, every, func(i int, shown []string) string {
				if i > n/2 && i < n/2+3*every {
					return spoil(shown)
				}
				return showing(shown)
			})
			v := Linearizable(List(), Budget{CrossCheck: CrossCheckOff}).Check(t.Context(), ops)
			require.Equal(t, Invalid, v.Status, v.Reason)
			require.NoError(t, v.Broken)
			require.LessOrEqual(t, len(v.Findings[0].Ops), 6, v.Findings[0].Text)
			require.NotEqual(t, ruleOther, v.Findings[0].Rule)
			t.Log(v.Findings[0].Text, v.Findings[0].Ops)
		})
	}
}
