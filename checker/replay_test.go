package checker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// What is replayed: a write of 1, then a write of 2 and a read of 1 at the same time, and a write of 3 that may not have happened.
func TestReplayRefusesWhatIsNoLinearization(t *testing.T) {
	at := func(index int32, begin, end time.Duration) interval {
		return interval{begin: begin, end: end, index: index}
	}
	calls := []call{
		{interval: at(10, 0, 5), reads: none, writes: 1, refused: none},
		{interval: at(11, 6, 9), reads: none, writes: 2, refused: none},
		{interval: at(12, 6, 9), reads: 1, writes: none, refused: none},
		{interval: interval{begin: 3, end: history.Never, index: 13, maybe: true}, reads: none, writes: 3, refused: none},
	}
	for _, order := range [][]int32{{0, 2, 1}, {3, 0, 2, 1}, {0, 2, 1, 3}, {0, 2, 3, 1}} {
		require.NoError(t, replay(calls, register(), order), "%v", order)
	}
	for _, c := range []struct {
		order []int32
		want  string
	}{
		{[]int32{1, 0, 2}, "operation 10 had ended before one began that comes earlier"},
		{[]int32{3, 1, 0, 2}, "operation 10 had ended before one began that comes earlier"},
		{[]int32{0, 2}, "operation 11 is missing"},
		{nil, "operation 10 is missing"},
		{[]int32{0, 2, 2, 1}, "call 2 is no call or comes twice"},
		{[]int32{0, 2, 4, 1}, "call 4 is no call or comes twice"},
		{[]int32{0, -1, 2, 1}, "call -1 is no call or comes twice"},
		{[]int32{0, 1, 2}, "operation 12 is not possible in its place"},
		{[]int32{0, 3, 2, 1}, "operation 12 is not possible in its place"},
	} {
		require.EqualError(t, replay(calls, register(), c.order), c.want, "%v", c.order)
	}
	calls[1].begin, calls[2].begin = 5, 5
	require.NoError(t, replay(calls[:2], register(), []int32{1, 0}), "a tie is concurrent")
}
