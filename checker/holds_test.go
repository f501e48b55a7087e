package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
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

// What an engine says that it holds is no less than all that it allocates, whatever it is made of.
func TestOrdersHoldWhatTheySay(t *testing.T) {
	const n = 100_000
	under := load{ops: n, clients: 30, unknown: 0.05}
	for name, ops := range map[string][]history.Op{
		"set":              under.heavySet(20),
		"set inserts":      turns(n, "insert N -"),
		"set reads":        turns(n, "read - []"),
		"lock":             under.heavyLock(),
		"lock turns":       turns(n, "acquire - N", "release N N"),
		"lock free":        turns(n, "release 1 null!not held"),
		"lock turns, free": turns(n, "acquire - N", "release N N", "release 1 null!not held"),
		"lock unknown":     turns(n, "acquire - -?", "release N -?"),
		"lock hidden":      turns(n, "acquire - -?", "acquire - N!held", "release N N"),
		"queue":            queueLoad(n, 30, 0.05, 1),
		"queue in":         turns(n, "enqueue N -"),
		"queue turns":      turns(n, "enqueue N -", "dequeue - N", "dequeue - null"),
		"queue empty":      turns(n, "dequeue - null"),
		"queue vanishing":  turns(n, "enqueue N -", "dequeue - -?", "dequeue - null"),
	} {
		model := map[string]Model{"set": Set(), "lock": Lock(), "queue": Queue()}[strings.Fields(name)[0]]
		p, err := model.Parse(pointers(ops))
		require.NoError(t, err, name)
		engine := p.Engines()[0]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := engine.Decide(t.Context(), 0)
		runtime.ReadMemStats(&after)
		allocated := int64(after.TotalAlloc - before.TotalAlloc)
		require.Equal(t, legal, a.Result, name)
		t.Logf("%-18s %6.1f B a call, says %6.1f", name, float64(allocated)/n, float64(engine.Holds)/n)
		require.LessOrEqual(t, allocated, engine.Holds+1<<16, name)
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
		{Queue(), turns(2, "dequeue - 1")},
	} {
		p, err := s.model.Parse(pointers(s.ops))
		require.NoError(t, err)
		require.Equal(t, outOfTime, p.Engines()[0].Decide(over, 1<<30).Result, s.model.Name)
	}
}
