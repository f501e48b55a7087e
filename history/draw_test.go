package history

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func genOps(t *rapid.T, most int) []Op {
	n := rapid.IntRange(1, most).Draw(t, "ops")
	moments := rapid.Permutation(moments(2*n)).Draw(t, "moments")
	free := map[int]time.Duration{}
	var ops []Op
	value := func(name string) json.RawMessage {
		return rapid.SampledFrom([]json.RawMessage{json.RawMessage("null"), json.RawMessage("5"), json.RawMessage("-17"),
			json.RawMessage(`"c3-1"`), json.RawMessage(`"a | b"`), json.RawMessage(`{"a→":"\u001b[31m"}`), json.RawMessage(`"5"`)}).Draw(t, name)
	}
	for i := range n {
		a, b := moments[2*i], moments[2*i+1]
		op := Op{Call: min(a, b), Return: max(a, b), Type: OK}
		for free[op.Process] >= op.Call {
			op.Process++
		}
		switch rapid.IntRange(0, 2).Draw(t, "f") {
		case 0:
			op.F, op.Output = "read", value("v")
		case 1:
			op.F, op.Input = "write", value("v")
			op.Output = op.Input
		case 2:
			op.F, op.Input = "cas", json.RawMessage(fmt.Sprintf("[%s,%s]", value("old"), value("new")))
			op.Output = op.Input
		}
		switch rapid.IntRange(0, 5).Draw(t, "type") {
		case 0:
			op.Type, op.Return, op.Output = Info, Never, nil
		case 1:
			op.Type, op.Output = Fail, nil
			if op.F == "cas" && rapid.Bool().Draw(t, "tells") {
				op.Output = value("found")
			}
		}
		op.Ended = op.Return
		free[op.Process] = op.Return
		ops = append(ops, op)
	}
	return ops
}

func moments(n int) []time.Duration {
	ts := make([]time.Duration, n)
	for i := range ts {
		ts[i] = time.Duration(i*i+1) * 100 * time.Microsecond // unevenly spread, so that labels collide
	}
	return ts
}

func TestParseDrawKeepsTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ops := genOps(t, 9)
		number(ops)
		picture := Draw(ops, DrawOptions{Windows: []Window{{Fault: "pause", Target: []string{"n3"}, From: 0, To: Never}}})
		got, err := Parse(picture)
		require.NoError(t, err, picture)
		require.Len(t, got, len(ops), picture)
		for i, a := range ops {
			require.Equal(t, a.Label(), got[i].Label(), picture)
			require.Equal(t, []any{a.Type, a.F, a.Process, a.Index}, []any{got[i].Type, got[i].F, got[i].Process, got[i].Index}, picture)
			for j, b := range ops {
				require.Equal(t, a.Return < b.Call, got[i].Return < got[j].Call, "%d before %d\n%s", i, j, picture)
			}
		}
	})
}

func TestDraw(t *testing.T) {
	ops, err := Parse(`
p2 n2: |--- put 9 ---|        |- get 9 -|
p7 n3:          |- cas 9->5 ...                 |- x
`)
	require.Error(t, err)
	require.Nil(t, ops)
	ms := func(n int) time.Duration { return 12*time.Second + time.Duration(n)*time.Millisecond }
	j := func(s string) json.RawMessage { return json.RawMessage(s) }
	ops = []Op{
		{Process: 2, Node: "n2", F: "write", Input: j("9"), Type: OK, Call: ms(100), Return: ms(200)},
		{Process: 2, Node: "n2", F: "read", Output: j("9"), Type: OK, Call: ms(260), Return: ms(262)},
		{Process: 7, Node: "n3", F: "read", Output: j("5"), Type: OK, Call: ms(380), Return: ms(400)},
		{Process: 7, Node: "n3", F: "cas", Input: j("[5,6]"), Output: j("9"), Type: Fail, Call: ms(401), Return: ms(403)},
		{Process: 7, Node: "n3", F: "read", Output: j("null"), Type: OK, Call: ms(420), Return: ms(421)},
		{Process: 8, Node: "\x1b[31m", F: "write", Input: j(`"<b>\u0007"`), Type: Info, Call: ms(405), Return: Never},
	}
	got := Draw(ops, DrawOptions{Windows: []Window{
		{Fault: "pause", Target: []string{"n3"}, From: ms(90), To: ms(300)},
		{Fault: "kill", Target: []string{"n1", "n2"}, From: ms(300), To: Never},
		{Fault: "kill", Target: []string{"n1"}, From: ms(1300), To: Never}}})
	require.Equal(t, strings.TrimPrefix(`
p2 n2           |------- put 9 -------|            || get 9
p7 n3                                                                         |---||| || get nil
                                                                              get 5
                                                                                   cas 5→6 ✗(9)
p8 "\u001b[31m"                                                                      |--- put "<b>\u0007" - ···
n3              ........ pause .............................|
n1,n2                                                       ........ kill .............
                12.10s     12.15s     12.20s     12.25s     12.30s     12.35s     12.40s
`, "\n"), got)
}

func TestLabels(t *testing.T) {
	for v, want := range map[string]string{
		`null`: "nil", ``: "nil", `5`: "5", `"5"`: `"5"`, `"nil"`: `"nil"`, `"abc-1"`: "abc-1", `"a b"`: `"a b"`, `"-a"`: `"-a"`,
		`""`: `""`, `[1, 2]`: "[1,2]", `"\u001b[2J"`: `"\u001b[2J"`, `"é💥"`: `"\u00e9\ud83d\udca5"`, `{broken`: `"{broken"`,
		`"` + strings.Repeat("x", 50) + `"`: strings.Repeat("x", 15) + "…" + strings.Repeat("x", 15),
	} {
		require.Equal(t, want, ValueLabel(json.RawMessage(v)))
	}
	require.Equal(t, `append 5→[4,5]`, Op{F: "append", Type: OK, Input: json.RawMessage("5"), Output: json.RawMessage("[4,5]")}.Label())
	require.Equal(t, `append 5`, Op{F: "append", Type: OK, Input: json.RawMessage("5"), Output: json.RawMessage("5")}.Label())
	require.Equal(t, `add 5→5`, Op{F: "add", Type: OK, Input: json.RawMessage("5"), Output: json.RawMessage("5")}.Label())
	require.Equal(t, `add 5 ✗`, Op{F: "add", Type: Fail, Input: json.RawMessage("5")}.Label())
	require.Equal(t, `cas x ✗`, Op{F: "cas", Type: Fail, Input: json.RawMessage(`"x"`)}.Label())
}

func TestParseListsAndCounters(t *testing.T) {
	ops, err := Parse("p0: |- append \"a\" -|  |- add -2→7 -|  |- add 3 ✗ -|  |- add 4 ---- ···\n" +
		"p1: |--------|  |- get [1,2] -|\n" +
		"    append 5\n")
	require.NoError(t, err)
	var labels []string
	for _, op := range ops {
		labels = append(labels, op.Type.String()+" "+op.Label())
	}
	require.ElementsMatch(t, []string{
		"ok append a", "ok add -2→7", "fail add 3 ✗", "info add 4", "ok append 5", "ok get [1,2]",
	}, labels)
	_, err = Parse("p0: |- take 5 -|")
	require.ErrorContains(t, err, "should be put, get, cas, append, add or txn")
}

func TestTransactionsAreDrawnAndParsed(t *testing.T) {
	picture := "p0: |- txn {append k 5, get \"a b\" [1,2]} -|   |- txn {get 7 nil} ✗ -|   |- txn {append k x, get k ?} --- ···\n"
	ops, err := Parse(picture)
	require.NoError(t, err)
	var labels []string
	for _, op := range ops {
		labels = append(labels, op.Label())
	}
	require.Equal(t, []string{`txn {append k 5, get "a b" [1,2]}`, "txn {get 7 ?} ✗", "txn {append k x, get k ?}"}, labels)
	require.Equal(t, `[["append","k",5],["r","a b",null]]`, string(ops[0].Input))
	require.Equal(t, `[["append","k",5],["r","a b",[1,2]]]`, string(ops[0].Output))
	require.Equal(t, `[["r",7,null]]`, string(ops[1].Input))
	again, err := Parse(Draw(ops, DrawOptions{}))
	require.NoError(t, err)
	for i, op := range again {
		require.Equal(t, labels[i], op.Label())
	}
	for _, broken := range []string{"txn {put k 5}", "txn {get k", "txn {get k 5 get k 5}", "txn {append k}"} {
		_, err := Parse("p0: |- " + broken + " -|")
		require.Error(t, err, broken)
	}
	require.Equal(t, `txn [["r",1]]→[5]`, Op{F: "txn", Type: OK, Input: json.RawMessage(`[["r",1]]`), Output: json.RawMessage("[5]")}.Label())
}
