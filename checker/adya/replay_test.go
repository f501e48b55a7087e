package adya

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

func TestReplayRefusesWhatIsNoOrder(t *testing.T) {
	ops, err := history.Parse(`
p0: |- txn {append x 1} -|  |- txn {append x 2, get x [1,2]} -|
p1:                            |- txn {append x 3} --- ···
p2: |- txn {append x 4} ✗ -|
`)
	require.NoError(t, err)
	r, err := parse(ops, 1<<30, func() bool { return false })
	require.NoError(t, err)
	const first, failed, second, unknown = 0, 1, 2, 3
	for _, c := range []struct {
		why   string
		order []int32
	}{
		{"", []int32{first, second}},
		{"", []int32{first, second, unknown}},
		{"does not find what it was answered", []int32{first, unknown, second}},
		{"is left out", []int32{first}},
		{"is there twice", []int32{first, first, second}},
		{"did not happen", []int32{failed, first, second}},
		{"had returned before", []int32{unknown, first, second}},
	} {
		err := replay(r, c.order)
		if c.why == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.why, "%v", c.order)
		}
	}
}

func TestReplayKnowsNoFirstMoment(t *testing.T) {
	ops := answered([2]string{`[["append","x",1]]`, `[["append","x",1]]`}, [2]string{`[["r","x",null]]`, `[["r","x",[1]]]`})
	for i := range ops {
		ops[i].Call, ops[i].Return = time.Duration(i-9), time.Duration(i-9)
	}
	v := Transactions(checker.Budget{}).Check(t.Context(), ops)
	require.NoError(t, v.Broken)
	require.Equal(t, checker.Valid, v.Status)
}
