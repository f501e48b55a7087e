package checker

import (
	"context"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// What the constants say is what the engines allocate: no less, and not much more.
func TestEnginesHoldWhatTheySay(t *testing.T) {
	const n = 200_000
	revised := func(ops []history.Op) []history.Op {
		for i := range ops {
			ops[i].Revision = uint64(i + 1)
		}
		return ops
	}
	for name, c := range map[string]struct {
		model  Model
		engine int
		ops    []history.Op
	}{
		"versions":        {Register(), 0, revised(turns(n, "write N -"))},
		"versions, reads": {Register(), 0, revised(turns(n, "read - null"))},
		"zones":           {Register(), 1, turns(n, "write N -")},
		"zones, unknown":  {Register(), 1, turns(n, "write N -?")},
		"zones, reads":    {Register(), 1, turns(n, "read - null")},
		"list":            {List(), 0, turns(n, "append N -")},
		"list, reads":     {List(), 0, turns(n, "read - []")},
		"counter":         {Counter(), 0, turns(n, "read - 0")},
	} {
		p, err := c.model.Parse(pointers(c.ops))
		require.NoError(t, err)
		e := p.Engines()[c.engine]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		require.Equal(t, legal, e.Decide(t.Context(), 1<<40).Result, name)
		runtime.ReadMemStats(&after)
		took := int64(after.TotalAlloc - before.TotalAlloc)
		t.Logf("%-16s %d B a call, says %d", name, took/n, e.Holds/n)
		require.LessOrEqual(t, took, e.Holds+1<<16, name)
		require.Greater(t, took, e.Holds*8/10, name)
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
