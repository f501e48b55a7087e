package checker

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// looseAdd may have happened; it began at a time.
func looseAdd(index int32, begin time.Duration, delta int64) counterCall {
	return counterCall{interval: interval{index: index, begin: begin, end: history.Never, maybe: true}, add: true, delta: delta}
}

// climbs are what a ladder says of calls, and the problem that they make.
func climbs(t *testing.T, calls ...counterCall) (Answer, *counterProblem) {
	p := &counterProblem{calls: calls, bound: -1}
	a := p.climbed(t.Context(), 1<<30)
	if a.Result == legal {
		require.NoError(t, p.Replay(a.Order))
	}
	return a, p
}

// Adds of unknown outcome that come to more than 64 bits can fill any gap.
func TestLooseAddsMayComeToMoreThan64Bits(t *testing.T) {
	const much = int64(1) << 61
	calls := []counterCall{{interval: interval{index: 5, begin: 9, end: 10}, answered: true, sum: much}}
	for i := range int32(5) {
		calls = append(calls, looseAdd(i, 0, much))
	}
	require.Equal(t, int64(math.MaxInt64), sizesOf(calls[1:])[0].rest)
	a, _ := climbs(t, calls...)
	require.Equal(t, legal, a.Result)
	calls[0].sum++
	a, _ = climbs(t, calls...)
	require.Equal(t, illegal, a.Result)
}

// An order that was found when the time was over was found.
func TestLadderThatWasClimbedInTimeIsLegal(t *testing.T) {
	p, err := parseCounter(pointers(gapped(10, 3)))
	require.NoError(t, err)
	ctx := &countsLooks{Context: t.Context(), done: 2} // the first is before it is climbed
	require.Equal(t, legal, p.(*counterProblem).climbed(ctx, 1<<30).Result)
}
