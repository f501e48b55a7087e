package adya

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// FuzzTransactions: whatever a history says its transactions are, the checker does not crash and does not contradict
// Porcupine, and it takes for a transaction and an answer what encoding/json does. shapes has a byte for the outcome,
// the call and the length of each.
func FuzzTransactions(f *testing.F) {
	for _, lines := range []string{
		`[["append","x",1],["r","y",null]]` + "\n" + `[["append","x",1],["r","y",[1,"a",true]]]`,
		`[["r",1,null]]` + "\n" + `[["r",1,null]]` + "\n" + `[["append",1,-2.5e3]]` + "\n",
		`[["append","\u0041",1]]` + "\n" + `[ [ "append" , "A" , 1 ] ]` + "\n" + `[["r","A",null]]` + "\n" + `[["r","A",[2]]]`,
		"[]\n[]\n[[[]]]\n[", `[["append","x",null]]` + "\n" + `[["append","x",01]]`,
	} {
		f.Add([]byte(lines), []byte{})
	}
	f.Add([]byte(`[["append","x",1]]`+"\n"+`[["append","x",1]]`+"\n"+`[["r","x",null]]`+"\n"+`[["r","x",[]]]`), []byte{0, 0, 1, 0, 9, 1})
	f.Add([]byte(`[["append","x",1]]`+"\n\n"+`[["r","x",null]]`+"\n"+`[["r","x",[1]]]`+"\n"+`[["append","y",1]]`+"\n"), []byte{1, 0, 1, 0, 9, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, data, shapes []byte) {
		lines := bytes.Split(data, []byte("\n"))
		var ops []history.Op
		readable := true
		for i := 0; i+1 < len(lines) && i < 16; i += 2 {
			op := history.Op{Index: i, Process: i, F: "txn", Type: history.OK, Call: time.Duration(i), Return: time.Duration(i + 3), Input: lines[i], Output: lines[i+1]}
			if at := i / 2 * 3; at+2 < len(shapes) {
				op.Type = []history.Type{history.OK, history.OK, history.Info, history.Fail}[shapes[at]%4]
				op.Call = time.Duration(shapes[at+1]) - 128
				op.Return = op.Call + time.Duration(shapes[at+2])
			}
			if op.Ended = op.Return; op.Type == history.Info {
				op.Return = history.Never
			}
			ops = append(ops, op)
			readable = readable && isTransaction(lines[i]) && (op.Type != history.OK || repeats(lines[i], lines[i+1]))
		}
		_, err := parse(ops, 1<<30, func() bool { return false })
		require.Equal(t, readable, err == nil, "%v", err)
		v := Transactions(checker.Budget{Time: time.Second}).Check(t.Context(), ops)
		require.NoError(t, v.Broken)
		require.True(t, v.Status == checker.Valid || v.Reason != "")
		if v.Status == checker.Unknown || !plain(data) {
			return
		}
		require.Equal(t, v.Status == checker.Valid, serial(t, ops), "%s\n%s", v.Reason, described(ops))
	})
}

// plain tells whether the search of the tests can read data: no string in it may have another spelling that it takes for
// another string, or the other way round.
func plain(data []byte) bool {
	return !slices.ContainsFunc(data, func(c byte) bool { return c == '\\' || c >= utf8.RuneSelf })
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
