package checker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// TestVersions judges the pictures in testdata, whose operations carry the revisions given, by call. A put of nil
// is a delete.
func TestVersions(t *testing.T) {
	datadriven.RunTest(t, "testdata/versions", func(t *testing.T, d *datadriven.TestData) string {
		ops, err := history.Parse(d.Input)
		require.NoError(t, err)
		for _, arg := range d.CmdArgs {
			require.Len(t, arg.Vals, len(ops))
			for i, text := range arg.Vals {
				ops[i].Key = "k"
				if ops[i].F == "write" && string(ops[i].Input) == "null" {
					ops[i].F, ops[i].Input = "delete", nil
				}
				ops[i].Revision, err = strconv.ParseUint(text, 10, 64)
				require.NoError(t, err)
			}
		}
		v := Versions().Check(t.Context(), ops)
		out := strings.TrimSpace(v.Status.String()+" "+v.Reason) + "\n" + v.Engine + "\n"
		for _, f := range v.Findings {
			out += fmt.Sprintf("%s: %s\nwitnesses %v, %v to %v\n", f.Rule, f.Text, f.Ops, f.From, f.To)
			for _, step := range f.Proof {
				out += "  - " + step + "\n"
			}
		}
		return out
	})
}

// versionsByPairs is Versions by its words: every two answers.
func versionsByPairs(ops []history.Op) (broken []string) {
	writers := map[string]int{}
	for _, op := range ops {
		if op.Type != history.Fail && op.F != "read" && op.F != "delete" {
			writers[leaves(op)]++
		}
	}
	for _, a := range ops {
		for _, b := range ops {
			if a.Index == b.Index || !tells(a) || !tells(b) {
				continue
			}
			same, ca, cb := a.Revision == b.Revision, changes(a), changes(b)
			if a.Return < b.Call && (a.Revision > b.Revision || same && cb && !ca) {
				broken = append(broken, ruleRevisionBack)
			}
			if same && ca && cb {
				broken = append(broken, ruleRevisionTwice)
			}
			if same && (!ca || !cb) && leaves(a) != leaves(b) && leaves(a) != "" && leaves(b) != "" {
				broken = append(broken, ruleRevisionValues)
			}
			if from, _, ok := history.CASValue(a.Input); ok && ca && string(from) == leaves(b) && writers[leaves(b)] == 1 && b.Revision > a.Revision {
				broken = append(broken, ruleRevisionCause)
			}
		}
	}
	return broken
}

// tells is whether an operation was answered with a revision.
func tells(op history.Op) bool {
	return op.Revision > 0 && (op.Type == history.OK || op.Type == history.Fail && op.F == "cas")
}

func changes(op history.Op) bool {
	return op.Type == history.OK && (op.F == "write" || op.F == "cas")
}

// leaves is the value of the key after op.
func leaves(op history.Op) string {
	switch {
	case op.F == "delete":
		return "null"
	case op.F == "read" || op.Type == history.Fail:
		return string(op.Output)
	case op.F == "cas":
		_, to, _ := history.CASValue(op.Input)
		return string(to)
	}
	return string(op.Input)
}

func rulesOf(v Verdict) (rules []string) {
	for _, f := range v.Findings {
		rules = append(rules, f.Rule)
	}
	slices.Sort(rules)
	return rules
}

func TestVersionsByPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(35, 36))
	cases := histories(t, 20_000)
	broken := map[string]int{}
	for range cases {
		ops := versionedHistory(r, 3)
		base := [...]uint64{0, 1<<32 - 3, 1 << 60}[r.IntN(3)]
		for i := range ops {
			if ops[i].Revision > 0 {
				ops[i].Revision += base
			}
		}
		want := versionsByPairs(ops)
		slices.Sort(want)
		want = slices.Compact(want)
		v := Versions().Check(t.Context(), ops)
		require.Equal(t, want, rulesOf(v), picture(ops))
		for _, rule := range want {
			broken[rule]++
		}
		for _, f := range v.Findings {
			require.Contains(t, versionsByPairs(pick(ops, f.Ops)), f.Rule, "the witnesses alone are right")
			require.NotContains(t, strings.Join(append(f.Proof, f.Text), "\n"), "%!")
		}
	}
	t.Log(broken)
	require.Len(t, broken, 4)
	for rule, n := range broken {
		require.Greater(t, n, cases/200, rule)
	}
}

// A system that does what it should is never accused, and neither is one that has no revisions.
func TestVersionsAreRight(t *testing.T) {
	r := rand.New(rand.NewPCG(37, 38))
	for range histories(t, 10_000) {
		ops := versionedHistory(r, 0)
		for i := range ops {
			if ops[i].F == "delete" && ops[i].Type == history.OK && r.IntN(2) == 0 {
				ops[i].Revision = 0 // some systems tell none
			}
		}
		v := Versions().Check(t.Context(), ops)
		require.Equal(t, Valid, v.Status, "%s\n%s", v.Reason, picture(ops))
		for i := range ops {
			ops[i].Revision = 0
		}
		v = Versions().Check(t.Context(), ops)
		require.Equal(t, Valid, v.Status)
		require.Equal(t, "no revisions to compare", v.Engine)
	}
	v := Versions().Check(t.Context(), load{ops: 50_000, clients: 30, unknown: 0.05}.versioned(1, versionedKey{values: 100, blind: 3}))
	require.Equal(t, Valid, v.Status, v.Reason)
}

func TestVersionsHonourTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := Versions().Check(ctx, versionedHistory(rand.New(rand.NewPCG(1, 1)), 0))
	require.Equal(t, Unknown, v.Status)
	require.Equal(t, "interrupted after 0 of 1 key", v.Reason)
}

func BenchmarkVersions(b *testing.B) {
	ops := load{ops: 1_000_000, clients: 30, unknown: 0.05}.versioned(1, versionedKey{unique: true})
	b.ReportAllocs()
	for b.Loop() {
		if v := Versions().Check(b.Context(), ops); v.Status != Valid {
			b.Fatal(v.Reason)
		}
	}
}
