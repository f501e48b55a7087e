package adya

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// TestDrawnHistories judges the pictures in testdata: status and reason, then each finding with its rule, sentence,
// witnesses and proof. Only change what is expected if you understand why.
func TestDrawnHistories(t *testing.T) {
	datadriven.RunTest(t, "testdata/transactions", func(t *testing.T, d *datadriven.TestData) string {
		require.Equal(t, "check", d.Cmd)
		ops, err := history.Parse(d.Input)
		if err != nil {
			return err.Error()
		}
		v := Transactions(checker.Budget{}).Check(t.Context(), ops)
		require.NoError(t, v.Broken)
		var b strings.Builder
		fmt.Fprintln(&b, strings.TrimSpace(v.Status.String()+" "+v.Reason))
		for _, f := range v.Findings {
			fmt.Fprintf(&b, "%s: %s\nwitnesses %v, %v to %v\n", f.Rule, f.Text, f.Ops, f.From, f.To)
			for i, step := range f.Proof {
				fmt.Fprintf(&b, "%d. %s\n", i+1, step)
			}
		}
		return b.String()
	})
}
