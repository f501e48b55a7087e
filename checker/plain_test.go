package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// toy is a system in a few words, that answers as it should but for what the caller spoils.
type toy struct {
	r     *rand.Rand
	fresh int
	list  []string // a queue, or a set
	text  string
	token int // of a lock that is held
	last  int
	bank  [3]int
}

// toys are the models that no other test has, and some that others have too, each with its system.
func toys() map[string]struct {
	model  Model
	answer func(g *toy, op *history.Op, happens bool)
} {
	return map[string]struct {
		model  Model
		answer func(g *toy, op *history.Op, happens bool)
	}{
		"queue": {Queue(), (*toy).queue}, "set": {Set(), (*toy).set}, "lock": {Lock(), (*toy).lock},
		"bank": {Bank(), (*toy).bankOp}, "text": {Text(), (*toy).textOp}, "text of few": {Text(), (*toy).textOfFew},
	}
}

func (g *toy) one(n int) bool { return g.r.IntN(n) == 0 }

func (g *toy) queue(op *history.Op, happens bool) {
	if g.one(2) {
		g.fresh++
		op.F, op.Input = "enqueue", json.RawMessage(fmt.Sprint(g.fresh))
		if happens {
			g.list = append(g.list, fmt.Sprint(g.fresh))
		}
		return
	}
	op.F, op.Output = "dequeue", json.RawMessage("null")
	if len(g.list) > 0 && happens {
		op.Output = json.RawMessage(g.list[0])
		if !g.one(15) {
			g.list = g.list[1:]
		}
		if g.one(12) {
			op.Output = json.RawMessage(fmt.Sprint(1 + g.r.IntN(g.fresh+1)))
		}
	}
}

func (g *toy) set(op *history.Op, happens bool) {
	if g.one(2) {
		g.fresh++
		op.F, op.Input = "insert", json.RawMessage(fmt.Sprint(g.fresh))
		if happens && !g.one(15) {
			g.list = append(g.list, fmt.Sprint(g.fresh))
		}
		return
	}
	shown := slices.Clone(g.list)
	g.r.Shuffle(len(shown), func(i, j int) { shown[i], shown[j] = shown[j], shown[i] })
	if g.one(12) {
		shown = append(shown, fmt.Sprint(1+g.r.IntN(g.fresh+1)))
	}
	op.F, op.Output = "read", json.RawMessage("["+strings.Join(shown, ",")+"]")
}

func (g *toy) lock(op *history.Op, happens bool) {
	held := json.RawMessage("null")
	if g.token > 0 {
		held = json.RawMessage(fmt.Sprint(g.token))
	}
	if op.F = "acquire"; g.last > 0 && g.one(2) {
		op.F, op.Input = "release", json.RawMessage(fmt.Sprint(max(1, g.last-g.r.IntN(2))))
		op.Output = op.Input
		if string(op.Input) != string(held) && !g.one(15) {
			op.Type, op.Err, op.Output = history.Fail, "not held", held
		} else if happens {
			g.token = 0
		}
		return
	}
	if g.token > 0 && !g.one(12) {
		op.Type, op.Err, op.Output = history.Fail, "held", held
	} else if happens {
		g.last += 1 + g.r.IntN(3)
		g.token = g.last
		op.Output = json.RawMessage(fmt.Sprint(g.token))
	}
	if op.Type == history.OK && op.Output == nil {
		op.Output = json.RawMessage("1")
	}
}

func (g *toy) bankOp(op *history.Op, happens bool) {
	if g.one(2) {
		from := g.r.IntN(3)
		to, amount := (from+1+g.r.IntN(2))%3, 1+g.r.IntN(3)
		op.F, op.Input = "transfer", json.RawMessage(fmt.Sprintf(`{"from":%d,"to":%d,"amount":%d}`, from, to, amount))
		if happens && !g.one(15) {
			g.bank[from] -= amount
			g.bank[to] += amount
		}
		op.Output = json.RawMessage(fmt.Sprintf("[%d,%d]", g.bank[from], g.bank[to]))
		return
	}
	op.F, op.Input = "read", json.RawMessage("[0,1,2]")
	op.Output = json.RawMessage(fmt.Sprintf("[%d,%d,%d]", g.bank[0], g.bank[1], g.bank[2]))
	if g.one(12) {
		op.Output = json.RawMessage("[0,0,0]")
	}
}

// textOp makes elements that mostly differ, and none begins with another.
func (g *toy) textOp(op *history.Op, happens bool) {
	g.fresh++
	element := fmt.Sprintf("%d;", max(1, g.fresh-g.r.IntN(8)/7))
	quoted := func(text string) json.RawMessage { return json.RawMessage(strconv.Quote(text)) }
	op.F, op.Input = "append", quoted(element)
	switch kind := g.r.IntN(8); {
	case kind < 4:
		shown := strings.SplitAfter(g.text, ";")
		if n := len(shown); g.one(8) {
			shown[g.r.IntN(n)], shown[g.r.IntN(n)] = shown[g.r.IntN(n)], shown[g.r.IntN(n)]
		}
		op.F, op.Input, op.Output = "read", nil, quoted(strings.Join(shown, ""))
	case kind == 7 && happens:
		g.text, op.F = element, "write"
	case kind == 7:
		op.F = "write"
	case happens:
		g.text += element
	}
}

func (g *toy) textOfFew(op *history.Op, happens bool) {
	old := g.text
	switch g.r.IntN(4) {
	case 0, 1:
		op.F, op.Output = "read", json.RawMessage(fmt.Sprintf("%q", g.text))
		if g.one(10) {
			op.Output = json.RawMessage(fmt.Sprintf("%q", g.text[:len(g.text)/2]))
		}
		return
	case 2:
		op.F, op.Input, g.text = "append", json.RawMessage(`"a"`), g.text+"a"
	default:
		op.F, op.Input, g.text = "write", json.RawMessage(`"b"`), "b"
	}
	if !happens {
		g.text = old
	}
}

func toyHistory(r *rand.Rand, answer func(g *toy, op *history.Op, happens bool)) []history.Op {
	g := toy{r: r}
	return randomOps(r, 2+r.IntN(9), 1+r.IntN(4), 1+r.IntN(5), func(op *history.Op) {
		unknown := g.one(5)
		answer(&g, op, !unknown || g.one(2))
		if op.Type != history.Fail {
			op.Type = history.OK
		}
		if unknown {
			op.Type, op.Return, op.Output, op.Err = history.Info, history.Never, nil, ""
		}
	})
}

func TestSearchAgreesWithPorcupine(t *testing.T) {
	for name, s := range toys() {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(21, 22))
			bad := 0
			cases := histories(t, 6_000)
			for range cases {
				ops := toyHistory(r, s.answer)
				p, err := s.model.Parse(pointers(ops))
				require.NoError(t, err, picture(ops))
				want := plain(p)
				require.Equal(t, want, decided(t, p) == legal, picture(ops))
				if !want {
					bad++
				}
			}
			t.Logf("%d of %d illegal", bad, cases)
			require.Greater(t, bad, cases/20)
			require.Less(t, bad, cases*4/5)
		})
	}
}

// What the models say of single histories, in words of their own.
func TestModels(t *testing.T) {
	at := func(i int, f, in, out string, typ history.Type, errText string) history.Op {
		op := history.Op{Index: i, Process: i, F: f, Key: "k", Type: typ, Err: errText,
			Call: time.Duration(2 * i), Return: time.Duration(2*i + 1), Ended: time.Duration(2*i + 1)}
		if in != "" {
			op.Input = json.RawMessage(in)
		}
		if out != "" {
			op.Output = json.RawMessage(out)
		}
		if typ == history.Info {
			op.Return = history.Never
		}
		return op
	}
	ok := func(i int, f, in, out string) history.Op { return at(i, f, in, out, history.OK, "") }
	for _, c := range []struct {
		name  string
		model Model
		ops   []history.Op
		want  Status
	}{
		{"a queue gives the first", Queue(), []history.Op{ok(0, "enqueue", "1", ""), ok(1, "enqueue", "2", ""), ok(2, "dequeue", "", "1"), ok(3, "dequeue", "", "2"), ok(4, "dequeue", "", "null")}, Valid},
		{"a queue does not give the last", Queue(), []history.Op{ok(0, "enqueue", "1", ""), ok(1, "enqueue", "2", ""), ok(2, "dequeue", "", "2")}, Invalid},
		{"a queue gives each once", Queue(), []history.Op{ok(0, "enqueue", "1", ""), ok(1, "dequeue", "", "1"), ok(2, "dequeue", "", "1")}, Invalid},
		{"a queue that holds something is not empty", Queue(), []history.Op{ok(0, "enqueue", "1", ""), ok(1, "dequeue", "", "null")}, Invalid},
		{"an unknown dequeue may have taken it", Queue(), []history.Op{ok(0, "enqueue", "1", ""), at(1, "dequeue", "", "", history.Info, ""), ok(2, "dequeue", "", "null")}, Valid},
		{"a set has no order", Set(), []history.Op{ok(0, "insert", "1", ""), ok(1, "add", "2", ""), ok(2, "read", "", "[2,1]")}, Valid},
		{"a set loses nothing", Set(), []history.Op{ok(0, "insert", "1", ""), ok(1, "insert", "2", ""), ok(2, "read", "", "[2]")}, Invalid},
		{"a set has each once", Set(), []history.Op{ok(0, "insert", "1", ""), ok(1, "read", "", "[1,1]")}, Invalid},
		{"a lock is granted once", Lock(), []history.Op{ok(0, "acquire", "", "1"), ok(1, "acquire", "", "2")}, Invalid},
		{"a lock is granted again", Lock(), []history.Op{ok(0, "acquire", "", "1"), ok(1, "release", "1", "1"), ok(2, "acquire", "", "2")}, Valid},
		{"tokens rise", Lock(), []history.Op{ok(0, "acquire", "", "2"), ok(1, "release", "2", "2"), ok(2, "acquire", "", "1")}, Invalid},
		{"an unknown grant shows", Lock(), []history.Op{at(0, "acquire", "", "", history.Info, ""), at(1, "acquire", "", "7", history.Fail, "held"), at(2, "acquire", "", "8", history.Fail, "held"), ok(3, "release", "1", "1")}, Invalid},
		{"money is moved", Bank(), []history.Op{ok(0, "transfer", `{"from":0,"to":1,"amount":5}`, "[-5,5]"), ok(1, "read", "[0,1,2]", "[-5,5,0]")}, Valid},
		{"money is not made", Bank(), []history.Op{ok(0, "transfer", `{"from":0,"to":1,"amount":5}`, "[-5,5]"), ok(1, "read", "[0,1]", "[0,5]")}, Invalid},
		{"a deleted key is absent", KV(), []history.Op{ok(0, "write", "1", ""), ok(1, "delete", "", ""), ok(2, "read", "", "null")}, Valid},
		{"a deleted key does not come back", KV(), []history.Op{ok(0, "write", "1", ""), ok(1, "delete", "", ""), ok(2, "read", "", "1")}, Invalid},
		{"a text grows", Text(), []history.Op{ok(0, "append", `"a"`, ""), ok(1, "append", `"b"`, ""), ok(2, "read", "", `"ab"`)}, Valid},
		{"a text keeps its order", Text(), []history.Op{ok(0, "append", `"a"`, ""), ok(1, "append", `"b"`, ""), ok(2, "read", "", `"ba"`)}, Invalid},
	} {
		v := Linearizable(c.model, Budget{}).Check(t.Context(), c.ops)
		require.NoError(t, v.Broken, c.name)
		require.Equal(t, c.want, v.Status, "%s: %s", c.name, v.Reason)
	}
}

func TestModelsRefuseWhatTheyCannotRead(t *testing.T) {
	for f, models := range map[string][]Model{"nosuch": Models(), "enqueue": {Queue()}, "release": {Lock()}, "transfer": {Bank()}, "insert": {Set()}} {
		for _, m := range models {
			_, err := m.Parse([]*history.Op{{Key: "k", F: f, Type: history.OK, Return: 1}})
			require.ErrorContains(t, err, `operation 0 of key "k"`, m.Name)
		}
	}
}
