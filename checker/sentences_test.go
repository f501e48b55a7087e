package checker

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// spoken are the models whose findings speak of what nobody did, but for locks, which have a test of their own.
func spoken() []struct {
	model   Model
	history func(r *rand.Rand) []history.Op
} {
	sequence := func(i int) func(r *rand.Rand) []history.Op {
		return func(r *rand.Rand) []history.Op {
			return sequentials()[i].history(r, 4+r.IntN(12), 1+r.IntN(4), 1+r.IntN(5), r.IntN(4) > 0)
		}
	}
	register := func(r *rand.Rand) []history.Op {
		return randomHistory(r, 4+r.IntN(12), 1+r.IntN(4), 1+r.IntN(5), r.IntN(4) > 0)
	}
	return []struct {
		model   Model
		history func(r *rand.Rand) []history.Op
	}{
		{Register(), register},
		{KV(), func(r *rand.Rand) []history.Op { return someDeleted(r, register(r)) }},
		{List(), sequence(0)},
		{Counter(), sequence(1)},
		{Queue(), sequence(2)},
		{Text(), func(r *rand.Rand) []history.Op { return toyHistory(r, (*toy).textOp) }},
		{Set(), func(r *rand.Rand) []history.Op { return (&orderly{r: r, corrupt: 7}).small((*orderly).set) }},
		{Bank(), func(r *rand.Rand) []history.Op { return toyHistory(r, (*toy).bankOp) }},
	}
}

func someDeleted(r *rand.Rand, ops []history.Op) []history.Op {
	for i := range ops {
		if ops[i].F == "write" && r.IntN(3) == 0 {
			ops[i].F, ops[i].Input = "delete", nil
		}
	}
	return ops
}

// goesOn makes of the last operations what a story that ends before them does not know: they make again what was made, or take
// away from a counter. Times become milliseconds, so that sentences tell them to the digit.
func goesOn(r *rand.Rand, ops []history.Op) []history.Op {
	var made []json.RawMessage
	for i := range ops {
		op := &ops[i]
		late := i > len(ops)/2 && r.IntN(3) == 0
		switch op.F {
		case "write", "append", "insert", "enqueue":
			if made = append(made, op.Input); late {
				op.Input = made[r.IntN(len(made))]
			}
		case "add":
			if late {
				op.Input = json.RawMessage("-" + strings.TrimPrefix(string(op.Input), "-"))
			}
		}
		op.Call, op.Ended = op.Call*time.Millisecond, op.Ended*time.Millisecond
		if op.Return != history.Never {
			op.Return *= time.Millisecond
		}
	}
	return ops
}

// What a finding says that nobody did, or one did once, is so in the whole history, or up to the moment that it says.
func TestSentencesAreTrue(t *testing.T) {
	said, all := map[string]int{}, sayings()
	for _, s := range spoken() {
		t.Run(s.model.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(71, 72))
			for range histories(t, 2_000) {
				ops := goesOn(r, s.history(r))
				v := Linearizable(s.model, Budget{}).Check(t.Context(), ops)
				require.NoError(t, v.Broken)
				for _, f := range v.Findings {
					require.Empty(t, untrueOf(f, ops, all, said), "%s\n%s\nof\n%s", f.Text, strings.Join(f.Proof, "\n"), picture(ops))
				}
			}
		})
	}
	for _, c := range all {
		t.Log(said[c.form], c.form)
	}
	require.Greater(t, len(said), len(all)*3/4, "most are made")
}

// untrueOf is a claim of a finding about all operations that ops do not bear out. It counts the claims.
func untrueOf(f Finding, ops []history.Op, all []saying, said map[string]int) string {
	text := strings.Join(append([]string{f.Text}, f.Proof...), "\n")
	for _, c := range all {
		for _, parts := range c.FindAllStringSubmatch(text, -1) {
			said[c.form]++
			if !c.true(whole{ops, f}, parts) {
				return c.form
			}
		}
	}
	return ""
}

// Stories that end before something that would make a sentence about all operations untrue. An operation a line: see TestLockStories.
func TestSentencesOfStoriesThatEndEarly(t *testing.T) {
	for _, c := range []struct {
		model Model
		ops   string
		says  []string
	}{
		{Counter(), "p1 0 1 add 1 ok 1; p2 2 30 add 3 ok 4; p3 3 - add 2 info -; p1 10 11 read - ok 10", []string{
			"and the adds of unknown outcome or still open at 0.011 s do not make that sum: add 3→4 by p2, add 2 by p3.",
			"Every add that had been answered with its sum by 0.011 s tells from where to where it took the counter; none of them was between these two.",
		}},
		{Counter(), "p1 0 1 add 1 ok 1; p2 2 30 add 2 ok 3; p3 3 - add 1 info -; p1 4 5 add 4 ok 7; p4 4 20 read - ok 7; p1 6 7 read - ok 9", []string{
			"the counter grew by 2, 2 where nobody was known to have added by 0.007 s, and the adds of unknown outcome or still open at 0.007 s cannot make up for all of that: add 2→3 by p2, add 1 by p3.",
			"Every add that had been answered with its sum by 0.007 s tells",
			"each may be made up of adds of unknown outcome or still open at 0.007 s, but each of those",
		}},
		{Counter(), "p1 0 1 add 3 ok 3; p1 2 3 read - ok 2; p1 4 - add -1 info -", []string{
			"found 2, which the counter had never been by 0.003 s", "Until 0.003 s the counter only grew, so it was never 2, before or after, by then.",
		}},
		{List(), "p1 0 1 append 1 ok -; p1 2 3 read - ok [1,1]; p1 4 5 append 1 ok -", []string{
			"get [1,1] by p1 shows 1 twice, though it had been appended once by 0.003 s, by append 1 by p1.",
		}},
		{Register(), "p1 0 1 write 5 ok -; p1 2 3 write 6 ok -; p1 4 5 read - ok 5; p1 6 7 write 5 ok -", []string{
			"5 had been written once by 0.005 s, by put 5 by p1.", "6 was written once, by put 6 by p1.",
			"6 had taken the place of 5, which nobody had written again by 0.005 s.",
		}},
		{Register(), "p1 0 1 write 5 ok -; p1 2 3 cas [5,6] ok -; p1 4 5 cas [5,7] ok -; p1 6 7 write 5 ok -", []string{
			"5 had been written once by 0.005 s, by put 5 by p1.",
		}},
		{KV(), "p1 0 1 write 5 ok -; p1 4 5 read - ok null; p1 6 7 delete - ok -", []string{
			"nil is the initial value, and nobody had written it by 0.005 s.", "5 had taken the place of nil, which nobody had written again by 0.005 s.",
		}},
		{Register(), "p1 2 9 write 5 fail -; p2 3 4 read - ok 5", []string{"p2 read 5, but put 5 ✗ by p1 was answered as not applied."}},
		{Text(), `p1 0 1 append "a" ok -; p1 2 3 read - ok "aa"; p1 4 5 append "a" ok -`, []string{"though it had been made once by 0.003 s, by append a by p1."}},
		{Queue(), "p1 0 1 enqueue 1 ok -; p1 2 3 dequeue - ok 1; p1 4 5 dequeue - ok 1; p1 6 7 enqueue 1 ok -", []string{
			"both took out 1, which had been put in once by 0.005 s, by enqueue 1 by p1.",
		}},
		{Queue(), "p1 0 1 enqueue 1 ok -; p1 0 1 enqueue 1 ok -; p1 2 3 dequeue - ok null", []string{"no dequeue without an answer had begun"}},
	} {
		v := Linearizable(c.model, Budget{}).Check(t.Context(), lockOps(t, strings.ReplaceAll(c.ops, "; ", "\n")))
		require.NoError(t, v.Broken, c.ops)
		require.Len(t, v.Findings, 1, c.ops)
		for _, says := range c.says {
			require.Contains(t, strings.Join(append(v.Findings[0].Proof, v.Findings[0].Text), "\n"), says, c.ops)
		}
	}
}
