package checker

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// FuzzModels: whatever a history says its values are, no model crashes, and each comes to the same
// verdict as Porcupine.
func FuzzModels(f *testing.F) {
	for _, lines := range []string{
		"0 0 0 read\nnull\n[1,\"a\"]", "1 0 5 append\n1\n\n2 3 9 read\n\n[1]", "0 0 5 add\n9\n7\n3 2 9 add\n-9\n\n",
		"0 0 4 cas\n[null,{\"a\":[]}]\n\n1 5 9 write\n1e99\n1", "2 1 7 transfer\n{\"from\":0}\n[1]",
	} {
		f.Add([]byte(lines))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ops := fuzzedOps(data)
		for _, m := range []Model{Register(), List(), Counter()} {
			budget := Budget{Time: time.Second, KeyTime: 200 * time.Millisecond, Memory: 64 << 20}
			v := Linearizable(m, budget).Check(context.Background(), ops)
			require.NoError(t, v.Broken, m.Name)
			require.True(t, v.Status == Valid || v.Reason != "", m.Name)
		}
	})
}

// fuzzedOps makes operations of groups of three lines: type, begin, length and f; input; output. There are
// few, so that any verdict is quick.
func fuzzedOps(data []byte) (ops []history.Op) {
	lines := bytes.Split(data, []byte("\n"))
	for ; len(lines) >= 3 && len(ops) < 10; lines = lines[3:] {
		head := bytes.Fields(lines[0])
		if len(head) != 4 {
			continue
		}
		op := history.Op{Index: 2 * len(ops), Process: len(ops), F: string(head[3]), Input: lines[1], Output: lines[2]}
		op.Type = history.OK + history.Type(head[0][0]%3)
		op.Call = time.Duration(head[1][0])
		op.Return = op.Call + time.Duration(head[2][0])
		op.Ended = op.Return
		if op.Type == history.Info {
			op.Return, op.Output = history.Never, nil
		}
		ops = append(ops, op)
	}
	return ops
}
