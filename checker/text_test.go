package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// textHistory is one of a text in a few words: `0-5 append a` is from 0 to 5 s, `2- append b` of unknown outcome,
// `2-3! append b` refused.
func textHistory(t *testing.T, lines string) []history.Op {
	t.Helper()
	var ops []history.Op
	for i, line := range strings.Split(lines, "; ") {
		fields := strings.Fields(line)
		from, to, _ := strings.Cut(fields[0], "-")
		op := history.Op{Index: i, Process: i, Key: "k", F: fields[1], Type: history.OK}
		if ended, refused := strings.CutSuffix(to, "!"); refused {
			op.Type, to = history.Fail, ended
		}
		var err error
		op.Call, err = time.ParseDuration(from + "s")
		require.NoError(t, err)
		if op.Type, op.Return = max(op.Type, history.OK), history.Never; to == "" {
			op.Type, op.Ended = history.Info, op.Call+time.Second
		} else {
			op.Return, err = time.ParseDuration(to + "s")
			require.NoError(t, err)
			op.Ended = op.Return
		}
		text, err := json.Marshal(strings.Join(fields[2:], ""))
		require.NoError(t, err)
		if op.F == "read" {
			op.Output = text
		} else {
			op.Input = text
		}
		ops = append(ops, op)
	}
	return ops
}

func TestTextStories(t *testing.T) {
	for _, c := range []struct{ ops, rule, text string }{
		{"0-1 append a; 2-3 append b; 4-5 read ab", "", ""},
		{"0- append a; 2-3 append b; 4-5 read b; 6-7 read ba", "", ""},
		{"0-1 append a; 2-3 write b; 4-5 read b", "", ""},
		{"0-1 append a; 0-9 append b; 2-3 read ab; 4-5 write c; 6-7 read c", "", ""},
		{"0-1 append a; 2-3 read az", rulePhantom, "nobody ever wrote or appended that"},
		{"0-1 append a; 2-3! append z; 4-5 read az", rulePhantom, "was answered as not applied"},
		{"0-1 append a; 2-3 read zb; 0-5! append z; 0-7! append b", rulePhantom, "shows z, but append z ✗ by p2 was answered as not applied"},
		{"0-1 append a; 2-3 read azb; 4-5 append z; 6-7 append b", ruleBeforeWrite, "shows z and had finished 1 s before append z"},
		{"0-1 append a; 2-3 read az; 4-5 append z", ruleBeforeWrite, "1 s before append z"},
		{"0-1 append a; 2-3 read aa", ruleDuplicate, "shows a twice"},
		{"0-9 append a; 1-2 read a; 3-4 read", ruleStale, "began 1 s after get a by p1 had finished"},
		{"0-1 append a; 2-3 read", ruleLostAppend, "does not show a"},
		{"0-1 append a; 1-9 append b; 8-9 read b", ruleLostAppend, "does not show a"},
		{"0-1 append a; 2-9 append b; 0-9 read b", ruleLostAppend, "shows b without a"},
		{"0-1 write w; 2-3 append a; 4-5 read w", ruleLostAppend, "does not show a"},
		{"0-1 append a; 2-3 append b; 0-9 read ba", ruleReordered, "shows b before a"},
		{"0-9 append a; 0-9 append b; 5-6 read ab; 7-8 read ba", ruleForked, "where"},
		{"0-1 write v; 2-3 write w; 4-5 read v", ruleStale, "w was written after v was done"},
		{"0-1 write v; 2-3 append a; 4-5 write w; 6-7 read va", ruleStale, "w was written after v was done"},
	} {
		ops := textHistory(t, c.ops)
		v := Linearizable(Text(), Budget{}).Check(t.Context(), ops)
		require.NoError(t, v.Broken, c.ops)
		require.Contains(t, v.Engine, "zones 1", c.ops)
		if c.rule == "" {
			require.Equal(t, Valid, v.Status, c.ops)
			continue
		}
		require.Equal(t, Invalid, v.Status, c.ops)
		require.Equal(t, c.rule, v.Findings[0].Rule, "%s: %s", c.ops, v.Findings[0].Text)
		require.Contains(t, v.Findings[0].Text, c.text, c.ops)
	}
}

// What is told of a long answer takes no longer than to read it.
func TestTextStoriesOfLongAnswers(t *testing.T) {
	ops := textHistory(t, "0-1 append a; 2-3 append a; 4-5 read "+strings.Repeat("a", 300_000))
	p, err := Text().Parse(pointers(ops))
	require.NoError(t, err)
	require.Equal(t, ruleOther, p.Explain(pointers(ops)).Rule)
}

// Two strings that hold what is no character must not be taken for one.
func TestTextsRefuseHalfCharacters(t *testing.T) {
	for raw, refused := range map[string]bool{
		`"\ud83d"`: true, "\"\xff\"": true, `"\ud83d\ude00"`: false, `"\ufffd"`: false, `"�"`: false, `null`: true, ``: true, `1`: true,
	} {
		_, err := Text().Parse([]*history.Op{{F: "append", Key: "k", Input: json.RawMessage(raw)}})
		require.Equal(t, refused, err != nil, raw)
	}
}

// What could be taken apart in several ways is not, and is searched.
func TestTextsThatCanBeConfused(t *testing.T) {
	for _, ops := range []string{
		"0-1 append a; 2-3 append ab; 4-5 read aab",
		"0-1 append a; 2-3 append aa; 4-5 read aaa",
	} {
		v := Linearizable(Text(), Budget{}).Check(t.Context(), textHistory(t, ops))
		require.Equal(t, Valid, v.Status, ops)
		require.Contains(t, v.Engine, "search 1", ops)
	}
}

func TestTextReductionsNeverConvictTheInnocent(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	for range histories(t, 6_000) {
		ops := toyHistory(r, (*toy).textOp)
		p, err := Text().Parse(pointers(ops))
		require.NoError(t, err)
		if plain(p) {
			reducesSoundly(t, p, r.Uint64(), ops)
		}
	}
}

func TestTextWitnessesAreSmallAndNamed(t *testing.T) {
	r := rand.New(rand.NewPCG(63, 64))
	rules, bad := map[string]int{}, 0
	for range 2_000 {
		g := toy{r: r}
		ops := randomOps(r, 10+r.IntN(40), 1+r.IntN(5), 1+r.IntN(5), func(op *history.Op) {
			op.Type = history.OK
			g.textOp(op, true)
		})
		v := Linearizable(Text(), Budget{}).Check(t.Context(), ops)
		require.NoError(t, v.Broken)
		require.NotContains(t, v.Reason, "undecided")
		if v.Status == Invalid {
			f := v.Findings[0]
			require.LessOrEqual(t, len(f.Ops), 8, "%s\n%s", f.Text, picture(pick(ops, f.Ops)))
			require.NotContains(t, fmt.Sprint(f.Text, f.Proof), "%!")
			rules[f.Rule]++
			bad++
		}
	}
	t.Log(rules)
	require.Greater(t, bad, 500)
	require.Less(t, rules[ruleOther], bad/10, "most have a name")
}
