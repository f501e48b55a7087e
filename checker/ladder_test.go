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

// rung is a read of a sum.
func rung(index int32, begin, end time.Duration, sum int64) counterCall {
	return counterCall{interval: interval{index: index, begin: begin, end: end}, answered: true, sum: sum}
}

// One gap that nothing fills is found although what fills the one below it is not, in so many steps.
func TestLadderLooksAtEachGapByItself(t *testing.T) {
	calls := []counterCall{rung(0, 100, 101, 999_999), rung(1, 102, 103, 1_000_000)}
	for i := range int32(60) {
		calls = append(calls, looseAdd(i+2, 0, 30_000+2*int64(i)))
	}
	p := &counterProblem{calls: calls[:1:1], bound: -1}
	p.calls = append(p.calls, calls[2:]...)
	require.Equal(t, unfit, p.climbed(t.Context(), 1<<30).Result, "an odd sum of even ones")
	a, _ := climbs(t, calls...)
	require.Equal(t, illegal, a.Result)
	require.Equal(t, []int32{0, 1}, indexes(a.Part.(*counterProblem).calls))
}

func indexes(calls []counterCall) (all []int32) {
	for _, c := range calls {
		all = append(all, c.index)
	}
	return all
}

// Gaps that cannot all be filled are told without those below that can.
func TestLadderTellsFewGaps(t *testing.T) {
	var calls []counterCall
	for i, sum := range []int64{5, 10, 15, 16, 17} {
		calls = append(calls, rung(int32(i), time.Duration(100+10*i), time.Duration(105+10*i), sum))
	}
	for i, delta := range []int64{5, 5, 5, 1} {
		calls = append(calls, looseAdd(int32(10+i), 0, delta))
	}
	a, p := climbs(t, calls...)
	require.Equal(t, illegal, a.Result)
	_, _, gaps := newLadder(p).climb(t.Context())
	require.Len(t, gaps, 2)
	require.Equal(t, []int32{2, 3, 4, 13}, indexes(a.Part.(*counterProblem).calls))
	require.False(t, plain(a.Part))
}

// What is above a gap has to come before what is higher and ended earlier, so in the part it ends no later.
func TestLadderPartsEndWithWhatIsHigher(t *testing.T) {
	higher := rung(2, 5, 20, 2)
	higher.add, higher.delta = true, 1
	a, _ := climbs(t, rung(1, 0, 100, 1), higher, looseAdd(3, 50, 1))
	require.Equal(t, illegal, a.Result)
	part := a.Part.(*counterProblem)
	require.Equal(t, []int32{1}, indexes(part.calls))
	require.Equal(t, higher.end, part.calls[0].end)
	require.Equal(t, higher.index, part.bound)
}
