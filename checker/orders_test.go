package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// orderly is a system whose answers say in which order everything was: a set or a lock. One answer in so many is wrong.
type orderly struct {
	r       *rand.Rand
	corrupt int
	fresh   int
	shows   []string
	before  []string // what shows was
	token   int      // that the lock is held under; 0 for none
	last    int
}

func (o *orderly) one(n int) bool { return n > 0 && o.r.IntN(n) == 0 }

// orderlies are the models that are decided so.
func orderlies() []struct {
	model  Model
	answer func(o *orderly, op *history.Op, happens bool)
	rules  []string
} {
	return []struct {
		model  Model
		answer func(o *orderly, op *history.Op, happens bool)
		rules  []string
	}{
		{Set(), (*orderly).set, []string{ruleNoAnswer, ruleDuplicate, ruleNowhere, ruleBeforeWrite, ruleLostElement, ruleDisagree}},
		{Lock(), (*orderly).lock, []string{ruleNoAnswer, ruleTokenTwice, ruleReturnedTwice, ruleTokenNowhere, ruleTokenBack, ruleHeldByTwo, ruleFoundFree}},
	}
}

func (o *orderly) history(answer func(o *orderly, op *history.Op, happens bool), n, processes, span int) []history.Op {
	ops := randomOps(o.r, n, processes, span, func(op *history.Op) {
		unknown := o.one(4)
		op.Type = history.OK
		answer(o, op, !unknown || o.one(2))
		if unknown {
			op.Type, op.Return, op.Output, op.Err = history.Info, history.Never, nil, ""
		}
	})
	return ops
}

func (o *orderly) small(answer func(o *orderly, op *history.Op, happens bool)) []history.Op {
	return o.history(answer, 3+o.r.IntN(9), 1+o.r.IntN(4), 1+o.r.IntN(4))
}

func (o *orderly) set(op *history.Op, happens bool) {
	if o.one(2) {
		o.fresh++
		op.F, op.Input = "insert", json.RawMessage(fmt.Sprint(o.fresh))
		switch {
		case o.one(15):
			op.Type, happens = history.Fail, o.one(4)
		case o.one(o.corrupt):
			happens = !happens
		}
		if happens {
			o.before, o.shows = o.shows, append(slices.Clip(o.shows), fmt.Sprint(o.fresh))
		}
		return
	}
	shown := slices.Clone(o.shows)
	if o.one(o.corrupt) {
		switch o.r.IntN(5) {
		case 0:
			shown = slices.Clone(o.before)
		case 1:
			shown = append(shown, fmt.Sprint(1+o.r.IntN(o.fresh+2)))
		case 2:
			shown = shown[min(1, len(shown)):]
		case 3:
			o.shows = o.before
		default:
			op.Output = json.RawMessage("7")
		}
	}
	o.r.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
	if op.F = "read"; op.Output == nil {
		op.Output = json.RawMessage("[" + strings.Join(shown, ",") + "]")
	}
}

func (o *orderly) lock(op *history.Op, happens bool) {
	if o.one(o.corrupt) {
		switch o.r.IntN(4) {
		case 0:
			o.token = 0
		case 1:
			o.token = max(1, o.last)
		case 2:
			o.last = max(0, o.last-1-o.r.IntN(2))
		default:
			o.last++
			o.token = o.last
		}
	}
	held := json.RawMessage("null")
	if o.token > 0 {
		held = json.RawMessage(fmt.Sprint(o.token))
	}
	if op.F = "acquire"; o.last > 0 && o.one(2) {
		token := max(1, o.last-o.r.IntN(2))
		op.F, op.Input = "release", json.RawMessage(fmt.Sprint(token))
		op.Output = op.Input
		if token != o.token && !o.one(o.corrupt*4) || o.one(o.corrupt*6) {
			op.Type, op.Err, op.Output = history.Fail, "not held", held
		} else if happens {
			o.token = 0
		}
		return
	}
	switch {
	case o.token > 0 && !o.one(o.corrupt*4):
		op.Type, op.Err, op.Output = history.Fail, "held", held
		return
	case happens:
		o.last += 1 + o.r.IntN(2)
		o.token = o.last
	}
	op.Output = json.RawMessage(fmt.Sprint(max(1, o.last)))
}

func TestOrdersAgreeWithPorcupine(t *testing.T) {
	for _, s := range orderlies() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(41, 42))
			bad, cases := 0, histories(t, 20_000)
			for range cases {
				o := orderly{r: r, corrupt: 5}
				ops := o.small(s.answer)
				p, err := s.model.Parse(pointers(ops))
				require.NoError(t, err, picture(ops))
				want := plain(p)
				first := p.Engines()[0].Decide(t.Context(), 1<<30)
				require.Equal(t, want, first.Result == legal, "%s of\n%s", p.Engines()[0].Name, picture(ops))
				require.LessOrEqual(t, first.Result, illegal, "it decides everything")
				require.Equal(t, first.Result, decided(t, p), picture(ops))
				if !want {
					bad++
					require.NotNil(t, first.Part)
				}
			}
			t.Logf("%d of %d illegal", bad, cases)
			require.Greater(t, bad, cases/4)
			require.Less(t, bad, cases*3/4)
		})
	}
}

func TestOrderReductionsNeverConvictTheInnocent(t *testing.T) {
	for _, s := range orderlies() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(43, 44))
			for range histories(t, 6_000) {
				o := orderly{r: r, corrupt: 12}
				ops := o.small(s.answer)
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

func TestOrderWitnessesAreSmallAndNamed(t *testing.T) {
	for _, s := range orderlies() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(45, 46))
			rules, large, bad := map[string]int{}, 0, 0
			for range 4_000 {
				o := orderly{r: r, corrupt: 9}
				ops := o.history(s.answer, 4+r.IntN(20), 1+r.IntN(5), 1+r.IntN(6))
				v := Linearizable(s.model, Budget{}).Check(t.Context(), ops)
				require.NoError(t, v.Broken)
				require.NotContains(t, v.Reason, "undecided")
				if v.Status != Invalid {
					continue
				}
				f := v.Findings[0]
				bad++
				if rules[f.Rule]++; len(f.Ops) > 6 {
					large++
				}
				require.NotContains(t, strings.Join(append(f.Proof, f.Text), "\n"), "%!")
				if f.Rule == ruleOther {
					t.Log(picture(pick(ops, f.Ops)))
				}
			}
			t.Log(rules, large, "of", bad, "with more than 6 operations")
			for _, rule := range s.rules {
				require.Positive(t, rules[rule], rule)
			}
			require.Zero(t, rules[ruleOther], "all have a name")
			require.Less(t, large, bad/50)
		})
	}
}

// TestLockStories has an operation a line: process, call and return in ms, f, the token of a release, type, answer.
func TestLockStories(t *testing.T) {
	datadriven.RunTest(t, "testdata/lock", func(t *testing.T, d *datadriven.TestData) string {
		v := Linearizable(Lock(), Budget{}).Check(t.Context(), lockOps(t, d.Input))
		require.NoError(t, v.Broken)
		out := strings.TrimSpace(v.Status.String()+" "+v.Reason) + "\n"
		for _, f := range v.Findings {
			out += fmt.Sprintf("%s: %s\nwitnesses %v, %v to %v\n", f.Rule, f.Text, f.Ops, f.From, f.To)
			for _, step := range f.Proof {
				out += "  - " + step + "\n"
			}
		}
		return out
	})
}

func lockOps(t *testing.T, text string) (ops []history.Op) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		require.Len(t, words, 7, line)
		op := history.Op{Index: len(ops), Key: "k", F: words[3], Return: history.Never, Ended: history.Never}
		var begin, end int
		_, err := fmt.Sscan(strings.TrimPrefix(words[0], "p")+" "+words[1], &op.Process, &begin)
		require.NoError(t, err, line)
		op.Call = time.Duration(begin) * time.Millisecond
		if _, err := fmt.Sscan(words[2], &end); err == nil {
			op.Return, op.Ended = time.Duration(end)*time.Millisecond, time.Duration(end)*time.Millisecond
		}
		require.NoError(t, op.Type.UnmarshalText([]byte(words[5])))
		if words[4] != "-" {
			op.Input = json.RawMessage(words[4])
		}
		if words[6] != "-" {
			op.Output = json.RawMessage(words[6])
		}
		if op.Type == history.Fail {
			op.Err = map[string]string{"acquire": "held", "release": "not held"}[op.F]
		}
		ops = append(ops, op)
	}
	return ops
}

// heavySet is a set of inserts and so many reads.
func (l load) heavySet(reads int) []history.Op {
	o := orderly{}
	every := l.ops / reads
	return l.orderly(func(i int, op *history.Op, happens bool) {
		if i%every == every-1 && op.Type == history.OK {
			op.F, op.Output = "read", json.RawMessage("["+strings.Join(o.shows, ",")+"]")
			return
		}
		if op.F, op.Input = "insert", json.RawMessage(fmt.Sprint(i)); happens {
			o.shows = append(o.shows, fmt.Sprint(i))
		}
	})
}

// heavyLock is a lock that all clients want; who gives it back knows its token.
func (l load) heavyLock() []history.Op {
	r := rand.New(rand.NewPCG(1, 2))
	held, last, known := 0, 0, false
	return l.orderly(func(_ int, op *history.Op, happens bool) {
		switch op.F = "acquire"; {
		case held > 0 && known && r.IntN(2) == 0:
			op.F, op.Input = "release", json.RawMessage(fmt.Sprint(held))
			if happens {
				held = 0
			}
		case held > 0:
			known = known || op.Type == history.OK
			op.Type, op.Err, op.Output = history.Fail, "held", json.RawMessage(fmt.Sprint(held))
		case happens:
			last++
			held, known = last, op.Type == history.OK
			op.Output = json.RawMessage(fmt.Sprint(held))
		}
	})
}

// orderly draws a key under load, each of whose operations is answered at its moment.
func (l load) orderly(answer func(i int, op *history.Op, happens bool)) []history.Op {
	all := l.times(rand.New(rand.NewPCG(1, 1)), "k")
	slices.SortFunc(all, func(a, b drawn) int { return cmp.Compare(a.point, b.point) })
	ops := make([]history.Op, len(all))
	for i, d := range all {
		op := d.op
		answer(i, &op, d.point != history.Never)
		if d.op.Type == history.Info {
			op.Type, op.Return, op.Output, op.Err = history.Info, history.Never, nil, ""
		} else if op.Type == history.Fail {
			op.Return = op.Ended
		}
		ops[i] = op
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return cmp.Compare(a.Call, b.Call) })
	for i := range ops {
		ops[i].Index = i
	}
	return ops
}

// BenchmarkOrders has each order at two sizes, of which the larger should take little more than four times as long.
func BenchmarkOrders(b *testing.B) {
	const million = 1_000_000
	for _, bench := range []struct {
		name  string
		model Model
		ops   func(l load) []history.Op
	}{
		{"set-20-reads", Set(), func(l load) []history.Op { return l.heavySet(20) }},
		{"lock", Lock(), load.heavyLock},
		{"lock-hidden", Lock(), func(l load) []history.Op { return turns(l.ops, "acquire - -?", "acquire - N!held", "release N N") }},
		{"queue", Queue(), func(l load) []history.Op { return queueLoad(l.ops, l.clients, l.unknown, 1) }},
	} {
		for _, unknown := range []float64{0, 0.05} {
			for _, n := range []int{million / 4, million} {
				b.Run(fmt.Sprintf("%s-%dk-ops-30-clients-%v-unknown", bench.name, n/1000, unknown), func(b *testing.B) {
					decidedBy(b, bench.model, bench.ops(load{ops: n, clients: 30, unknown: unknown}))
				})
			}
		}
	}
}

// decidedBy is what the first engine of a model takes to find ops legal, and to replay its order.
func decidedBy(b *testing.B, m Model, ops []history.Op) {
	b.Helper()
	p, err := m.Parse(pointers(ops))
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		a := p.Engines()[0].Decide(b.Context(), 1<<30)
		if a.Result != legal {
			b.Fatal(p.Engines()[0].Name, " says ", a.Result)
		}
		if err := p.Replay(a.Order); err != nil {
			b.Fatal(err)
		}
	}
}
