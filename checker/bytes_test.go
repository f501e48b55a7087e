package checker

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// BenchmarkHolds measures what the constants of Engine.Holds say: the bytes a call, and a value, that an engine allocates.
func BenchmarkHolds(b *testing.B) {
	const n = 1_000_000
	for _, bench := range []struct {
		name  string
		model Model
		ops   func() []history.Op
	}{
		{"register-reads", Register(), func() []history.Op { return numberedSteps(n, "read", "", "null", 7) }},
		{"register-writes", Register(), func() []history.Op { return numberedSteps(n, "write", "%d", "", 7) }},
		{"register-unknown", Register(), func() []history.Op { return numberedSteps(n, "write", "%d", "", 0) }},
		{"list-reads", List(), func() []history.Op { return numberedSteps(n, "read", "", "[]", 0) }},
		{"list-appends", List(), func() []history.Op { return numberedSteps(n, "append", "%d", "", 0) }},
		{"counter-reads", Counter(), func() []history.Op { return numberedSteps(n, "read", "", "0", 0) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p, err := bench.model.Parse(pointers(bench.ops()))
			require.NoError(b, err)
			for _, e := range p.Engines()[:len(p.Engines())-1] {
				b.Run(e.Name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						e.Decide(b.Context(), 1<<40)
					}
				})
			}
		})
	}
}

func numberedSteps(n int, f, in, out string, revision uint64) []history.Op {
	ops := make([]history.Op, n)
	for i := range ops {
		text := in
		if in != "" {
			text = fmt.Sprintf(in, i)
		}
		if ops[i] = step(i, history.OK, f, text, out); revision > 0 {
			ops[i].Revision = uint64(i + 1)
		} else if f == "write" && i > 0 {
			ops[i].Type, ops[i].Return = history.Info, history.Never
		}
	}
	return ops
}

// What the constants say is what the engines hold: no less, and not much more.
func TestEnginesHoldWhatTheySay(t *testing.T) {
	const n = 200_000
	for name, c := range map[string]struct {
		model  Model
		engine int
		ops    []history.Op
	}{
		"versions": {Register(), 0, numberedSteps(n, "write", "%d", "", 7)}, "versions, reads": {Register(), 0, numberedSteps(n, "read", "", "null", 7)},
		"zones": {Register(), 1, numberedSteps(n, "write", "%d", "", 7)}, "zones, reads": {Register(), 1, numberedSteps(n, "read", "", "null", 7)},
		"list": {List(), 0, numberedSteps(n, "append", "%d", "", 0)}, "list, reads": {List(), 0, numberedSteps(n, "read", "", "[]", 0)},
		"counter": {Counter(), 0, numberedSteps(n, "read", "", "0", 0)},
	} {
		p, err := c.model.Parse(pointers(c.ops))
		require.NoError(t, err)
		e := p.Engines()[c.engine]
		took := allocated(func() { require.Equal(t, legal, e.Decide(t.Context(), 1<<40).Result, name) })
		require.LessOrEqual(t, took, e.Holds, name)
		require.Greater(t, took, e.Holds*8/10, name)
	}
}

func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
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
