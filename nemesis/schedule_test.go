package nemesis

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// able can do everything.
var able = []Ability{TellLeader, HandOver, Rejoin}

func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		nodes := rapid.IntRange(1, 9).Draw(t, "nodes")
		load := time.Duration(rapid.IntRange(5, 120).Draw(t, "seconds")) * time.Second
		specs, err := ParseSpecs(rapid.SampledFrom([]string{"all", "kill", "pause@leader", "transfer,member", "member:wipe@leader", "kill:election", "partition:isolate@one,kill@all", "none"}).Draw(t, "faults"))
		require.NoError(t, err)

		s, err := Plan(rand.New(rand.NewPCG(seed, 0)), specs, load, nodes, able)
		require.NoError(t, err)
		require.NoError(t, s.Check(nodes, able))
		require.LessOrEqual(t, s.End(), load)
		seen := map[string]bool{}
		for i, step := range s.Steps {
			seen[step.Fault] = true
			kind, _ := kindOf(step.Fault)
			over := step.At + step.For + kind.Undo
			require.Less(t, over, load, "undoing falls into the load, however short that is")
			if i < len(s.Steps)-1 {
				require.Greater(t, s.Steps[i+1].At, over, "the next window waits for the undoing of the last")
			}
			if step.Fault == "member" {
				require.Contains(t, []Target{One, Leader}, step.Target, "a member is lost alone")
			}
		}
		for _, spec := range specs {
			require.True(t, seen[spec.Kind.Name], "%s has no turn in %v", spec, load)
		}

		again, err := Plan(rand.New(rand.NewPCG(seed, 0)), specs, load, nodes, able)
		require.NoError(t, err)
		require.Equal(t, s, again, "the same seed must draw the same schedule")

		var b bytes.Buffer
		require.NoError(t, s.Write(&b))
		read, err := ReadSchedule("s.json", &b)
		require.NoError(t, err)
		require.Equal(t, len(s.Steps), len(read.Steps))
		for i := range s.Steps {
			require.Equal(t, s.Steps[i], read.Steps[i])
		}
	})
}

func TestBadSchedules(t *testing.T) {
	for _, c := range []struct{ json, want string }{
		{`{broken`, "s.json: invalid character"},
		{`{"steps":[]} {}`, "more than one JSON value"},
		{`null`, `no list "steps"`},
		{`{}`, `no list "steps"`},
		{`{"steps":null}`, `no list "steps"`},
		{`{"stepps":[]}`, `unknown field "stepps"`},
		{`{"steps":[{"nonsense":1}]}`, `step 0: json: unknown field "nonsense"`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"kill","target":"one"},{"at":"soon"}]}`, `step 1: field "at"`},
		{`{"steps":[{"at":"1s","for":7,"fault":"kill"}]}`, `step 0: json: cannot unmarshal number into Go struct field jsonStep.for`},
		{`{"steps":[{"at":"-1s","for":"1s","fault":"kill","target":"one"}]}`, `step 0: field "at"`},
		{`{"steps":[{"at":"1s","for":"0s","fault":"kill","target":"one"}]}`, `step 0: field "for"`},
		{`{"steps":[{"at":"1s","for":"9999h","fault":"kill","target":"one"}]}`, `step 0: field "for"`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"melt","target":"one"}]}`, `unknown fault "melt"`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"kill","target":"boss"}]}`, `unknown target "boss"`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"kill"}]}`, `unknown target ""`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"kill","target":"n9"}]}`, `only n1 to n5`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"kill","target":"one","params":{"shape":"ring"}}]}`, `unknown param "shape"`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"partition","params":{"shape":"star"}}]}`, `unknown shape "star"`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"partition"}]}`, `unknown shape ""`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"partition","target":"one","params":{"shape":"bridge"}}]}`, `takes no target`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"pause","target":"one","params":{"what":"planet"}}]}`, `unknown what "planet"`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"pause","target":"one","params":{"what":""}}]}`, `unknown what ""`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"kill","target":"one","params":{"when":"election"}}]}`, `takes no target`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"transfer","target":"one"}]}`, `takes no target`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"member","target":"one"}]}`, `unknown how ""`},
		{`{"steps":[{"at":"1s","for":"1s","fault":"member","target":"minority","params":{"how":"wipe"}}]}`, `one node at a time`},
	} {
		s, err := ReadSchedule("s.json", strings.NewReader(c.json))
		if err == nil {
			err = s.Check(5, able)
		}
		require.ErrorContains(t, err, c.want, c.json)
	}
}

func FuzzReadSchedule(f *testing.F) {
	f.Add(`{"steps":[{"at":"1s","for":"1s","fault":"partition","params":{"shape":"bridge"}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadSchedule("s.json", strings.NewReader(text))
		if err != nil || s.Check(5, able) != nil {
			return
		}
		var b bytes.Buffer
		require.NoError(t, s.Write(&b))
		_, err = ReadSchedule("s.json", &b)
		require.NoError(t, err)
	})
}

// FuzzParseSpecs: no list of faults crashes the parser, and each that it reads prints as one it reads.
func FuzzParseSpecs(f *testing.F) {
	f.Add("kill:election,pause@leader, partition:isolate@n2")
	f.Add("all")
	f.Fuzz(func(t *testing.T, list string) {
		specs, err := ParseSpecs(list)
		if err != nil {
			return
		}
		for _, s := range specs {
			again, err := ParseSpec(s.String())
			require.NoError(t, err)
			require.Equal(t, s.String(), again.String())
		}
	})
}

func TestSpecs(t *testing.T) {
	for _, good := range []string{"kill", "kill:election", "pause@leader", "partition:isolate@n2", "partition@minority", "partition:bridge", "pause:machine@all", "transfer", "member@n2", "member:wipe@leader"} {
		spec, err := ParseSpec(good)
		require.NoError(t, err)
		require.Equal(t, good, spec.String())
	}
	for bad, want := range map[string]string{
		"melt": "unknown fault", "transfer:fast": "no variants", "kill:hard": "unknown when", "kill:": `unknown when ""`, "kill:election@all": "takes no target", "kill@boss": "unknown target",
		"partition:star": "unknown shape", "partition:halves@one": "takes no target", "": "unknown fault",
		"transfer@n2": "takes no target", "member@all": "one node at a time", "member:wipe@minority": "one node at a time", "member:lose": "unknown how",
	} {
		_, err := ParseSpec(bad)
		require.ErrorContains(t, err, want, bad)
	}
	all, err := ParseSpecs("all")
	require.NoError(t, err)
	require.Len(t, all, len(Kinds()))
}

// Plans of half a minute, the default, are not hurried: each fault has its turn at its full length.
func TestAllFitsIntoHalfAMinute(t *testing.T) {
	need := calmFirst + calmLast
	for _, k := range Kinds() {
		need += calmMax + k.Max + k.Undo
	}
	require.LessOrEqual(t, need, 30*time.Second)
}

// A load that undoing alone would fill has no faults, and the verdict says that it was too short for them.
func TestPlanOfALoadTooShort(t *testing.T) {
	specs, err := ParseSpecs("all")
	require.NoError(t, err)
	for _, load := range []time.Duration{1, time.Millisecond, time.Second, 2400 * time.Millisecond, 2401 * time.Millisecond} {
		s, err := Plan(rand.New(rand.NewPCG(1, 0)), specs, load, 5, able)
		require.NoError(t, err)
		require.NoError(t, s.Check(5, able))
		require.Less(t, len(s.Steps), len(specs), load)
	}
}

func TestAbilities(t *testing.T) {
	names := func(n int, can ...Ability) string {
		all, err := ParseSpecs("all")
		require.NoError(t, err)
		var names []string
		for _, s := range Possible(all, n, can) {
			names = append(names, s.String())
		}
		return strings.Join(names, " ")
	}
	require.Equal(t, "kill pause partition transfer member", names(5, able...))
	require.Equal(t, "kill pause partition transfer", names(2, able...), "two nodes cannot lose one for good")
	require.Equal(t, "kill pause", names(1, able...), "one node has no network")
	require.Equal(t, "kill pause partition transfer", names(5, TellLeader, HandOver))
	require.Equal(t, "kill pause partition", names(5))

	for fault, want := range map[string]string{
		"kill@leader":   "fault kill@leader: this system does not tell who leads",
		"kill:election": "fault kill:election: this system does not tell who leads",
		"transfer":      "fault transfer: this system does not tell who leads",
		"member:wipe":   "fault member:wipe: this system does not tell who leads",
	} {
		specs, err := ParseSpecs("pause," + fault)
		require.NoError(t, err)
		_, err = Plan(rand.New(rand.NewPCG(1, 1)), specs, 10*time.Second, 5, nil)
		require.EqualError(t, err, want)
	}
	lost := Schedule{Steps: []Step{step("kill", One, ""), step("member", One, "wipe")}}
	require.NoError(t, lost.Check(5, able))
	require.ErrorContains(t, lost.Check(5, []Ability{TellLeader}), "step 1: fault member:wipe with target \"one\": this system does not take back a node")
	require.ErrorContains(t, Schedule{Steps: []Step{step("kill", Leader, "")}}.Check(5, nil), "does not tell who leads")
}

// A schedule from before pause had variants means what it meant.
func TestPauseWithoutVariant(t *testing.T) {
	s, err := ReadSchedule("s.json", strings.NewReader(`{"steps":[{"at":"1s","for":"1s","fault":"pause","target":"one"}]}`))
	require.NoError(t, err)
	require.NoError(t, s.Check(1, nil))
	require.Equal(t, "pause", s.Steps[0].label())
	k, _ := kindOf("pause")
	require.IsType(t, &pauseFault{}, k.New(s.Steps[0].Params, rand.New(rand.NewPCG(1, 1))))
	require.Equal(t, map[string]bool{"process": true, "machine": true}, drawn(t, "pause@leader", 3, able...))
}

// drawn are the variants that plans for a spec have.
func drawn(t *testing.T, spec string, nodes int, can ...Ability) map[string]bool {
	specs, err := ParseSpecs(spec)
	require.NoError(t, err)
	variants := map[string]bool{}
	for seed := range uint64(20) {
		s, err := Plan(rand.New(rand.NewPCG(seed, 1)), specs, 10*time.Second, nodes, can)
		require.NoError(t, err)
		require.NoError(t, s.Check(nodes, can))
		variants[s.Steps[0].Params[specs[0].Kind.Param]] = true
	}
	return variants
}

// A kill has its old form too, the only one where nobody tells who leads, or where a target is given.
func TestKillWithoutVariant(t *testing.T) {
	either, plain := map[string]bool{"": true, "election": true}, map[string]bool{"": true}
	require.Equal(t, either, drawn(t, "kill", 3, TellLeader))
	require.Equal(t, plain, drawn(t, "kill", 3))
	require.Equal(t, plain, drawn(t, "kill", 2, TellLeader))
	require.Equal(t, plain, drawn(t, "kill@leader", 3, TellLeader))
	s, err := ReadSchedule("s.json", strings.NewReader(`{"steps":[{"at":"1s","for":"1s","fault":"kill","target":"one"}]}`))
	require.NoError(t, err)
	require.NoError(t, s.Check(1, nil))
	k, _ := kindOf("kill")
	require.IsType(t, &killFault{}, k.New(s.Steps[0].Params, nil))
	require.ErrorContains(t, Schedule{Steps: []Step{step("kill", "", "election")}}.Check(3, nil), "does not tell who leads")
}
