package nemesis

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// step is one of two seconds after one; variant may be "".
func step(fault string, target Target, variant string) Step {
	s := Step{At: time.Second, For: 2 * time.Second, Fault: fault, Target: target}
	if kind, _ := kindOf(fault); variant != "" {
		s.Params = map[string]string{kind.Param: variant}
	}
	return s
}

func TestRunner(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*fake)
		step Step
		log  string
		bit  bool
		err  string
	}{
		{"kill", nil, step("kill", Leader, ""), "kill n2, start n2", true, ""},
		{"kill all", nil, step("kill", All, ""), "kill n1, kill n2, kill n3, start n1, start n2, start n3", true, ""},
		{"pause", nil, step("pause", "n3", ""), "pause n3, resume n3", true, ""},
		{"a cut that bites", func(f *fake) { f.dropped = 7 }, step("partition", "n1", "isolate"), "cut, heal", true, ""},
		{"a cut that does not", nil, step("partition", "n1", "isolate"), "cut, heal", false, ""},
		{"half a kill is undone by half", func(f *fake) { f.fail = "kill n2" }, step("kill", All, ""), "kill n1, kill n2, start n1, start n2", false, "kill n2: broken"},
		{"half a pause is undone", func(f *fake) { f.fail = "pause n2" }, step("pause", All, ""), "pause n1, pause n2, resume n1, resume n2", false, "pause n2: broken"},
		{"a cut that fails is healed", func(f *fake) { f.fail = "cut" }, step("partition", "n1", "isolate"), "cut, heal", false, "broken"},
		{"a heal that fails is told", func(f *fake) { f.fail, f.dropped = "heal", 1 }, step("partition", "n1", "isolate"), "cut, heal", true, "undo partition:isolate: a fault could not be undone: heal: broken"},
		{"a panic is told", func(f *fake) { f.panics = "cut" }, step("partition", "n1", "isolate"), "cut, heal", false, "panic: boom"},
		{"too few nodes", nil, step("partition", "", "majorities-ring"), "", false, "needs 4 nodes"},
		{"nobody left to cut off", nil, step("partition", All, "isolate"), "heal", false, "no link to cut"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				if c.set != nil {
					c.set(f)
				}
				err := f.runner().Run(t.Context(), Schedule{Steps: []Step{c.step}})
				require.Equal(t, c.log, strings.Join(f.log, ", "))
				if c.err == "" {
					require.NoError(t, err)
				} else {
					require.ErrorContains(t, err, c.err)
				}
				windows, err := history.Windows(f.events)
				require.NoError(t, err)
				require.Len(t, windows, 1)
				require.Equal(t, c.bit, windows[0].Bit)
				require.Contains(t, windows[0].Err, c.err)
				require.Equal(t, time.Second, windows[0].From)
				if c.err == "" {
					require.Equal(t, 3*time.Second, windows[0].To)
				}
			})
		})
	}
}

func TestCancelHealsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.dropped = 1
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		later := step("kill", One, "")
		later.At = time.Minute
		require.NoError(t, f.runner().Run(ctx, Schedule{Steps: []Step{step("partition", "n1", "isolate"), later}}))
		require.Equal(t, []string{"cut", "heal"}, f.log, "the step to come is left out")
		require.Equal(t, 1500*time.Millisecond, time.Since(f.start))
		require.True(t, f.ends(t)[0].Bit)
	})
}

func TestPausedNodeThatWasKilledIsNotResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		kill := step("kill", "n3", "")
		kill.At, kill.For = 1500*time.Millisecond, 500*time.Millisecond
		require.NoError(t, f.runner().Run(t.Context(), Schedule{Steps: []Step{step("pause", "n3", ""), kill}}))
		require.Equal(t, []string{"pause n3", "kill n3", "start n3"}, f.log)
	})
}

// What takes long to undo delays what was planned behind it, and nothing else.
func TestStepsDoNotOverlapUnlessPlanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.joining = 4 * time.Second
		behind, beside := step("pause", "n2", ""), step("pause", "n3", "")
		behind.At, beside.At = 3500*time.Millisecond, 2500*time.Millisecond
		require.NoError(t, f.runner().Run(t.Context(), Schedule{Steps: []Step{behind, step("member", "n2", "wipe"), beside}}))
		windows, err := history.Windows(f.events)
		require.NoError(t, err)
		byStep := map[int]history.Window{}
		for _, w := range windows {
			byStep[w.Step] = w
		}
		require.GreaterOrEqual(t, byStep[1].To, 7*time.Second)
		require.GreaterOrEqual(t, byStep[0].From, byStep[1].To)
		require.Equal(t, 2500*time.Millisecond, byStep[2].From)
	})
}

func TestTargets(t *testing.T) {
	for target, n := range map[Target]int{One: 1, Leader: 1, Minority: 2, Majority: 3, All: 5, "n4": 1} {
		on, err := target.resolve(rand.New(rand.NewPCG(1, 1)), cluster(5), "n2")
		require.NoError(t, err)
		require.Len(t, on, n, target)
		require.IsIncreasing(t, append([]string{""}, on...))
	}
	_, err := Leader.resolve(rand.New(rand.NewPCG(1, 1)), cluster(5), "")
	require.ErrorContains(t, err, "no leader")
}
