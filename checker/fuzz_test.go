package checker

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// FuzzModels: whatever a history says its values are, no checker crashes, and each model comes to the same verdict as
// Porcupine.
func FuzzModels(f *testing.F) {
	for _, lines := range []string{
		"0 0 0 read\nnull\n[1,\"a\"]", "1 0 5 append\n1\n\n2 3 9 read\n\n[1]", "0 0 5 add\n9\n7\n3 2 9 add\n-9\n\n",
		"0 0 4 cas\n[null,{\"a\":[]}]\n\n1 5 9 write\n1e99\n1", "2 1 7 transfer\n{\"from\":0}\n[1]",
		"0 0 5 enqueue\n1\n\n0 1 9 dequeue\n\n1\n2 3 3 dequeue\n\nnull", "0 0 5 insert\n\"x\"\n\n0 8 9 read\n\n[\"x\"]",
		"0 0 1 acquire\n\n1\n0 3 9 release\n1\n1", "0 0 1 delete\n\n\n1 3 9 cas\n[1,2]\n\n6 4 4 write\n1\n",
	} {
		f.Add([]byte(lines))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ops := fuzzedOps(data)
		checkers := []Checker{Sessions(), Versions()}
		for _, m := range Models() {
			checkers = append(checkers, Linearizable(m, Budget{Time: time.Second, KeyTime: 200 * time.Millisecond, Memory: 64 << 20}))
		}
		for i, c := range checkers {
			v := c.Check(context.Background(), ops)
			require.NoError(t, v.Broken, i)
			require.True(t, v.Status == Valid || v.Reason != "", i)
		}
	})
}

// fuzzedOps makes operations of groups of three lines: type and revision, begin, length and f; input; output. There are
// few, so that any verdict is quick.
func fuzzedOps(data []byte) (ops []history.Op) {
	lines := bytes.Split(data, []byte("\n"))
	for ; len(lines) >= 3 && len(ops) < 10; lines = lines[3:] {
		head := bytes.Fields(lines[0])
		if len(head) != 4 {
			continue
		}
		op := history.Op{Index: 2 * len(ops), Process: len(ops), F: string(head[3]), Input: lines[1], Output: lines[2]}
		op.Type, op.Revision = history.OK+history.Type(head[0][0]%3), uint64(head[0][0]/3%8)
		op.Call = time.Duration(head[1][0])
		op.Return = op.Call + time.Duration(head[2][0])
		op.Ended = op.Return
		if op.Type == history.Info {
			op.Return, op.Output = history.Never, nil
		}
		if op.Type == history.Fail && len(op.Output) == 0 {
			op.Err = history.Mismatch
		}
		ops = append(ops, op)
	}
	return ops
}
