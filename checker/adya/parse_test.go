package adya

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// answered are transactions at one moment, each an invocation and its answer.
func answered(pairs ...[2]string) []history.Op {
	ops := make([]history.Op, len(pairs))
	for i, p := range pairs {
		ops[i] = history.Op{Index: i, Process: i, F: "txn", Type: history.OK, Input: json.RawMessage(p[0]), Output: json.RawMessage(p[1])}
	}
	return ops
}

func judged(t *testing.T, pairs ...[2]string) checker.Verdict {
	v := Transactions(checker.Budget{CrossCheck: checker.CrossCheckAll}).Check(t.Context(), answered(pairs...))
	require.NoError(t, v.Broken)
	require.Equal(t, v.Status == checker.Valid, strings.Contains(v.Engine, "porcupine beside 1"))
	return v
}

func TestOneElementHasManySpellings(t *testing.T) {
	for _, texts := range [][2]string{
		{`"a"`, `"\u0061"`}, {`"<a>"`, `"\u003ca\u003e"`}, {`"\""`, `"\u0022"`}, {`"/"`, `"\/"`}, {`"\u2028"`, "\"\u2028\""},
		{`"é"`, `"\u00e9"`}, {`"😀"`, `"\ud83d\ude00"`}, {"\"\ufffd\"", `"\ufffd"`}, {`"\u0000"`, `"\u0000"`},
	} {
		v := judged(t, [2]string{`[["append","x",` + texts[0] + `]]`, `[["append","x",` + texts[1] + `]]`},
			[2]string{`[["r","x",null]]`, `[["r","x",[` + texts[1] + `]]]`})
		require.Equal(t, checker.Valid, v.Status, "%s: %s", texts, v.Reason)
	}
	for _, texts := range [][2]string{{`1`, `"1"`}, {`"\ud800"`, `"\ud801"`}, {`true`, `"true"`}, {"\"\xff\"", "\"\xfe\""}} {
		v := judged(t, [2]string{`[["append","x",` + texts[0] + `]]`, `[["append","x",` + texts[0] + `]]`},
			[2]string{`[["r","x",null]]`, `[["r","x",[` + texts[1] + `]]]`})
		require.Equal(t, checker.Invalid, v.Status, texts)
		require.Equal(t, rulePhantom, v.Findings[0].Rule)
	}
}

func TestWhatIsNoTransactionIsNotJudged(t *testing.T) {
	for _, value := range []string{"", "null", "{}", "7", "[", "[[]]", `["r","x",null]`, `[["r","x"]]`, `[["r","x",null,1]]`, `[["w","x",1]]`, `[["r",null,null]]`, `[["r",["x"],null]]`, `[["r","x",[1]]]`, `[["append","x",null]]`, `[["append","x",[1]]]`, `[["append","x",01]]`, `[["r","x",null]]]`} {
		v := judged(t, [2]string{value, value})
		require.Equal(t, checker.Unknown, v.Status, value)
		require.Contains(t, v.Reason, "operation 0 (", value)
		require.Contains(t, v.Reason, "should be", value)
	}
	asked := `[["append","x",1],["r","x",null]]`
	for _, value := range []string{"", "null", "[]", "[", `[["append","x",1]]`, `[["append","x",2],["r","x",[1]]]`, `[["append","x",1],["r","y",[1]]]`, `[["r","x",[1]],["append","x",1]]`, `[["append","x",1],["r","x",[1]],["r","x",[1]]]`} {
		v := judged(t, [2]string{asked, value})
		require.Equal(t, checker.Unknown, v.Status, value)
		require.Contains(t, v.Reason, "its answer should repeat its micro-operations", value)
	}
	for _, shown := range []string{"7", `"[1]"`, "{}", "[[1]]", "[null]", "true"} {
		v := judged(t, [2]string{asked, `[["append","x",1],["r","x",` + shown + `]]`})
		require.Equal(t, checker.Invalid, v.Status, shown)
		require.Equal(t, ruleStrange, v.Findings[0].Rule)
	}
}

// TestWhatWasNotReadConvictsNobody: the reader comes first in the history, and the time is over before the append
// that it shows is parsed.
func TestWhatWasNotReadConvictsNobody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := Transactions(checker.Budget{}).Check(ctx, answered([2]string{`[["r","x",null]]`, `[["r","x",[1]]]`}, [2]string{`[["append","x",1]]`, `[["append","x",1]]`}))
	require.Equal(t, checker.Unknown, v.Status, v.Reason)
}

func TestWhatDoesNotFitIsNotJudged(t *testing.T) {
	v := Transactions(checker.Budget{Memory: 1}).Check(t.Context(), answered([2]string{`[["r","x",null]]`, `[["r","x",[1]]]`}))
	require.Equal(t, checker.Unknown, v.Status)
	require.Contains(t, v.Reason, "than the 0 MiB that the check may take")
}
