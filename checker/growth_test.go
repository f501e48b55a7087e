package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// step is an operation of a history in which one comes after the other; one of unknown outcome has no end.
func step(i int, kind history.Type, f, in, out string) history.Op {
	op := history.Op{Index: i, Process: i, Key: "k", F: f, Type: kind, Call: time.Duration(2 * i), Return: time.Duration(2*i + 1)}
	if kind == history.Info {
		op.Return = history.Never
	}
	op.Ended = op.Return
	if in != "" {
		op.Input = json.RawMessage(in)
	}
	if out != "" {
		op.Output = json.RawMessage(out)
	}
	return op
}

// takenFromTheFront has one write of unknown outcome after the other, all of one value, and a read that finds it for each.
func takenFromTheFront(n int) []history.Op {
	ops := make([]history.Op, 0, n)
	for i := 0; i < n; i += 3 {
		ops = append(ops, step(i, history.Info, "write", "2", ""), step(i+1, history.OK, "write", "1", ""), step(i+2, history.OK, "read", "", "2"))
		ops[i+1].Revision, ops[i+2].Revision = uint64(i+1), uint64(i+2)
	}
	return ops
}

// longChain is a write and a chain of cas of unknown outcome, of which each value was found, the last one first, so that
// each look at one leads down the whole chain; at the end somebody finds last.
func longChain(n int, last string) []history.Op {
	ops := []history.Op{step(0, history.OK, "write", "1", "")}
	for i := 1; i < n/2; i++ {
		ops = append(ops, step(i, history.Info, "cas", fmt.Sprintf("[%d,%d]", i, i+1), ""))
	}
	for i := n / 2; i > 0; i-- {
		ops = append(ops, step(len(ops), history.OK, "read", "", fmt.Sprint(i)))
		ops[len(ops)-1].Call, ops[len(ops)-1].Return = time.Duration(n), time.Duration(3*n)
	}
	ops = append(ops, step(len(ops), history.OK, "read", "", last))
	ops[len(ops)-1].Call, ops[len(ops)-1].Return = time.Duration(4*n), time.Duration(5*n)
	return ops
}

// madeForLooks has looks at an absent key without a revision, which only a cas of unknown outcome can have made so: each at its
// time, or all at the end.
func madeForLooks(n int, last bool) []history.Op {
	ops := make([]history.Op, n)
	for i := range ops {
		switch round := fmt.Sprint(i/3 + 1); i % 3 {
		case 0:
			ops[i] = step(i, history.OK, "write", round, "")
			ops[i].Revision = uint64(i + 1)
		case 1:
			ops[i] = step(i, history.Info, "cas", "["+round+",null]", "")
		default:
			ops[i] = step(i, history.OK, "read", "", "null")
			if last {
				ops[i].Return = time.Duration(4*n + i)
			}
		}
	}
	return ops
}

// nestedBlind has reads of 1 and a write of 2, which are open for long, and cas that failed without telling that they did not find
// 1, each open within the one before.
func nestedBlind(n int) []history.Op {
	ops := []history.Op{step(0, history.OK, "write", "1", "")}
	for i := 1; i < n; i++ {
		op := step(i, history.OK, "read", "", "1")
		op.Call, op.Return = 2, time.Duration(4*n)
		switch {
		case i == 1:
			op.F, op.Input, op.Output = "write", json.RawMessage("2"), nil
		case i > n/2:
			op = step(i, history.Fail, "cas", "[1,7]", "")
			op.Err, op.Return = history.Mismatch, time.Duration(4*n-i)
		}
		ops = append(ops, op)
	}
	return ops
}

// heavyCounter is a counter under load to which up to most is added at a time; near its end it grows by extra by itself.
func heavyCounter(n int, unknown float64, most, extra int) []history.Op {
	r := rand.New(rand.NewPCG(1, 1))
	sum := 0
	return load{ops: n, clients: 20, unknown: unknown}.orderly(func(i int, op *history.Op, happens bool) {
		if i == n/10*9 {
			sum += extra
		}
		if op.F = "read"; i%2 == 0 {
			delta := 1 + r.IntN(most)
			op.F, op.Input = "add", json.RawMessage(fmt.Sprint(delta))
			if happens {
				sum += delta
			}
		}
		op.Output = json.RawMessage(fmt.Sprint(sum))
	})
}

// growth are histories that took time in the square of their length once.
func growth() []struct {
	name  string
	model Model
	ops   func(n int) []history.Op
	want  Status
} {
	return []struct {
		name  string
		model Model
		ops   func(n int) []history.Op
		want  Status
	}{
		{"version-order-one-value", Register(), takenFromTheFront, Valid},
		{"version-order-made-for-looks", Register(), func(n int) []history.Op { return madeForLooks(n, false) }, Valid},
		{"zones-long-chain", Register(), func(n int) []history.Op { return longChain(n, fmt.Sprint(n/2)) }, Valid},
		{"counter-5%-unknown", Counter(), func(n int) []history.Op { return heavyCounter(n, 0.05, 1000, 0) }, Valid},
		{"counter-of-ones-5%-unknown", Counter(), func(n int) []history.Op { return heavyCounter(n, 0.05, 1, 0) }, Valid},
		{"counter-of-ones-grew-too-much", Counter(), func(n int) []history.Op { return heavyCounter(n, 0.05, 1, n) }, Invalid},
		{"list-50-reads", List(), func(n int) []history.Op {
			return longList(n, n/50, func(_ int, shown []string) string { return showing(shown) })
		}, Valid},
		{"list-50-reads-one-lost", List(), func(n int) []history.Op {
			return longList(n, n/50, func(i int, shown []string) string { return showing(shown[i*10/n/9:]) })
		}, Invalid},
		{"zones-nested-blind-cas", Register(), nestedBlind, Valid},
		{"zones-phantom-behind-a-chain", Register(), func(n int) []history.Op { return longChain(n, "0") }, Invalid},
	}
}

// BenchmarkGrowth should take about four times as long for four times as much.
func BenchmarkGrowth(b *testing.B) {
	for _, bench := range growth() {
		for _, n := range [...]int{62_500, 250_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s-%d", bench.name, n), func(b *testing.B) {
				ops := bench.ops(n)
				p, err := bench.model.Parse(pointers(ops))
				require.NoError(b, err)
				want := map[Status]result{Valid: legal, Invalid: illegal}[bench.want]
				b.ReportAllocs()
				for b.Loop() {
					if d, err := decide(b.Context(), p, 1<<30); err != nil || d.Result != want {
						b.Fatal(d.Result, d.unfit, err)
					}
				}
			})
		}
	}
}

// Looks that would each be tried at every change are given up soon, and the time is looked at.
func TestManyLooksThatNothingMakesPossibleAreGivenUp(t *testing.T) {
	p, err := parseRegister(pointers(madeForLooks(3000, true)))
	require.NoError(t, err)
	ctx := &countsLooks{Context: t.Context()}
	require.Equal(t, unfit, p.Engines()[0].Decide(ctx, 1<<30).Result)
	require.LessOrEqual(t, ctx.looks, 4)
}
