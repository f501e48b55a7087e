package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// growing is n operations one after the other; input is what the ith is given.
func growing(n int, f string, input func(i int) string) []history.Op {
	ops := make([]history.Op, n)
	for i := range ops {
		at := time.Duration(i * 10)
		ops[i] = history.Op{Index: i, Key: "k", F: f, Type: history.OK, Input: json.RawMessage(input(i)), Call: at, Return: at + 5, Ended: at + 5}
	}
	return ops
}

// heavy are histories whose states together take several times what budgetOfHeavy allows, though there are few of them.
// Values repeat that were found, and a text is empty, so that the search has to decide.
func heavy() map[string]struct {
	model Model
	ops   []history.Op
} {
	twice := func(i int) string { return fmt.Sprint(i / 2) }
	transfers := growing(30_000, "transfer", func(int) string { return `{"from":0,"to":63,"amount":1}` })
	for i := range transfers {
		transfers[i].Output = json.RawMessage(fmt.Sprintf("[%d,%d]", -i-1, i+1))
	}
	text := growing(1500, "append", func(i int) string { return fmt.Sprintf(`"%0100d"`, i) })
	text[0].Input = json.RawMessage(`""`)
	list, queue := growing(6001, "append", twice), growing(6001, "enqueue", twice)
	all, first := &list[6000], &queue[6000]
	all.F, all.Input, all.Output = "read", nil, json.RawMessage("[0,0")
	for i := 2; i < 6000; i++ {
		all.Output = fmt.Append(all.Output, ",", i/2)
	}
	all.Output = append(all.Output, ']')
	first.F, first.Input, first.Output = "dequeue", nil, json.RawMessage("0")
	return map[string]struct {
		model Model
		ops   []history.Op
	}{
		"text":  {Text(), text},
		"list":  {List(), list},
		"queue": {Queue(), queue},
		"bank":  {Bank(), transfers},
	}
}

const budgetOfHeavy = 16 << 20

// lastEngine is the search.
func lastEngine(p Problem) Engine {
	engines := p.Engines()
	return engines[len(engines)-1]
}

// inUse is how many bytes the heap may have in use while so many are held: the collector is late with the rest, above all on a
// loaded machine and with the race detector. States that nobody counts take ten times as many. BenchmarkBudget is exact.
func inUse(held int64) uint64 { return 2 * uint64(held) }

// What an engine and Porcupine hold, states and all, is what they may.
func TestStatesCountAsMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(2)) // what is in use is to be little more than what is held
	for name, h := range heavy() {
		p, err := h.model.Parse(pointers(h.ops))
		require.NoError(t, err)
		for judge, decide := range map[string]func() result{
			"search":    func() result { return lastEngine(p).Decide(t.Context(), budgetOfHeavy).Result },
			"porcupine": func() result { return search(t.Context(), p, budgetOfHeavy) },
		} {
			m := newMeter()
			r := decide()
			used := m.stop()
			require.Equal(t, outOfMemory, r, "%s by %s", name, judge)
			t.Logf("%s by %s: %.1f MiB of %d", name, judge, float64(used)/(1<<20), budgetOfHeavy>>20)
			require.Less(t, used, inUse(budgetOfHeavy), "%s by %s", name, judge)
		}
		runtime.KeepAlive(h.ops)
	}
}

// Six appends at once to a long text, and a read of what no order of them gives: the search holds the states of one order at a
// time, Porcupine those of all.
func TestStatesOfAnOrderThatFailedAreGivenBack(t *testing.T) {
	ops := growing(8, "append", func(i int) string { return fmt.Sprint(`"`, i, `"`) })
	ops[0].Input = json.RawMessage(fmt.Sprintf(`"%0*d"`, 20_000, 0))
	for i := 1; i < 7; i++ {
		ops[i].Call, ops[i].Return = 10, 15
	}
	ops[7].F, ops[7].Input, ops[7].Output = "read", nil, json.RawMessage(`"none"`)
	p, err := parseText(pointers(ops))
	require.NoError(t, err)
	require.Equal(t, illegal, lastEngine(p).Decide(t.Context(), 400<<10).Result)
	require.Equal(t, outOfMemory, search(t.Context(), p, 400<<10))
	require.Equal(t, illegal, search(t.Context(), p, 1<<30))
}

// What is held once counts once: a long text that is read a hundred times, and ten reads at once in whatever order, which lead
// to 2^10 configurations over five times as many ways.
func TestWhatIsHeldOnceCountsOnce(t *testing.T) {
	read := growing(101, "read", func(int) string { return "" })
	read[0].F, read[0].Input = "append", json.RawMessage(fmt.Sprintf(`"%0*d"`, 20_000, 0))
	for i := 1; i < len(read); i++ {
		read[i].Output = read[0].Input
	}
	atOnce := growing(11, "read", func(int) string { return "" })
	for i := range 10 {
		atOnce[i].Call, atOnce[i].Return = 10, 15
	}
	atOnce[10].Output = json.RawMessage(`"none"`)
	for _, c := range []struct {
		ops  []history.Op
		want result
	}{{read, legal}, {atOnce, illegal}} {
		p, err := parseText(pointers(c.ops))
		require.NoError(t, err)
		require.Equal(t, c.want, lastEngine(p).Decide(t.Context(), 300<<10).Result)
		require.Equal(t, c.want, search(t.Context(), p, 300<<10))
	}
}

func TestCheckOfHeavyStatesTakesNoMoreMemoryThanAllowed(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	for name, h := range heavy() {
		m := newMeter()
		v := Linearizable(h.model, Budget{Memory: budgetOfHeavy, CrossCheck: CrossCheckAll}).Check(t.Context(), h.ops)
		used := m.stop()
		require.Equal(t, Unknown, v.Status, name)
		require.Contains(t, v.Reason, "out of memory after", name)
		t.Logf("%s: %.1f MiB of %d", name, float64(used)/(1<<20), budgetOfHeavy>>20)
		require.Less(t, used, inUse(budgetOfHeavy), name)
		runtime.KeepAlive(h.ops)
	}
}

// Neither the search nor Porcupine begins what it cannot end in its memory.
func TestTooLittleMemoryIsNotTaken(t *testing.T) {
	const n = 100_000
	p, err := parseRegister(pointers(easy("k", n)))
	require.NoError(t, err)
	calls := p.(*registerProblem).calls
	for name, decide := range map[string]func(){
		"search": func() {
			_, r := wgl(t.Context(), calls, register(), n*wglCallBytes-1)
			require.Equal(t, outOfMemory, r)
		},
		"porcupine": func() {
			require.Equal(t, outOfMemory, search(t.Context(), p, n*(operationBytes+configurationBytes(n))-1))
		},
	} {
		require.Less(t, testing.AllocsPerRun(1, decide), 4.0, name)
	}
	_, r := wgl(t.Context(), calls, register(), n*(wglCallBytes+fingerprintBytes))
	require.Equal(t, legal, r, "it would have done")
}

// An engine that searches holds no more than it says, so that it is not begun with less.
func TestSearchHoldsWhatItSays(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(2))
	const n = 50_000
	same := func(int) string { return "1" }
	reads := growing(n, "read", same)
	for i := range reads {
		reads[i].Input, reads[i].Output = nil, json.RawMessage("[1,2,1]")
	}
	for i, element := range []string{"1", "2", "1"} {
		reads[i].F, reads[i].Input, reads[i].Output = "append", json.RawMessage(element), nil
	}
	pairs := growing(n, "enqueue", same)
	for i := 1; i < n; i += 2 {
		pairs[i].F, pairs[i].Input, pairs[i].Output = "dequeue", nil, pairs[i].Input
	}
	for name, c := range map[string]struct {
		model Model
		ops   []history.Op
	}{
		"list": {List(), reads}, "queue": {Queue(), pairs}, "counter": {Counter(), growing(n, "add", same)},
		"text": {Text(), growing(n, "write", func(int) string { return `"1"` })},
	} {
		p, err := c.model.Parse(pointers(c.ops))
		require.NoError(t, err)
		e := lastEngine(p)
		m := newMeter()
		r := e.Decide(t.Context(), 1<<40).Result
		used := m.stop()
		require.Equal(t, legal, r, name)
		t.Logf("%s: %d of %d bytes an operation", name, used/n, e.Holds/n)
		require.Less(t, used, inUse(e.Holds), name)
		require.Equal(t, "search", e.Name)
		runtime.KeepAlive(c.ops)
	}
}

// countsLooks is a context that counts how often somebody looks, and is done when it has been so often.
type countsLooks struct {
	context.Context
	looks, done int // done is 0 for never
}

func (c *countsLooks) Err() error {
	if c.looks++; c.done > 0 && c.looks >= c.done {
		return context.Canceled
	}
	return nil
}

// A search looks at its context by what it copies, too.
func TestSearchLooksAtItsContextByBytes(t *testing.T) {
	for _, c := range []struct{ length, looks int }{{1, 0}, {300, 1}, {10_000, 30}} {
		const n = 100
		p, err := parseText(pointers(growing(n, "append", func(int) string { return fmt.Sprintf(`"%0*d"`, c.length, 0) })))
		require.NoError(t, err)
		ctx := &countsLooks{Context: t.Context()}
		require.Equal(t, legal, lastEngine(p).Decide(ctx, 1<<30).Result)
		require.GreaterOrEqual(t, ctx.looks, c.looks)
		require.LessOrEqual(t, ctx.looks, 2*c.looks)
	}
}
