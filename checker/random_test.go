package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// histories is how many random histories a test draws: n, or a quarter of it if the tests are to be short, times
// ORDEAL_REPEAT, by which .ci/nightly makes millions of them.
func histories(t *testing.T, n int) int {
	if testing.Short() {
		n /= 4
	}
	text := cmp.Or(os.Getenv("ORDEAL_REPEAT"), "1")
	repeat, err := strconv.Atoi(text)
	require.NoError(t, err, "ORDEAL_REPEAT")
	return n * repeat
}

// randomHistory makes a small history of one key: what a register would have answered at random
// moments, with ties, unknown outcomes, failed cas and corrupted answers. unique says that no value
// is written twice.
func randomHistory(r *rand.Rand, n, processes, span int, unique bool) []history.Op {
	reg := randomRegister{r: r, unique: unique, blind: r.IntN(4) == 0, state: "null", seen: []string{"null"}}
	return randomOps(r, n, processes, span, reg.answer)
}

// randomOps makes a history of n operations, each of which is answered at a random moment of its interval.
func randomOps(r *rand.Rand, n, processes, span int, answer func(op *history.Op)) []history.Op {
	ops, points := randomTimes(r, n, processes, span)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return points[a] - points[b] })
	for _, i := range order {
		answer(&ops[i])
	}
	return numbered(ops)
}

// numbered is ops in the order of their calls, with indexes.
func numbered(ops []history.Op) []history.Op {
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
	for i := range ops {
		ops[i].Index = i
	}
	return ops
}

// reducesSoundly demands of a legal problem that it stays legal if groups are left out, by the bits of mask, or if it is
// weakened in one place.
func reducesSoundly(t *testing.T, p Problem, mask uint64, ops []history.Op) {
	t.Helper()
	require.True(t, plain(p.Keep(func(g int) bool { return mask>>(g%64)&1 == 0 })), "groups %b of\n%s", mask, picture(ops))
	for i := range p.Operations() {
		if weaker, ok := p.Weaken(i); ok {
			require.True(t, plain(weaker), "without %d of\n%s", i, picture(ops))
		}
	}
}

// randomTimes draws intervals of operations and a moment within each.
func randomTimes(r *rand.Rand, n, processes, span int) (ops []history.Op, points []int) {
	free := make([]int, processes)
	for range n {
		p := r.IntN(processes)
		call := free[p] + r.IntN(span)
		point := call + r.IntN(span)
		ret := point + r.IntN(span)
		free[p] = ret + r.IntN(2)
		points = append(points, point)
		ops = append(ops, history.Op{Process: p, Key: "k", Call: time.Duration(call), Return: time.Duration(ret), Ended: time.Duration(ret)})
	}
	return ops, points
}

// randomRegister answers most of the time as it should.
type randomRegister struct {
	r      *rand.Rand
	unique bool
	blind  bool // some failed cas do not tell what they found
	state  string
	fresh  int
	seen   []string
}

// some is a value that usually was there lately.
func (g *randomRegister) some() json.RawMessage {
	if g.r.IntN(12) == 0 {
		return json.RawMessage(fmt.Sprint(g.fresh + 1))
	}
	return json.RawMessage(g.seen[max(0, len(g.seen)-1-g.r.IntN(3))])
}

func (g *randomRegister) newValue() string {
	g.fresh++
	v := fmt.Sprint(g.fresh)
	if !g.unique {
		v = fmt.Sprint(g.r.IntN(3))
		if g.r.IntN(8) == 0 {
			v = "null"
		}
	}
	g.seen = append(g.seen, v)
	return v
}

func (g *randomRegister) answer(op *history.Op) {
	op.Type = history.OK
	happens := true
	if g.r.IntN(5) == 0 {
		op.Type, op.Return = history.Info, history.Never
		happens = g.r.IntN(2) == 0
	}
	switch g.r.IntN(5) {
	case 0, 1:
		op.F, op.Output = "read", json.RawMessage(g.state)
		if g.r.IntN(3) != 0 {
			op.Output = g.some()
		}
	case 2:
		op.F, op.Input = "write", json.RawMessage(g.newValue())
		if happens {
			g.state = string(op.Input)
		}
		if g.r.IntN(20) == 0 {
			op.Type, op.Return = history.Fail, op.Ended
		}
	default:
		g.cas(op, happens)
	}
	if op.Type == history.Info {
		op.Output = nil
	}
}

func (g *randomRegister) cas(op *history.Op, happens bool) {
	old := g.state
	if g.r.IntN(3) == 0 {
		old = string(g.some())
	}
	next := g.newValue()
	op.F, op.Input = "cas", json.RawMessage("["+old+","+next+"]")
	switch {
	case op.Type == history.Info:
		if happens && old == g.state {
			g.state = next
		}
	case old == g.state && g.r.IntN(100) != 0, g.r.IntN(6) == 0:
		g.state = next
	default:
		op.Type, op.Output, op.Return = history.Fail, json.RawMessage(g.state), op.Ended
		if g.r.IntN(3) == 0 {
			op.Output = g.some()
		}
		if g.blind && g.r.IntN(2) == 0 {
			op.Output, op.Err = nil, history.Mismatch
		}
	}
}

func pointers(ops []history.Op) []*history.Op {
	var all []*history.Op
	for i := range ops {
		all = append(all, &ops[i])
	}
	return all
}
