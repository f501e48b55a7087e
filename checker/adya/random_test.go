package adya

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// dice draws small histories of transactions over three keys: what a store would have answered at random moments,
// with ties, unknown outcomes, transactions that failed, corrupted answers, and stores without isolation.
type dice struct {
	*rand.Rand
	lists   map[string][]string
	past    []string // lists that were read
	element int
	torn    bool // micro-operations of a transaction take effect at moments of their own
	corrupt int  // one of so many answers is changed
}

// act is a micro-operation that takes effect at a moment.
type act struct {
	at           time.Duration
	key, element string // element is empty for a read
	effective    bool
	shown        *string // what it read
}

func (d *dice) history() []history.Op {
	ops, acts, shown := d.transactions()
	slices.SortStableFunc(acts, func(a, b act) int { return int(a.at - b.at) })
	d.lists = map[string][]string{}
	for _, a := range acts {
		if a.element != "" && a.effective {
			d.lists[a.key] = append(d.lists[a.key], a.element)
		}
		if a.element == "" {
			*a.shown = d.show(a.key)
		}
	}
	for i := range ops {
		var micros []string
		for _, s := range shown[i] {
			micros = append(micros, *s)
		}
		if ops[i].Type == history.OK {
			ops[i].Output = json.RawMessage("[" + strings.Join(micros, ",") + "]")
		}
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
	for i := range ops {
		ops[i].Index = i
	}
	return ops
}

// show is the micro-operation that reads key now, as it is answered.
func (d *dice) show(key string) string {
	list := slices.Clone(d.lists[key])
	d.past = append(d.past, strings.Join(list, ","))
	if d.corrupt > 0 && d.IntN(d.corrupt) == 0 {
		switch i := d.IntN(max(1, len(list))); d.IntN(8) {
		case 0, 1, 2:
			list = strings.FieldsFunc(d.past[d.IntN(len(d.past))], func(r rune) bool { return r == ',' })
		case 3, 4:
			list = list[:i]
		case 5:
			list = append(list, fmt.Sprint(1+d.IntN(d.element+1)))
		case 6:
			slices.Reverse(list[i:])
		default:
			if len(list) > 0 {
				list = slices.Delete(list, i, i+1)
			}
		}
	}
	if len(list) == 0 && d.IntN(2) == 0 {
		return fmt.Sprintf(`["r",%q,null]`, key)
	}
	return fmt.Sprintf(`["r",%q,[%s]]`, key, strings.Join(list, ","))
}

func (d *dice) transactions() (ops []history.Op, acts []act, shown [][]*string) {
	const processes, width = 4, 6
	free := make([]time.Duration, processes)
	d.torn, d.corrupt = d.IntN(2) == 0, []int{0, 4, 8}[d.IntN(3)]
	for range 2 + d.IntN([]int{7, 7, 14}[d.IntN(3)]) {
		p := d.IntN(processes)
		op := history.Op{Process: p, F: "txn", Type: history.OK, Call: free[p] + time.Duration(d.IntN(width))}
		point := op.Call + time.Duration(d.IntN(width))
		op.Return = point + time.Duration(d.IntN(width))
		op.Ended, free[p] = op.Return, op.Return+time.Duration(d.IntN(2))
		effective := true
		switch d.IntN(10) {
		case 0, 1:
			op.Type, op.Return, effective = history.Info, history.Never, d.IntN(2) == 0
		case 2:
			op.Type, effective = history.Fail, d.IntN(8) == 0
		}
		var in []string
		var out []*string
		for range 1 + d.IntN(4) {
			a := act{at: point, key: string(rune('x' + d.IntN(3))), effective: effective, shown: new(string)}
			if d.torn && d.IntN(2) == 0 {
				a.at = op.Call + time.Duration(d.IntN(int(op.Ended-op.Call)+1))
			}
			text := fmt.Sprintf(`["r",%q,null]`, a.key)
			if d.IntN(2) == 0 {
				d.element++
				a.element = fmt.Sprint(d.element)
				text = fmt.Sprintf(`["append",%q,%s]`, a.key, a.element)
				*a.shown = text
			}
			in, out, acts = append(in, text), append(out, a.shown), append(acts, a)
		}
		op.Input = json.RawMessage("[" + strings.Join(in, ",") + "]")
		ops, shown = append(ops, op), append(shown, out)
	}
	return ops, acts, shown
}

// serial asks Porcupine for a serial order of whole transactions, as they are written, with all keys as the state.
func serial(t *testing.T, ops []history.Op) bool {
	var calls []porcupine.Operation
	for _, op := range ops {
		if op.Type != history.Fail {
			calls = append(calls, porcupine.Operation{ClientId: op.Index, Input: op, Call: int64(op.Call), Return: int64(op.Return)})
		}
	}
	result := porcupine.CheckOperationsTimeout(porcupine.Model{
		Init: func() any { return map[string]string{} },
		Step: func(state, input, _ any) (bool, any) {
			op := input.(history.Op)
			value, lists := op.Input, maps.Clone(state.(map[string]string))
			if op.Type == history.OK {
				value = op.Output
			}
			var micros [][3]any
			require.NoError(t, json.Unmarshal(value, &micros))
			for _, m := range micros {
				key := m[1].(string)
				if m[0] == "append" {
					lists[key] += fmt.Sprint(m[2], " ")
					continue
				}
				found := ""
				if list, ok := m[2].([]any); ok {
					for _, e := range list {
						found += fmt.Sprint(e, " ")
					}
				}
				if op.Type == history.OK && found != lists[key] {
					return false, state
				}
			}
			return true, lists
		},
		Equal: func(a, b any) bool { return maps.Equal(a.(map[string]string), b.(map[string]string)) },
	}, calls, time.Minute)
	require.NotEqual(t, porcupine.Unknown, result)
	return result == porcupine.Ok
}

// TestVerdictsAreThoseOfASearch compares each verdict with that of Porcupine, and counts which rules were found.
func TestVerdictsAreThoseOfASearch(t *testing.T) {
	cases := 20_000
	if testing.Short() {
		cases = 2000
	}
	rules, illegal := map[string]int{}, 0
	for seed := range uint64(cases) {
		d := dice{Rand: rand.New(rand.NewPCG(seed, 3))}
		ops := d.history()
		v := Transactions(checker.Budget{}).Check(t.Context(), ops)
		if !slices.ContainsFunc(ops, func(op history.Op) bool { return op.Type == history.OK }) {
			require.Equal(t, checker.Unknown, v.Status)
			continue
		}
		want := checker.Valid
		if !serial(t, ops) {
			want = checker.Invalid
			illegal++
		}
		require.Equal(t, want, v.Status, "seed %d: %s\n%s", seed, v.Reason, described(ops))
		for _, f := range v.Findings {
			rules[f.Rule]++
			require.NotEmpty(t, f.Ops)
			require.NotContains(t, f.Text, "%!")
		}
	}
	t.Logf("%d of %d illegal: %v", illegal, cases, rules)
	require.Greater(t, illegal, cases/3)
	require.Less(t, illegal, cases*2/3)
}

func described(ops []history.Op) string {
	var b strings.Builder
	for _, op := range ops {
		fmt.Fprintf(&b, "%d p%d %v..%v %s %s → %s\n", op.Index, op.Process, op.Call, op.Return, op.Type, op.Input, op.Output)
	}
	return b.String()
}
