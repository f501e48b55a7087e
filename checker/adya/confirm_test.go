package adya

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// drawn is a judgement of a picture, up to the graph.
func drawn(t *testing.T, picture string) *judgement {
	ops, err := history.Parse(picture)
	require.NoError(t, err)
	j := &judgement{budget: Transactions(checker.Budget{}).(transactions).budget, stop: never}
	j.records, err = parse(ops, j.budget.Memory, never)
	require.NoError(t, err)
	j.resolve()
	return j
}

func never() bool { return false }

const innocent = `
p0: |- txn {append x 1} -|
p1:    |- txn {get x [1]} -|
p2:                            |- txn {append x 2} -|
p3:                                                    |- txn {get x [1,2], append y 1} -|
`

const skewed = `
p0: |- txn {get x nil, append y 1} -|
p1: |- txn {get y nil, append x 1} -|
`

// TestNobodyInnocentIsConvicted: whatever the search comes up with.
func TestNobodyInnocentIsConvicted(t *testing.T) {
	const first, reader, second, last = 0, 1, 2, 3
	x := func(k kind) label { return labelOf(k, 0) }
	for name, a := range map[string]anomaly{
		"two who have an order": {rule: ruleIncompatible, txns: []int32{first, reader}, about: []element{1, 1}},
		"a longer cycle":        {txns: []int32{first, reader}, keys: []int32{0}, longer: []step{{first, reader, x(wr)}}},
		"no reader":             {cycle: []step{{first, second, x(ww)}, {second, first, x(wr)}}},
		"found before":          {cycle: []step{{second, reader, x(wr)}, {reader, second, x(rw)}}},
		"missed, but not":       {cycle: []step{{reader, first, x(rw)}, {first, reader, x(wr)}}},
		"appended in front":     {cycle: []step{{second, first, x(ww)}, {first, second, x(ww)}}},
		"appended nothing":      {cycle: []step{{reader, last, x(rw)}, {last, reader, x(rt)}}},
		"at one time":           {cycle: []step{{first, reader, x(rt)}, {reader, first, x(rw)}}},
		"not closed":            {cycle: []step{{first, second, x(ww)}, {second, last, x(wr)}}},
		"nobody else":           {cycle: []step{{last, last, x(wr)}}},
	} {
		t.Run(name, func(t *testing.T) {
			j := drawn(t, innocent)
			for _, st := range a.cycle {
				a.add(st.from)
			}
			if a.cycle != nil {
				a.keys = []int32{0}
				require.False(t, j.circular(a.cycle))
			}
			ok, sure := j.confirm(t.Context(), &a)
			require.False(t, ok)
			require.True(t, sure)
		})
	}
	j := drawn(t, innocent)
	read, _ := j.firstRead(reader, 0)
	j.anomalies = []anomaly{{rule: rulePhantom, txns: []int32{first, reader}, about: []element{1}, reads: []*micro{read}}}
	require.ErrorContains(t, j.invalid(t.Context()).Broken, "does not hold, which is a bug in the checker")
}

// TestEachStepIsChecked: of a cycle with one false step, that one alone is at fault.
func TestEachStepIsChecked(t *testing.T) {
	j := drawn(t, `
p0: |- txn {append x 1} --------------------------------|
p1: |- txn {append x 2} --------------------------------|
p2: |- txn {append x 3} --------------------------------|
p3: |- txn {append x 3} --------------------------------|
p4: |- txn {get x [1,2,3]} -|
p5:                            |- txn {get x [1]} -|
`)
	const one, two, three, other, all, first = 0, 1, 2, 3, 4, 5
	x := func(from, to int32, k kind) step { return step{from, to, labelOf(k, 0)} }
	for holds, steps := range map[bool][]step{
		true: {x(one, two, ww), x(one, three, ww), x(one, first, wr), x(two, all, wr), x(first, two, rw), x(first, three, rw), x(all, first, rt)},
		false: {x(two, one, ww), x(two, two, ww), x(all, one, ww), x(one, all, ww), x(two, first, wr), x(all, first, wr), x(one, two, wr),
			x(three, all, wr), x(other, all, wr), x(three, other, ww), // one of two appended it
			x(first, one, rw), x(all, three, rw), x(first, all, rw), x(one, two, rw), x(first, all, rt), x(one, first, rt), x(all, first, pass)},
	} {
		for _, st := range steps {
			require.Equal(t, holds, j.records.witness(0).holds(st), st)
		}
	}
	skew := drawn(t, skewed)
	a := anomaly{cycle: []step{x(0, 1, rw), {1, 0, labelOf(rw, 1)}}, txns: []int32{0, 1}, keys: []int32{0, 1}}
	ok, _ := skew.confirm(t.Context(), &a)
	require.True(t, ok)
	a.longer = []step{x(0, 1, wr), {1, 0, labelOf(rw, 1)}}
	ok, _ = skew.confirm(t.Context(), &a)
	require.False(t, ok, "a longer cycle is told too")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	ok, _ = skew.confirm(over, &anomaly{cycle: a.longer, txns: []int32{0, 1}, keys: []int32{0, 1}})
	require.False(t, ok, "whether Porcupine has time or not")
}

func TestPorcupineIsNotSureOfWhatItHadNoTimeFor(t *testing.T) {
	j := drawn(t, skewed)
	a := anomaly{rule: "G2", cycle: []step{{0, 1, labelOf(rw, j.keyNamed(t, "x"))}, {1, 0, labelOf(rw, j.keyNamed(t, "y"))}}, txns: []int32{0, 1}, keys: []int32{0, 1}}
	ok, sure := j.confirm(t.Context(), &a)
	require.True(t, ok)
	require.True(t, sure)
	memory := j.budget.Memory
	j.budget.Memory = 1
	ok, sure = j.confirm(t.Context(), &a)
	require.True(t, ok)
	require.False(t, sure)
	j.budget.Memory = memory
	over, cancel := context.WithCancel(t.Context())
	cancel()
	ok, sure = j.confirm(over, &a)
	require.True(t, ok)
	require.False(t, sure)
	j.anomalies = []anomaly{a}
	v := j.invalid(over)
	require.NoError(t, v.Broken)
	require.Contains(t, v.Reason, "1 too hard for Porcupine to confirm")
	require.NotContains(t, j.invalid(t.Context()).Reason, "Porcupine")
}

func (r *records) keyNamed(t *testing.T, name string) int32 {
	for k := range r.keys {
		if string(r.keys[k].name) == `"`+name+`"` {
			return int32(k)
		}
	}
	require.Fail(t, "no key", name)
	return 0
}

// TestAnOrderOfWhatIsIllegalIsNotBelieved: beside the graph and the replay.
func TestAnOrderOfWhatIsIllegalIsNotBelieved(t *testing.T) {
	n, ok := drawn(t, skewed).beside(t.Context(), []int32{0, 1})
	require.Equal(t, 1, n)
	require.False(t, ok)
	require.ErrorContains(t, drawn(t, skewed).agreed(t.Context(), []int32{0, 1}).Broken, "disagrees with Porcupine about 2 transactions")
	n, ok = drawn(t, innocent).beside(t.Context(), []int32{0, 1, 2, 3})
	require.Equal(t, 1, n)
	require.True(t, ok)
}

// missing are n transactions in rings of width, each of which misses what the next one of its ring appended.
func missing(n, width int) []history.Op {
	ops := make([]history.Op, n)
	for i := range ops {
		other := i/width*width + (i+1)%width
		ops[i] = history.Op{Index: i, Process: i, F: "txn", Type: history.OK,
			Input:  fmt.Appendf(nil, `[["append",%d,1],["r",%d,null]]`, i, other),
			Output: fmt.Appendf(nil, `[["append",%d,1],["r",%d,[]]]`, i, other)}
	}
	return ops
}

func TestOfManyAnomaliesSomeAreShown(t *testing.T) {
	v := Transactions(checker.Budget{}).Check(t.Context(), missing(46, 2))
	require.Equal(t, checker.Invalid, v.Status)
	require.Equal(t, "46 transactions not strictly serializable: 23 anomalies, 20 of them shown", v.Reason)
	require.Len(t, v.Findings, 20)
}

// TestALongRingIsProved: Porcupine cannot, but each step is.
func TestALongRingIsProved(t *testing.T) {
	ops := missing(1000, 1000)
	v := Transactions(checker.Budget{}).Check(t.Context(), ops)
	require.NoError(t, v.Broken)
	require.Equal(t, checker.Invalid, v.Status)
	require.Contains(t, v.Reason, "1 too hard for Porcupine to confirm")
}

// TestTheTimeMayBeOverAtAnyMoment: wherever it is, nobody is convicted or acquitted who would not be later on.
func TestTheTimeMayBeOverAtAnyMoment(t *testing.T) {
	acquitted := missing(30_000, 30_000)
	last := len(acquitted) - 1
	acquitted[last].Output = json.RawMessage(fmt.Sprintf(`[["append",%d,1],["r",0,[1]]]`, last))
	for want, ops := range map[checker.Status][]history.Op{checker.Valid: acquitted, checker.Invalid: missing(30_000, 2)} {
		late := 0
		for asked := 1; ; asked *= 2 {
			n := 0
			j := judgement{budget: Transactions(checker.Budget{CrossCheck: checker.CrossCheckOff}).(transactions).budget}
			j.stop = func() bool { n++; return n >= asked }
			v, _ := j.judge(t.Context(), ops)
			require.NoError(t, v.Broken, "stopped when asked %d times", asked)
			if n < asked {
				require.Equal(t, want, v.Status)
				break
			}
			if v.Status != want {
				require.Equal(t, checker.Unknown, v.Status)
				require.Contains(t, v.Reason, "not finished")
				late++
			}
		}
		require.Positive(t, late)
	}
	small := missing(2, 2)[:1]
	j := judgement{budget: checker.Budget{Memory: 1 << 20}}
	n := 0
	j.stop = func() bool { n++; return n > 2 } // it was parsed
	v, _ := j.judge(t.Context(), small)
	require.NoError(t, v.Broken)
	require.Equal(t, checker.Unknown, v.Status)
}

func TestMemoryIsCounted(t *testing.T) {
	const one, perElement = 200 + 140, 16
	ops := answered([2]string{`[["append","x",1]]`, `[["append","x",1]]`}, [2]string{`[["r","x",null]]`, `[["r","x",[1]]]`})
	need := 2*int64(one) + perElement + nameBytes([]byte(`"x"`))
	for memory, want := range map[int64]checker.Status{need: checker.Valid, need - 1: checker.Unknown} {
		require.Equal(t, want, Transactions(checker.Budget{Memory: memory}).Check(t.Context(), ops).Status, memory)
	}
	r, err := parse(answered([2]string{`[["r","x",null],["r","x",null]]`, `[["r","x",[1,2,3]],["r","x",[1,4,5,6]]]`}), 1<<20, never)
	require.NoError(t, err)
	require.Equal(t, 200+2*140+3*perElement+3*8+nameBytes([]byte(`"x"`)), r.bytes())
}
