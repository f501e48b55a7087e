package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// hard is a key that Porcupine cannot decide: n writes at once, a read of the same value by each of
// two more, and a violation that every order of the writes has to be tried for. Values repeat, so
// that nothing can be simplified.
func hard(key string, n int) []history.Op {
	var ops []history.Op
	add := func(f, in, out string, call, ret int) {
		op := history.Op{Index: len(ops), Process: len(ops), Key: key, F: f, Type: history.OK,
			Call: time.Duration(call), Return: time.Duration(ret), Ended: time.Duration(ret)}
		if in != "" {
			op.Input = json.RawMessage(in)
		}
		if out != "" {
			op.Output = json.RawMessage(out)
		}
		ops = append(ops, op)
	}
	for i := range n {
		for range 2 {
			add("write", fmt.Sprint(i), "", 0, 10)
		}
		add("read", "", fmt.Sprint(i), 0, 10)
	}
	add("read", "", "0", 11, 12)
	add("read", "", "1", 13, 14)
	return ops
}

func TestTooHardIsUnknownInTime(t *testing.T) {
	ops := append(hard("hard", 12), easy("easy", 100)...)
	for i := range ops {
		ops[i].Index = i
	}
	v := Linearizable(Register(), Budget{Time: 2 * time.Second, KeyTime: time.Second, Memory: 4 << 30}).Check(t.Context(), ops)
	require.Equal(t, Unknown, v.Status)
	require.Regexp(t, `^1 of 2 keys undecided: key "hard" with 38 operations, 36 at once, 0 of unknown outcome: not finished after .*s \(a key may take 1s, the check 2s\); no version order: no operation has a revision; no zones: 0 was written more than once and found$`, v.Reason)
}

func TestTooHardNeverTakesMoreMemoryThanAllowed(t *testing.T) {
	const budget = 64 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(10)) // what is in use is to be little more than what is held
	m := newMeter()
	ops := append(hard("a", 14), hard("b", 14)...)
	v := Linearizable(Register(), Budget{Memory: budget, Time: 10 * time.Minute, KeyTime: 5 * time.Minute}).Check(t.Context(), ops)
	used := m.stop()
	require.Equal(t, Unknown, v.Status)
	require.Contains(t, v.Reason, `out of memory after`)
	require.Contains(t, v.Reason, `(a check may take 64 MiB)`)
	t.Logf("%d MiB of %d", used>>20, budget>>20)
	require.Less(t, used, inUse(budget))
}

// easy is n operations one after the other.
func easy(key string, n int) []history.Op {
	var ops []history.Op
	for i := range n {
		at := time.Duration(i * 10)
		op := history.Op{Key: key, F: "write", Type: history.OK, Call: at, Return: at + 5, Ended: at + 5, Input: json.RawMessage(fmt.Sprint(i / 2))}
		if i%2 == 1 {
			op.F, op.Input, op.Output = "read", nil, op.Input
		}
		ops = append(ops, op)
	}
	return ops
}

// A violation among neighbours is found even in a key that is too hard as a whole.
func TestHardKeysAreSearchedLocally(t *testing.T) {
	ops := hard("k", 12)
	stale := easy("k", 200)
	for i := range stale {
		stale[i].Call, stale[i].Return = stale[i].Call+1000, stale[i].Return+1000
		value := &stale[i].Input
		if stale[i].F == "read" {
			value = &stale[i].Output
		}
		*value = json.RawMessage(fmt.Sprintf(`"v%s"`, *value))
	}
	stale[151].Output = json.RawMessage(`"v73"`)
	ops = append(ops, stale...)
	for i := range ops {
		ops[i].Index = i
	}
	v := Linearizable(Register(), Budget{KeyTime: 2 * time.Second, Witness: time.Second}).Check(t.Context(), ops)
	require.Equal(t, Invalid, v.Status, v.Reason)
	require.Equal(t, "stale read", v.Findings[0].Rule)
	require.LessOrEqual(t, len(v.Findings[0].Ops), 4)
}

func TestEveryBadKeyIsReported(t *testing.T) {
	var ops []history.Op
	for k := range 5 {
		key := easy(fmt.Sprint("k", k), 20)
		if k != 2 {
			key[19].Output = json.RawMessage("3")
		}
		ops = append(ops, key...)
	}
	for i := range ops {
		ops[i].Index = i
	}
	v := Linearizable(Register(), Budget{}).Check(t.Context(), ops)
	require.Equal(t, Invalid, v.Status)
	require.Equal(t, "4 of 5 keys not linearizable", v.Reason)
	var keys []string
	for _, f := range v.Findings {
		keys = append(keys, f.Key)
	}
	require.ElementsMatch(t, []string{"k0", "k1", "k3", "k4"}, keys)
}

func TestOperationsThatCannotBeRead(t *testing.T) {
	bad := func(f, in, out string) history.Op {
		return history.Op{Index: 4, Process: 9, Key: "x", F: f, Type: history.OK, Input: json.RawMessage(in), Output: json.RawMessage(out), Return: 1}
	}
	for _, c := range []struct {
		op   history.Op
		want string
	}{
		{bad("cas", "7", ""), `1 of 1 key undecided: operation 4 of key "x" (cas 7 by p9): the value of a cas should be [old,new]`},
		{bad("cas", "[1,2,3]", ""), "should be [old,new]"},
		{bad("write", "{", ""), "its value is not JSON"},
		{bad("append", "1", ""), "a register knows read, write and cas"},
	} {
		v := Linearizable(Register(), Budget{}).Check(t.Context(), []history.Op{c.op})
		require.Equal(t, Unknown, v.Status)
		require.Contains(t, v.Reason, c.want)
	}
	v := Linearizable(Register(), Budget{}).Check(t.Context(), nil)
	require.Equal(t, Unknown, v.Status)
	require.Equal(t, "none of 0 operations succeeded, so there is nothing to judge", v.Reason)
}

func TestCheckHonoursItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := Linearizable(Register(), Budget{}).Check(ctx, easy("k", 10))
	require.Equal(t, Unknown, v.Status)
	require.Contains(t, v.Reason, `key "k" with 10 operations`)
}
