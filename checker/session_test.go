package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// TestSessions has one operation a line, one after the other: process, type, f, key, value, revision.
func TestSessions(t *testing.T) {
	datadriven.RunTest(t, "testdata/session", func(t *testing.T, d *datadriven.TestData) string {
		v := Sessions().Check(t.Context(), sessionOps(t, d.Input))
		out := v.Status.String() + "\n"
		if v.Reason != "" {
			out = v.Status.String() + ": " + v.Reason + "\n"
		}
		for _, f := range v.Findings {
			out += fmt.Sprintf("%s: %s %v\n  %s\n", f.Key, f.Rule, f.Ops, f.Text)
			for _, step := range f.Proof {
				out += "  - " + step + "\n"
			}
		}
		return out
	})
}

func sessionOps(t *testing.T, text string) (ops []history.Op) {
	for line := range strings.Lines(text) {
		var (
			kind, value string
			at          = time.Duration(len(ops)) * time.Second
			op          = history.Op{Index: len(ops), Call: at, Return: at + 250*time.Millisecond}
		)
		_, err := fmt.Sscanf(line, "p%d %s %s %s %s %d\n", &op.Process, &kind, &op.F, &op.Key, &value, &op.Revision)
		require.NoError(t, err, line)
		require.NoError(t, op.Type.UnmarshalText([]byte(kind)))
		switch {
		case value == "-":
		case op.F == "read":
			op.Output = json.RawMessage(value)
		default:
			op.Input = json.RawMessage(value)
			if before, found, has := strings.Cut(value, "✗"); has {
				op.Input, op.Output = json.RawMessage(before), json.RawMessage(found)
			}
		}
		ops = append(ops, op)
	}
	return ops
}

func TestSessionsHonourTheirContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := Sessions().Check(ctx, sessionOps(t, "p1 ok write k 1 5\n"))
	require.Equal(t, Unknown, v.Status)
	require.Equal(t, "interrupted after 0 of 1 operation", v.Reason)
}

// The scan is held to the definition: every pair of answers of one process about one key.
func TestSessionsByPairs(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var ops []history.Op
		for i := range 2 + r.IntN(7) {
			op := history.Op{Index: i, Process: r.IntN(2), Key: "k", F: "read", Type: history.OK, Revision: 1 + r.Uint64N(6),
				Output: json.RawMessage("7"), Call: time.Duration(2 * i), Return: time.Duration(2*i + 1)}
			if r.IntN(2) == 0 {
				op.F = []string{"write", "write", "delete"}[r.IntN(3)]
			}
			ops = append(ops, op)
		}
		var want []string
		for i, later := range ops {
			for _, earlier := range ops[:i] {
				behind := later.Revision < earlier.Revision || later.F == "write" && later.Revision == earlier.Revision
				if later.Process == earlier.Process && behind {
					want = append(want, map[string]string{
						"read read": ruleMonotonicReads, "write read": ruleReadYourWrites,
						"read write": ruleWritesFollowReads, "write write": ruleMonotonicWrites,
					}[strings.ReplaceAll(earlier.F+" "+later.F, "delete", "write")])
				}
			}
		}
		var got []string
		for _, f := range Sessions().Check(t.Context(), ops).Findings {
			got = append(got, f.Rule)
		}
		require.Subset(t, got, want, "seed %d", seed)
		require.Subset(t, want, got, "seed %d", seed)
	}
}
