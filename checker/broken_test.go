package checker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// liar is a register with an engine that is wrong.
type liar struct {
	*registerProblem
	answer Answer
}

func (l *liar) Engines() []Engine {
	return []Engine{{Name: "liar", Decide: func(context.Context, int64) Answer { return l.answer }}}
}

// lying is the model of registers about which the liar says answer.
func lying(answer Answer) Model {
	return Model{Name: "liar", Parse: func(ops []*history.Op) (Problem, error) {
		p, err := parseRegister(ops)
		return &liar{p.(*registerProblem), answer}, err
	}}
}

// twoOps are a write of 1 and a read of what is seen after it.
func twoOps(seen string) []history.Op {
	ops := easy("k", 2)
	ops[1].Index, ops[0].Input, ops[1].Output = 1, []byte("1"), []byte(seen)
	return ops
}

// An engine that is wrong is found out: by the replay of its order, by Porcupine beside it, by Porcupine on its core.
func TestAWrongEngineIsFoundOut(t *testing.T) {
	for name, c := range map[string]struct {
		answer  Answer
		seen    string // by the read after the write of 1
		beside  CrossCheck
		problem string
	}{
		"an order that does not hold": {Answer{Result: legal, Order: []int32{0}}, "1", CrossCheckOff, `liar gave an order that does not hold`},
		"legal, but it is not":        {Answer{Result: legal, Order: []int32{0, 1}}, "2", CrossCheckOff, "is not possible in its place"},
		"illegal, but it is not":      {Answer{Result: illegal}, "1", CrossCheckOff, "liar disagrees with Porcupine about "},
		"illegal, and seen beside":    {Answer{Result: illegal}, "1", CrossCheckAll, "liar disagrees with Porcupine about "},
	} {
		v := Linearizable(lying(c.answer), Budget{CrossCheck: c.beside}).Check(t.Context(), twoOps(c.seen))
		require.ErrorContains(t, v.Broken, c.problem, name)
		var broken *KeyError
		require.ErrorAs(t, v.Broken, &broken)
		require.Equal(t, "k", broken.Key)
		require.NotEqual(t, Valid, v.Status)
	}
}

// Porcupine, asked about a whole key, finds out an engine whose part is illegal by itself but not a part of the key.
func TestAWrongPartIsFoundOutBeside(t *testing.T) {
	part, err := parseRegister(pointers(twoOps("2")))
	require.NoError(t, err)
	for _, cross := range []CrossCheck{CrossCheckSample, CrossCheckAll} {
		v := Linearizable(lying(Answer{Result: illegal, Part: part}), Budget{CrossCheck: cross}).Check(t.Context(), twoOps("1"))
		require.ErrorContains(t, v.Broken, "liar disagrees with Porcupine about 2 operations")
		var broken *KeyError
		require.ErrorAs(t, v.Broken, &broken)
		require.Equal(t, "k", broken.Key)
		require.Empty(t, v.Findings)
	}
	v := Linearizable(lying(Answer{Result: illegal, Part: part}), Budget{CrossCheck: CrossCheckOff}).Check(t.Context(), twoOps("1"))
	require.NoError(t, v.Broken, "nobody else could know")
}

// searchedRegister is a register that only the search decides, so that nobody tells a part.
type searchedRegister struct{ *registerProblem }

func (r searchedRegister) Engines() []Engine {
	return []Engine{{Name: "search", Decide: r.searched}}
}

func searchedModel() Model {
	return Model{Name: "searched", Parse: func(ops []*history.Op) (Problem, error) {
		p, err := parseRegister(ops)
		return searchedRegister{p.(*registerProblem)}, err
	}}
}

// A finding tells whether Porcupine confirmed it.
func TestAFindingTellsIfItIsUnconfirmed(t *testing.T) {
	bad := easy("k", 3000)
	for i := range bad {
		bad[i].Index = i
	}
	bad[2999].Output = []byte("7")
	for name, c := range map[string]struct {
		ops    []history.Op
		budget Budget
		want   string
	}{
		"confirmed":        {twoOps("2"), Budget{}, ""},
		"too many":         {bad, Budget{Memory: 4 << 20, Witness: 1}, "Porcupine did not confirm it: 3000 operations are too many."},
		"not in its time":  {twoOps("2"), Budget{Witness: 1}, "Porcupine did not confirm it within 1ns."},
		"large, confirmed": {bad, Budget{}, ""},
	} {
		c.budget.CrossCheck = CrossCheckOff
		v := Linearizable(searchedModel(), c.budget).Check(t.Context(), c.ops)
		require.NoError(t, v.Broken, name)
		require.Equal(t, Invalid, v.Status, name)
		require.Equal(t, c.want, v.Findings[0].Unconfirmed, name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := Linearizable(Register(), Budget{}).(*linearizable)
	ops := twoOps("2")
	keys := byKey(ops)
	l.decideAll(t.Context(), keys)
	l.explainAll(ctx, keys)
	require.Equal(t, "Porcupine did not confirm it: the time of the check was over.", keys[0].finding.Unconfirmed)
}

// Forty failed cas that do not tell what they found, each after a write of the value that it did not find, and 39 writes
// of unknown outcome that may have come between: zones do not cover it, and the search has 2^39 sets to try.
func TestBlindCasThatDefeatZones(t *testing.T) {
	var ops []history.Op
	add := func(kind history.Type, call, ret int, f, input, err string) {
		op := history.Op{Index: len(ops), Process: len(ops), Key: "k", F: f, Input: []byte(input), Type: kind, Err: err, Call: time.Duration(call), Return: time.Duration(ret)}
		op.Ended = op.Return
		if kind == history.Info {
			op.Return = history.Never
		}
		ops = append(ops, op)
	}
	for i := range 39 {
		add(history.Info, 0, 0, "write", fmt.Sprintf(`"u%d"`, i), "timeout")
	}
	for i := range 40 {
		add(history.OK, 10*i+10, 10*i+11, "write", fmt.Sprint(i), "")
		add(history.Fail, 10*i+15, 10*i+16, "cas", fmt.Sprintf(`[%d,"x"]`, i), history.Mismatch)
	}
	v := Linearizable(Register(), Budget{KeyTime: time.Second, Memory: 256 << 20}).Check(t.Context(), ops)
	require.Equal(t, Unknown, v.Status, v.Reason)
	require.NoError(t, v.Broken)
	require.Regexp(t, `key "k" with 119 operations, .* 39 of unknown outcome: (not finished|out of memory) after .*; no zones: a failed cas did not tell what it found`, v.Reason)
	v = Linearizable(Register(), Budget{}).Check(t.Context(), ops[:len(ops)-1])
	require.Equal(t, Valid, v.Status, v.Reason)
	require.Contains(t, v.Engine, "search 1 (no zones: a failed cas")
}
