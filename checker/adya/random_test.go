package adya

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// dice draws small histories of transactions over three keys: what a store would have answered at random moments,
// with ties, unknown outcomes, transactions that failed, corrupted answers, and stores with little isolation or none.
type dice struct {
	*rand.Rand
	lists   map[string][]string
	past    []string // lists that were read
	element int
	moments moments
	apart   bool // the micro-operations of a transaction are on different keys
	repeats bool // an element is now and then appended again
	corrupt int  // one of so many answers is changed
}

// moments is when the micro-operations of a transaction take effect.
type moments int

const (
	together    moments = iota
	readsBefore         // all reads at one moment, then all appends at one: snapshots of which nobody checks anything
	torn                // some at moments of their own
	elsewhen            // all at one moment, perhaps before the call or after the return
	momentsKinds
)

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
	d.moments, d.apart, d.corrupt = moments(d.IntN(int(momentsKinds))), d.IntN(4) > 0, []int{0, 5, 10}[d.IntN(3)]
	d.repeats = d.IntN(8) == 0
	for range 3 + d.IntN([]int{6, 9, 14}[d.IntN(3)]) {
		p := d.IntN(processes)
		op := history.Op{Process: p, F: "txn", Type: history.OK, Call: free[p] + time.Duration(d.IntN(width))}
		point := op.Call + time.Duration(d.IntN(width))
		op.Return = point + time.Duration(d.IntN(width))
		if d.moments == elsewhen {
			point += time.Duration(d.IntN(4*width) - 2*width)
		}
		op.Ended, free[p] = op.Return, op.Return+time.Duration(d.IntN(2))
		effective := true
		switch d.IntN(10) {
		case 0, 1:
			op.Type, op.Return, effective = history.Info, history.Never, d.IntN(2) == 0
		case 2:
			op.Type, effective = history.Fail, d.IntN(16) == 0
		}
		var in []string
		var out []*string
		for _, key := range d.keys() {
			a := act{at: point, key: key, effective: effective, shown: new(string)}
			if d.moments == torn && d.IntN(2) == 0 {
				a.at = op.Call + time.Duration(d.IntN(int(op.Ended-op.Call)+1))
			}
			text := fmt.Sprintf(`["r",%q,null]`, a.key)
			if d.IntN(2) == 0 {
				d.element++
				a.element = fmt.Sprint(d.element)
				if d.repeats && d.IntN(4) == 0 {
					a.element = fmt.Sprint(1 + d.IntN(d.element))
				}
				text = fmt.Sprintf(`["append",%q,%s]`, a.key, a.element)
				*a.shown = text
			} else if d.moments == readsBefore {
				a.at = op.Call
			}
			in, out, acts = append(in, text), append(out, a.shown), append(acts, a)
		}
		op.Input = json.RawMessage("[" + strings.Join(in, ",") + "]")
		ops, shown = append(ops, op), append(shown, out)
	}
	return ops, acts, shown
}

// keys are those that a transaction goes through.
func (d *dice) keys() []string {
	keys := []string{"x", "y", "z"}
	if d.apart {
		d.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		return keys[:1+d.IntN(len(keys))]
	}
	some := make([]string, 1+d.IntN(4))
	for i := range some {
		some[i] = keys[d.IntN(len(keys))]
	}
	return some
}

// serial asks Porcupine for a serial order of whole transactions, as they are written, with all keys as the state.
func serial(t *testing.T, ops []history.Op) bool {
	type micro struct {
		key         string
		reads       bool
		list        string
		meaningless bool // a read without an answer
	}
	var calls []porcupine.Operation
	keys := map[string]int{}
	for _, op := range ops {
		if op.Type == history.Fail {
			continue
		}
		value := op.Input
		if op.Type == history.OK {
			value = op.Output
		}
		var triples [][3]any
		dec := json.NewDecoder(bytes.NewReader(value))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&triples))
		var micros []micro
		for _, m := range triples {
			elements, isList := m[2].([]any)
			switch {
			case m[0] == "append":
				elements = m[2:]
			case !isList && m[2] != nil:
				return false // it is answered with what is no list
			}
			list := ""
			for _, e := range elements {
				switch e.(type) {
				case nil, []any, map[string]any:
					return false
				}
				list += fmt.Sprintf("%T %q ", e, fmt.Sprint(e))
			}
			key := fmt.Sprintf("%T %q", m[1], m[1])
			keys[key] = 0
			micros = append(micros, micro{key, m[0] == "r", list, op.Type != history.OK})
		}
		calls = append(calls, porcupine.Operation{ClientId: op.Index, Input: micros, Call: int64(op.Call), Return: int64(op.Return)})
	}
	for i, key := range slices.Sorted(maps.Keys(keys)) {
		keys[key] = i
	}
	seed := maphash.MakeSeed()
	result := porcupine.CheckOperationsTimeout(porcupine.Model{
		Init: func() any { return make([]string, len(keys)) },
		Step: func(before, input, _ any) (bool, any) {
			lists := slices.Clone(before.([]string))
			for _, m := range input.([]micro) {
				switch at := keys[m.key]; {
				case !m.reads:
					lists[at] += m.list
				case !m.meaningless && m.list != lists[at]:
					return false, before
				}
			}
			return true, lists
		},
		Equal: func(a, b any) bool { return slices.Equal(a.([]string), b.([]string)) },
		Hash:  func(lists any) uint64 { return maphash.String(seed, strings.Join(lists.([]string), ",")) },
	}, calls, time.Minute)
	require.NotEqual(t, porcupine.Unknown, result)
	return result == porcupine.Ok
}

// repeated is the number of random cases, times ORDEAL_REPEAT if that is set.
func repeated(t *testing.T, cases int) int {
	times := os.Getenv("ORDEAL_REPEAT")
	if times == "" {
		return cases
	}
	n, err := strconv.Atoi(times)
	require.NoError(t, err, "ORDEAL_REPEAT")
	require.Positive(t, n, "ORDEAL_REPEAT")
	return n * cases
}

// TestVerdictsAreThoseOfASearch compares each verdict with that of Porcupine, and counts which rules were found. Only
// where an element was appended twice it may be Unknown.
func TestVerdictsAreThoseOfASearch(t *testing.T) {
	cases := repeated(t, 20_000)
	rules, illegal, ambiguous := map[string]int{}, 0, 0
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
		require.NoError(t, v.Broken, "seed %d\n%s", seed, described(ops))
		if d.repeats && v.Status == checker.Unknown {
			require.Contains(t, v.Reason, "are unique within a key")
			ambiguous++
			continue
		}
		require.Equal(t, want, v.Status, "seed %d: %s\n%s", seed, v.Reason, described(ops))
		for _, f := range v.Findings {
			rules[f.Rule]++
			require.NotEmpty(t, f.Ops)
			require.NotContains(t, f.Text, "%!")
		}
	}
	t.Logf("%d of %d illegal, %d ambiguous: %v", illegal, cases, ambiguous, rules)
	require.Positive(t, ambiguous)
	require.Less(t, ambiguous, cases/10)
	require.Greater(t, illegal, cases/3)
	require.Less(t, illegal, cases*2/3)
	require.Len(t, rules, 19, "every rule that a random history can break was broken")
}

func described(ops []history.Op) string {
	var b strings.Builder
	for _, op := range ops {
		fmt.Fprintf(&b, "%d p%d %v..%v %s %s → %s\n", op.Index, op.Process, op.Call, op.Return, op.Type, op.Input, op.Output)
	}
	return b.String()
}
