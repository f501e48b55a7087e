package checker

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordeal/history"
)

func smallHistory(r *rand.Rand) []history.Op {
	return randomHistory(r, 3+r.IntN(9), 1+r.IntN(4), 1+r.IntN(4), r.IntN(4) != 0)
}

// plain is Porcupine's own answer, without anything of ours but the model.
func plain(p Problem) bool { return porcupine.CheckOperations(p.Machine().Model, p.Operations()) }

func picture(ops []history.Op) string { return history.Draw(ops, history.DrawOptions{}) }

func TestSimplifyAgreesWithPorcupine(t *testing.T) {
	n := histories(t, 50_000)
	r := rand.New(rand.NewPCG(1, 2))
	bad := 0
	for range n {
		ops := smallHistory(r)
		p, err := parseRegister(pointers(ops))
		require.NoError(t, err)
		want := plain(p)
		got := decided(t, p)
		if want != (got == legal) || got > illegal {
			t.Fatalf("Porcupine says %v, simplified %v:\n%s", want, got, picture(ops))
		}
		if !want {
			bad++
		}
	}
	t.Logf("%d of %d illegal", bad, n)
	require.Greater(t, bad, n/5)
	require.Less(t, bad, n*2/3)
}

// The same by rapid, which shrinks what it finds.
func TestSimplifyAgreesWithPorcupineRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		ops := randomHistory(r, rapid.IntRange(1, 12).Draw(t, "n"), rapid.IntRange(1, 6).Draw(t, "processes"),
			rapid.IntRange(1, 8).Draw(t, "span"), rapid.Bool().Draw(t, "unique"))
		p, err := parseRegister(pointers(ops))
		require.NoError(t, err)
		require.Equal(t, plain(p), decided(t, p) == legal, picture(ops))
	})
}

// Leaving groups out and weakening may lose a violation, but must never make one.
func TestReductionsNeverConvictTheInnocent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range histories(t, 2_500) {
		ops := smallHistory(r)
		p, err := parseRegister(pointers(ops))
		require.NoError(t, err)
		if !plain(p) {
			continue
		}
		reducesSoundly(t, p, r.Uint64(), ops)
	}
}

func TestWitnessesAreIllegalAndSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	rules := map[string]int{}
	var unnamed [][]history.Op
	checker := Linearizable(Register(), Budget{})
	for range 2_000 {
		ops := randomHistory(r, 4+r.IntN(25), 1+r.IntN(5), 1+r.IntN(6), true)
		p, err := parseRegister(pointers(ops))
		require.NoError(t, err)
		if plain(p) {
			continue
		}
		v := checker.Check(t.Context(), ops)
		if len(v.Findings) == 0 && v.Reason[:4] == "none" {
			continue // no operation was ok
		}
		require.Equal(t, Invalid, v.Status, v.Reason)
		require.Len(t, v.Findings, 1)
		f := v.Findings[0]
		rules[f.Rule]++
		require.NotEmpty(t, f.Ops)
		require.LessOrEqual(t, len(f.Ops), 12, picture(ops))
		core, err := parseRegister(pointers(pick(ops, f.Ops)))
		require.NoError(t, err)
		require.False(t, plain(core), "the witnesses alone are legal:\n%s", picture(pick(ops, f.Ops)))
		require.NotContains(t, f.Text, "%!")
		for _, step := range f.Proof {
			require.NotContains(t, step, "%!")
		}
		if f.Rule == ruleOther && !strings.Contains(f.Text, "yet it found") {
			unnamed = append(unnamed, ops)
		}
	}
	for _, ops := range unnamed[:min(len(unnamed), 6)] {
		f := checker.Check(t.Context(), ops).Findings[0]
		t.Logf("%s\n%s", f.Text, picture(pick(ops, f.Ops)))
	}
	require.Less(t, len(unnamed), 10, "most have a name")
	t.Log(rules)
}

// pick is the witnesses of a history.
func pick(ops []history.Op, witnesses []int) []history.Op {
	var core []history.Op
	for _, i := range witnesses {
		core = append(core, ops[i])
	}
	return core
}

// decided is what the engines come to, each of those that decide: they must agree, and the parts that
// they convict must be illegal.
func decided(t require.TestingT, p Problem) result {
	answer := unfit
	for _, e := range p.Engines() {
		a := e.Decide(context.Background(), 1<<30)
		if a.Result == legal {
			require.NoError(t, p.Replay(a.Order), e.Name)
		}
		if a.Result == illegal && a.Part != nil {
			require.False(t, plain(a.Part), "%s convicts a part that is legal", e.Name)
		}
		if a.Result > illegal {
			continue
		}
		if answer != unfit {
			require.Equal(t, answer, a.Result, e.Name)
		}
		answer = a.Result
	}
	return answer
}
