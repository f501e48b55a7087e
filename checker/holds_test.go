package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// turns is n operations one after the other, by what is told of one after the other again and again: "f input output",
// where N is the round and - is nothing. One without an answer ends in ?, one that failed in ! and why.
func turns(n int, told ...string) []history.Op {
	ops := make([]history.Op, n)
	for i := range ops {
		text, reason, failed := strings.Cut(told[i%len(told)], "!")
		text, unknown := strings.CutSuffix(text, "?")
		at := time.Duration(2 * i)
		op := history.Op{Index: i, Key: "k", Type: history.OK, Call: at, Return: at + 1, Err: reason}
		switch {
		case failed:
			op.Type = history.Fail
		case unknown:
			op.Type, op.Return = history.Info, history.Never
		}
		words := strings.Fields(strings.ReplaceAll(text, "N", fmt.Sprint(i/len(told)+1)))
		op.F = words[0]
		for k, value := range [...]*json.RawMessage{&op.Input, &op.Output} {
			if words[k+1] != "-" {
				*value = json.RawMessage(words[k+1])
			}
		}
		ops[i] = op
	}
	return ops
}

// gapped has adds of unknown outcome, each of one more than the one before up to most, and then a read of what each left.
func gapped(n, most int) []history.Op {
	ops, sum := make([]history.Op, n/2*2), 0
	for i := range n / 2 {
		delta := min(i+1, most)
		sum += delta
		ops[i] = step(i, history.Info, "add", fmt.Sprint(delta), "")
		ops[n/2+i] = step(n/2+i, history.OK, "read", "", fmt.Sprint(sum))
	}
	return ops
}

// allocates is what an engine says, and all that it allocates.
func allocates(t *testing.T, e Engine, memory int64) (Answer, int64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	a := e.Decide(t.Context(), memory)
	runtime.ReadMemStats(&after)
	return a, int64(after.TotalAlloc - before.TotalAlloc)
}

// What an engine says that it holds is no less than all that it allocates, whatever the history is made of, and not much
// more than what it allocates at worst.
func TestOrdersHoldWhatTheySay(t *testing.T) {
	const n = 100_000
	under := load{ops: n, clients: 30, unknown: 0.05}
	revised := func(ops []history.Op) []history.Op {
		for i := range ops {
			ops[i].Revision = uint64(i + 1)
		}
		return ops
	}
	for _, e := range []struct {
		model     Model
		engine    string
		histories map[string][]history.Op
	}{
		{Register(), "version order", map[string][]history.Op{
			"writes": revised(turns(n, "write N -")), "reads": revised(turns(n, "read - null")),
			"unknown": revised(turns(n, "write N -?", "read - N")), "looks": revised(turns(n, "write N -", "cas [0,1] -!mismatch")),
			"made for looks": madeForLooks(n, false),
		}},
		{Register(), "zones", map[string][]history.Op{
			"writes": turns(n, "write N -"), "unknown": turns(n, "write N -?"), "reads": turns(n, "read - null"),
			"blind": turns(n, "cas [N,1] -!mismatch"), "writes, blind": turns(n, "write N -", "cas [0,1] -!mismatch"),
		}},
		{Text(), "zones", map[string][]history.Op{
			"appends": turns(n, `append "N;" -`), "reads": turns(n, `read - ""`), "turns": turns(n, `write "N;" -`, `read - "N;"`),
		}},
		{List(), "list order", map[string][]history.Op{"appends": turns(n, "append N -"), "reads": turns(n, "read - []")}},
		{Counter(), "counter ladder", map[string][]history.Op{
			"reads": turns(n, "read - 0"), "gaps": gapped(n, 1), "other gaps": gapped(n, n),
		}},
		{Set(), "inclusion order", map[string][]history.Op{
			"load": under.heavySet(20), "inserts": turns(n, "insert N -"), "reads": turns(n, "read - []"),
		}},
		{Lock(), "fencing", map[string][]history.Op{
			"load": under.heavyLock(), "turns": turns(n, "acquire - N", "release N N"), "free": turns(n, "release 1 null!not held"),
			"turns, free": turns(n, "acquire - N", "release N N", "release 1 null!not held"),
			"unknown":     turns(n, "acquire - -?", "release N -?"),
			"hidden":      turns(n, "acquire - -?", "acquire - N!held", "release N N"),
		}},
		{Queue(), "queue order", map[string][]history.Op{
			"load": queueLoad(n, 30, 0.05, 1), "in": turns(n, "enqueue N -"), "empty": turns(n, "dequeue - null"),
			"turns":     turns(n, "enqueue N -", "dequeue - N", "dequeue - null"),
			"vanishing": turns(n, "enqueue N -", "dequeue - -?", "dequeue - null"),
		}},
	} {
		worst := 0.0 // the largest share of what it says
		for name, ops := range e.histories {
			p, err := e.model.Parse(pointers(ops))
			require.NoError(t, err, name)
			engine := p.Engines()[slices.IndexFunc(p.Engines(), func(of Engine) bool { return of.Name == e.engine })]
			a, allocated := allocates(t, engine, 1<<40)
			require.Equal(t, legal, a.Result, "%s: %s", e.engine, name)
			t.Logf("%-15s %-12s %6.1f B a call, says %6.1f", e.engine, name, float64(allocated)/n, float64(engine.Holds)/n)
			require.LessOrEqual(t, allocated, engine.Holds+1<<16, "%s: %s", e.engine, name)
			worst = max(worst, float64(allocated)/float64(engine.Holds))
		}
		require.Greater(t, worst, 0.8, e.engine)
	}
}

// What is left without what was written twice is judged only if there is room for it beside the tables of the whole.
func TestPartsOfWhatWasWrittenTwiceHaveToFit(t *testing.T) {
	const n = 50_000
	then := func(ops []history.Op, told ...string) []history.Op {
		for _, op := range turns(len(told), told...) {
			op.Index, op.Call = len(ops), time.Duration(2*len(ops))
			op.Return = op.Call + 1
			ops = append(ops, op)
		}
		return ops
	}
	shown := make([]string, n)
	for i := range shown {
		shown[i] = fmt.Sprint(i + 1)
	}
	list, all := strings.Join(shown, ","), strings.Join(shown, ";")+";"
	for _, c := range []struct {
		model  Model
		engine int
		ops    []history.Op // of which the last answer is wrong
	}{
		{Register(), 1, then(turns(n, "write N -"), "write 1 -", "read - 1", "read - 2")},
		{List(), 0, then(turns(n, "append N -"), "append 1 -", "read - ["+list+",1]", "read - ["+list+",1]", "read - ["+list+",1]", "read - []")},
		{Text(), 0, then(turns(n, `append "N;" -`), `append "1;" -`, `read - "`+all+`1;"`, `read - "`+all+`1;"`, `read - ""`)},
	} {
		p, err := c.model.Parse(pointers(c.ops))
		require.NoError(t, err)
		e := p.Engines()[c.engine]
		a, allocated := allocates(t, e, e.Holds)
		require.Equal(t, unfit, a.Result, c.model.Name)
		require.LessOrEqual(t, allocated, e.Holds+1<<16, c.model.Name)
		room := e.Holds
		for a.Result == unfit {
			room += e.Holds / 16
			a, allocated = allocates(t, e, room)
		}
		t.Logf("%s: %.1f B a call in room for %.1f, beside %.1f", c.model.Name, float64(allocated)/n, float64(room)/n, float64(e.Holds)/n)
		require.Equal(t, illegal, a.Result, c.model.Name)
		require.LessOrEqual(t, allocated, room, c.model.Name)
	}
}

// An engine that has no time left says so, unless it has found something wrong by then.
func TestOrdersHonourTheirContext(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	many := turns(70_000, "insert N -") // and a read of these and one more
	read := turns(len(many)+1, "read - [N]")[len(many)]
	shown := make([]string, len(many)+1)
	for i := range shown {
		shown[i] = fmt.Sprint(i + 1)
	}
	read.Output = json.RawMessage("[" + strings.Join(shown, ",") + "]")
	many = append(many, read)
	for _, s := range []struct {
		model Model
		ops   []history.Op
	}{
		{Set(), turns(1, "read - []")},
		{Set(), many},
		{Lock(), turns(2, "release 1 1")},
		{Text(), turns(70_000, `append "N;" -`, `read - "N;"`)},
		{Queue(), turns(2, "dequeue - 1")},
	} {
		p, err := s.model.Parse(pointers(s.ops))
		require.NoError(t, err)
		require.Equal(t, outOfTime, p.Engines()[0].Decide(over, 1<<30).Result, s.model.Name)
	}
}

// Each loop that may be long looks at the context, and whoever finds the time over says so.
func TestEnginesStopWheneverTheTimeIsOver(t *testing.T) {
	for _, c := range []struct {
		name  string
		model Model
		ops   []history.Op
		looks int
	}{
		{"made for looks", Register(), madeForLooks(3000, false), 3},
		{"blind cas", Register(), nestedBlind(600), 6},
		{"many blind cas", Register(), nestedBlind(150_000), 7},
	} {
		p, err := c.model.Parse(pointers(c.ops))
		require.NoError(t, err, c.name)
		engines := p.Engines()
		engine := engines[slices.IndexFunc(engines, func(e Engine) bool { return e.Decide(t.Context(), 1<<30).Result != unfit })]
		ctx := &countsLooks{Context: t.Context()}
		require.Equal(t, legal, engine.Decide(ctx, 1<<30).Result, c.name)
		require.Equal(t, c.looks, ctx.looks, c.name)
		for look := range ctx.looks {
			ctx := &countsLooks{Context: t.Context(), done: look + 1}
			require.Equal(t, outOfTime, engine.Decide(ctx, 1<<30).Result, "%s, over at look %d of %s", engine.Name, look, c.name)
		}
	}
}

func TestEnginesStopWhenTheTimeIsOver(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range growth() {
		p, err := c.model.Parse(pointers(c.ops(600)))
		require.NoError(t, err)
		engines := p.Engines()
		i := slices.IndexFunc(engines, func(e Engine) bool { return e.Decide(t.Context(), 1<<30).Result != unfit })
		if c.want == Valid { // what is illegal may be seen at once
			require.Equal(t, outOfTime, engines[i].Decide(over, 1<<30).Result, "%s of %s", engines[i].Name, c.name)
		}
		require.NotEqual(t, "search", engines[i].Name)
	}
}
