package checker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// TestDrawnHistories judges the pictures in testdata: status and reason, then each finding
// with its rule, sentence, witnesses and proof. Only change what is expected if you understand why.
func TestDrawnHistories(t *testing.T) {
	for _, m := range []Model{Register(), List(), Counter(), Queue(), Set()} {
		t.Run(m.Name, func(t *testing.T) { drawnHistories(t, m) })
	}
}

func drawnHistories(t *testing.T, m Model) {
	datadriven.RunTest(t, "testdata/"+m.Name, func(t *testing.T, d *datadriven.TestData) string {
		require.Equal(t, "check", d.Cmd)
		ops, err := history.Parse(d.Input)
		if err != nil {
			return err.Error()
		}
		for i := range ops {
			ops[i].Key = "k"
			if m.Name == "queue" { // whose words drawings do not have
				ops[i].F = map[string]string{"append": "enqueue", "read": "dequeue"}[ops[i].F]
			}
		}
		v := Linearizable(m, Budget{}).Check(t.Context(), ops)
		var b strings.Builder
		fmt.Fprintln(&b, strings.TrimSpace(v.Status.String()+" "+v.Reason))
		for _, f := range v.Findings {
			fmt.Fprintf(&b, "%s: %s\nwitnesses %v, %v to %v\n", f.Rule, f.Text, f.Ops, f.From, f.To)
			if d.HasArg("proof") {
				for i, step := range f.Proof {
					fmt.Fprintf(&b, "%d. %s\n", i+1, step)
				}
			}
		}
		return b.String()
	})
}
