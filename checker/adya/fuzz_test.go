package adya

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// FuzzTransactions: whatever a history says its transactions are, the checker does not crash and does not contradict
// Porcupine, and it takes for a transaction and an answer what encoding/json does.
func FuzzTransactions(f *testing.F) {
	for _, lines := range []string{
		`[["append","x",1],["r","y",null]]` + "\n" + `[["append","x",1],["r","y",[1,"a",true]]]`,
		`[["r",1,null]]` + "\n" + `[["r",1,null]]` + "\n" + `[["append",1,-2.5e3]]` + "\n",
		`[["append","\u0041",1]]` + "\n" + `[ [ "append" , "A" , 1 ] ]` + "\n" + `[["r","A",null]]` + "\n" + `[["r","A",[2]]]`,
		"[]\n[]\n[[[]]]\n[", `[["append","x",null]]` + "\n" + `[["append","x",01]]`,
	} {
		f.Add([]byte(lines))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Split(data, []byte("\n"))
		var ops []history.Op
		readable := true
		for i := 0; i+1 < len(lines) && i < 16; i += 2 {
			at := time.Duration(i)
			ops = append(ops, history.Op{Index: i, Process: i, F: "txn", Type: history.OK, Call: at, Return: at + 3, Ended: at + 3, Input: lines[i], Output: lines[i+1]})
			readable = readable && isTransaction(lines[i]) && repeats(lines[i], lines[i+1])
		}
		_, err := parse(ops, 1<<30, func() bool { return false })
		require.Equal(t, readable, err == nil, "%v", err)
		v := Transactions(checker.Budget{Time: time.Second}).Check(t.Context(), ops)
		require.NoError(t, v.Broken)
		require.True(t, v.Status == checker.Valid || v.Reason != "")
	})
}

// isTransaction is what an invocation should be.
func isTransaction(value []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return false
	}
	if _, err := dec.Token(); err != io.EOF {
		return false
	}
	micros, ok := v.([]any)
	for _, m := range micros {
		m, isList := m.([]any)
		if !isList || len(m) != 3 {
			return false
		}
		switch m[1].(type) {
		case string, json.Number:
		default:
			return false
		}
		switch m[2].(type) {
		case string, json.Number, bool:
			ok = ok && m[0] == "append"
		case nil:
			ok = ok && m[0] == "r"
		default:
			return false
		}
	}
	return ok
}
