package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// sequential is a list, a counter or a queue in other words than the models': a state as text, and what an operation
// does to it; possible is false if it cannot have been answered as it was.
type sequential struct {
	model Model
	apply func(state string, op history.Op) (next string, possible bool)
	// answer is a random operation of somebody who usually does what he should.
	answer func(g *randomSystem, op *history.Op)
	// sound is whether a witness still has no legal order when the other operations are gone. Of a
	// list it has not: its reads show elements whose appends are not among the witnesses.
	sound bool
}

func sequentials() []sequential {
	return []sequential{
		{List(), applyList, (*randomSystem).lists, false},
		{Counter(), applyCounter, (*randomSystem).counts, true},
		{Queue(), applyQueue, (*randomSystem).queues, true},
	}
}

func applyList(state string, op history.Op) (string, bool) {
	if op.F == "read" {
		return state, "["+strings.TrimSuffix(state, ",")+"]" == string(op.Output)
	}
	return state + string(op.Input) + ",", true
}

func applyCounter(state string, op history.Op) (string, bool) {
	var sum, delta int
	_, _ = fmt.Sscan(state, &sum)
	_, _ = fmt.Sscan(string(op.Input), &delta)
	if op.F == "read" {
		return state, fmt.Sprint(sum) == string(op.Output)
	}
	next := fmt.Sprint(sum + delta)
	return next, op.Type != history.OK || string(op.Output) == next
}

// bruteForce tries every order, and for every operation of unknown outcome that it never happened.
func bruteForce(s sequential, state string, ops []history.Op) bool {
	left := slices.ContainsFunc(ops, func(op history.Op) bool { return op.Type == history.OK })
	if !left {
		return true
	}
	for i, op := range ops {
		if slices.ContainsFunc(ops, func(other history.Op) bool { return other.Type != history.Fail && other.Return < op.Call }) {
			continue
		}
		rest := slices.Delete(slices.Clone(ops), i, i+1)
		if op.Type == history.Fail {
			return bruteForce(s, state, rest)
		}
		if op.F == "read" && op.Type == history.Info {
			return bruteForce(s, state, rest)
		}
		if next, ok := s.apply(state, op); ok && bruteForce(s, next, rest) {
			return true
		}
	}
	return false
}

// randomSystem answers most of the time as it should.
type randomSystem struct {
	r      *rand.Rand
	unique bool // elements differ, and counters only grow
	list   []string
	sum    int
	fresh  int
}

func (s sequential) history(r *rand.Rand, n, processes, span int, unique bool) []history.Op {
	g := randomSystem{r: r, unique: unique}
	return randomOps(r, n, processes, span, func(op *history.Op) {
		op.Type = history.OK
		if r.IntN(5) == 0 {
			op.Type, op.Return = history.Info, history.Never
		}
		s.answer(&g, op)
		if op.Type == history.Info {
			op.Output = nil
		}
	})
}

// happens tells whether an operation takes effect; a few fail, most of them truly.
func (g *randomSystem) happens(op *history.Op) bool {
	happens := op.Type == history.OK || g.r.IntN(2) == 0
	if op.Type == history.OK && g.r.IntN(20) == 0 {
		op.Type, happens = history.Fail, g.r.IntN(10) == 0
	}
	return happens
}

func (g *randomSystem) lists(op *history.Op) {
	if g.r.IntN(2) == 0 {
		shown := slices.Clone(g.list)
		switch g.r.IntN(16) {
		case 0:
			shown = shown[:max(0, len(shown)-1)]
		case 1:
			g.r.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
		case 2:
			shown = append(shown, fmt.Sprint(1+g.r.IntN(g.fresh+1)))
		}
		op.F, op.Output = "read", json.RawMessage("["+strings.Join(shown, ",")+"]")
		return
	}
	g.fresh++
	element := fmt.Sprint(g.fresh)
	if !g.unique {
		element = fmt.Sprint(g.r.IntN(3))
	}
	op.F, op.Input, op.Output = "append", json.RawMessage(element), json.RawMessage(element)
	if g.happens(op) && g.r.IntN(40) != 0 {
		g.list = append(g.list, element)
	}
}

func (g *randomSystem) counts(op *history.Op) {
	if g.r.IntN(2) == 0 {
		found := g.sum
		if g.r.IntN(12) == 0 {
			found += g.r.IntN(5) - 2
		}
		op.F, op.Output = "read", json.RawMessage(fmt.Sprint(found))
		return
	}
	delta := 1 + g.r.IntN(4)
	if !g.unique {
		delta -= 3
	}
	op.F, op.Input = "add", json.RawMessage(fmt.Sprint(delta))
	left := g.sum + delta
	switch happens := g.happens(op); {
	case happens && g.r.IntN(30) == 0:
		left += delta
		g.sum = left
	case happens && g.r.IntN(40) != 0:
		g.sum = left
	}
	if op.Type == history.OK {
		op.Output = json.RawMessage(fmt.Sprint(left))
	}
}

func (s sequential) small(r *rand.Rand) []history.Op {
	return s.history(r, 2+r.IntN(7), 1+r.IntN(4), 1+r.IntN(4), r.IntN(4) != 0)
}

func TestMonitorsAgreeWithPorcupineAndBruteForce(t *testing.T) {
	n := histories(t, 20_000)
	for _, s := range sequentials() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, 12))
			bad := 0
			for range n {
				ops := s.small(r)
				p, err := s.model.Parse(pointers(ops))
				require.NoError(t, err)
				want := bruteForce(s, "", ops)
				require.Equal(t, want, plain(p), "Porcupine on\n%s", picture(ops))
				require.Equal(t, want, decided(t, p) == legal, "simplified:\n%s", picture(ops))
				if !want {
					bad++
				}
			}
			t.Logf("%d of %d illegal", bad, n)
			require.Greater(t, bad, n/8)
			require.Less(t, bad, n*4/5)
		})
	}
}

// Larger ones than brute force can do, against Porcupine.
func TestMonitorsAgreeWithPorcupine(t *testing.T) {
	for _, s := range sequentials() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(13, 14))
			for range histories(t, 4_000) {
				ops := s.history(r, 6+r.IntN(9), 1+r.IntN(5), 1+r.IntN(6), true)
				p, err := s.model.Parse(pointers(ops))
				require.NoError(t, err)
				require.Equal(t, plain(p), decided(t, p) == legal, picture(ops))
			}
		})
	}
}

func TestMonitorReductionsNeverConvictTheInnocent(t *testing.T) {
	for _, s := range sequentials() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(15, 16))
			for range histories(t, 3_000) {
				ops := s.small(r)
				p, err := s.model.Parse(pointers(ops))
				require.NoError(t, err)
				if !plain(p) {
					continue
				}
				reducesSoundly(t, p, r.Uint64(), ops)
			}
		})
	}
}

func TestMonitorWitnessesAreSmallAndNamed(t *testing.T) {
	for _, s := range sequentials() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(17, 18))
			rules := map[string]int{}
			for range 2_000 {
				ops := s.history(r, 4+r.IntN(20), 1+r.IntN(5), 1+r.IntN(6), true)
				p, err := s.model.Parse(pointers(ops))
				require.NoError(t, err)
				v := Linearizable(s.model, Budget{}).Check(t.Context(), ops)
				if v.Status != Invalid {
					require.NotEqual(t, illegal, decided(t, p))
					require.NotContains(t, v.Reason, "undecided")
					continue
				}
				f := v.Findings[0]
				rules[f.Rule]++
				if f.Rule != ruleOther {
					require.LessOrEqual(t, len(f.Ops), 12+2*unanswered(pick(ops, f.Ops)), picture(ops))
				}
				if s.sound && f.Rule != rulePhantomAdd { // whose proof is in all the other adds
					core, err := s.model.Parse(pointers(pick(ops, f.Ops)))
					require.NoError(t, err)
					require.False(t, plain(core), "the witnesses alone are legal:\n%s", picture(pick(ops, f.Ops)))
				}
				for _, text := range append(f.Proof, f.Text) {
					require.NotContains(t, text, "%!")
				}
			}
			t.Log(rules)
			require.Less(t, rules[ruleOther], 5, "nearly all have a name")
		})
	}
}

// heavy is a key of the workload under the worst of loads: 20 clients, all at once, and operations of
// unknown outcome, half of which took effect.
func (s sequential) heavy(seed uint64, n int, unknown float64) []history.Op {
	r := rand.New(rand.NewPCG(seed, 1))
	all := load{ops: n, clients: 20, unknown: unknown}.times(r, "k")
	slices.SortFunc(all, func(a, b drawn) int { return int(min(max(a.point-b.point, -1), 1)) })
	g := randomSystem{r: r}
	var ops []history.Op
	for i, d := range all {
		op := d.op
		switch happened := d.point != history.Never; {
		case i%2 == 0 && s.model.Name == "list":
			op.F, op.Output = "read", json.RawMessage("["+strings.Join(g.list, ",")+"]")
		case i%2 == 0:
			op.F, op.Output = "read", json.RawMessage(fmt.Sprint(g.sum))
		case s.model.Name == "list":
			op.F, op.Input = "append", json.RawMessage(fmt.Sprint(i))
			if happened {
				g.list = append(g.list, string(op.Input))
			}
		default:
			delta := 1 + r.IntN(1000)
			op.F, op.Input = "add", json.RawMessage(fmt.Sprint(delta))
			if happened {
				g.sum += delta
			}
			op.Output = json.RawMessage(fmt.Sprint(g.sum))
		}
		if op.Type == history.Info {
			op.Output = nil
		}
		ops = append(ops, op)
	}
	return numbered(ops)
}

// TestHeavyKeysAreDecided also logs how long one takes: it should be milliseconds.
func TestHeavyKeysAreDecided(t *testing.T) {
	for _, s := range sequentials()[:2] {
		for _, unknown := range []float64{0, 0.03, 0.1, 0.3} {
			t.Run(fmt.Sprint(s.model.Name, " ", unknown), func(t *testing.T) {
				for seed := range uint64(10) {
					ops := s.heavy(seed, 400, unknown)
					start := time.Now()
					v := Linearizable(s.model, Budget{}).Check(t.Context(), ops)
					require.Equal(t, Valid, v.Status, v.Reason)
					t.Logf("legal: %v", time.Since(start).Round(time.Microsecond))

					for i := range ops { // everything is forgotten once, and the reads after it tell
						if ops[i].F == "read" && i > 300 && ops[i].Type == history.OK {
							ops[i].Output = nil
						}
					}
					start = time.Now()
					v = Linearizable(s.model, Budget{}).Check(t.Context(), ops)
					require.Equal(t, Invalid, v.Status, v.Reason)
					require.LessOrEqual(t, len(v.Findings[0].Ops), 6, v.Findings[0].Text)
					t.Logf("illegal: %v %s", time.Since(start).Round(time.Microsecond), v.Findings[0].Text)
				}
			})
		}
	}
}
