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

func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		nodes := rapid.IntRange(1, 9).Draw(t, "nodes")
		load := time.Duration(rapid.IntRange(5, 120).Draw(t, "seconds")) * time.Second
		specs, err := ParseSpecs(rapid.SampledFrom([]string{"all", "kill", "pause@leader", "partition:isolate@one,kill@all", "none"}).Draw(t, "faults"))
		require.NoError(t, err)

		s, err := Plan(rand.New(rand.NewPCG(seed, 0)), specs, load, nodes, true)
		require.NoError(t, err)
		require.NoError(t, s.Check(nodes))
		require.LessOrEqual(t, s.End(), load)
		seen := map[string]bool{}
		for i, step := range s.Steps {
			seen[step.Fault] = true
			if i > 0 {
				require.Greater(t, step.At, s.Steps[i-1].At+s.Steps[i-1].For, "drawn windows must not overlap")
			}
		}
		for _, spec := range specs {
			require.True(t, seen[spec.Kind.Name], "%s has no turn in %v", spec, load)
		}

		again, err := Plan(rand.New(rand.NewPCG(seed, 0)), specs, load, nodes, true)
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
	} {
		s, err := ReadSchedule("s.json", strings.NewReader(c.json))
		if err == nil {
			err = s.Check(5)
		}
		require.ErrorContains(t, err, c.want, c.json)
	}
}

func FuzzReadSchedule(f *testing.F) {
	f.Add(`{"steps":[{"at":"1s","for":"1s","fault":"partition","params":{"shape":"bridge"}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ReadSchedule("s.json", strings.NewReader(text))
		if err != nil || s.Check(5) != nil {
			return
		}
		var b bytes.Buffer
		require.NoError(t, s.Write(&b))
		_, err = ReadSchedule("s.json", &b)
		require.NoError(t, err)
	})
}

func TestSpecs(t *testing.T) {
	for _, good := range []string{"kill", "pause@leader", "partition:isolate@n2", "partition@minority", "partition:bridge"} {
		spec, err := ParseSpec(good)
		require.NoError(t, err)
		require.Equal(t, good, spec.String())
	}
	for bad, want := range map[string]string{
		"melt": "unknown fault", "kill:hard": "no variants", "kill@boss": "unknown target",
		"partition:star": "unknown shape", "partition:halves@one": "takes no target", "": "unknown fault",
	} {
		_, err := ParseSpec(bad)
		require.ErrorContains(t, err, want, bad)
	}
	all, err := ParseSpecs("all")
	require.NoError(t, err)
	require.Len(t, all, len(Kinds()))
}
