package systems

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// TestOperations tells what each operation sends and makes of the answers. The input is the operation and a script:
//
//	dequeue q           f, key, value
//	200@7 1,2,          a step of the script, or
//	done 9 _ 11 5       results of a transaction, revision and value of each (_ is none); other: of Else
func TestOperations(t *testing.T) {
	datadriven.Walk(t, "testdata/kvclient", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "invoke", d.Cmd)
			s, mode := &scripted{}, ""
			if d.HasArg("mode") {
				d.ScanArgs(t, "mode", &mode)
			}
			first, script, _ := strings.Cut(d.Input, "\n")
			words := append(strings.SplitN(first, " ", 3), "")
			op := history.Event{Process: 5, F: words[0], Key: words[1]}
			if words[2] != "" {
				op.Value = json.RawMessage(words[2])
			}
			for line := range strings.Lines(script) {
				s.script = append(s.script, step(t, strings.TrimSpace(line)))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			client := s.client(t, 2)
			client.operations = kvOperations(kvMode(mode))
			done, err := client.Invoke(ctx, op)

			var out strings.Builder
			for _, sent := range s.sent() {
				out.WriteString(told(t, sent) + "\n")
			}
			fmt.Fprintf(&out, "→ %s", history.Outcome(err))
			if done.Value != nil {
				fmt.Fprintf(&out, " %s", done.Value)
			}
			if done.Revision != 0 {
				fmt.Fprintf(&out, " revision %d", done.Revision)
			}
			if err != nil {
				fmt.Fprintf(&out, ": %v", err)
			}
			return out.String() + "\n"
		})
	})
}

// step turns the results of a transaction into the answer that they make.
func step(t *testing.T, line string) string {
	held, _, _ := strings.Cut(line, " ")
	if held != "done" && held != "other" {
		return line
	}
	results := []kvResult{}
	words := strings.Fields(line)[1:]
	for i := 0; i+1 < len(words); i += 2 {
		rev, err := strconv.ParseUint(words[i], 10, 64)
		require.NoError(t, err)
		results = append(results, kvResult{Rev: rev, Value: []byte(strings.Trim(words[i+1], "_"))})
	}
	body, err := json.Marshal(map[string]any{"succeeded": held == "done", "results": results})
	require.NoError(t, err)
	return "200 " + string(body)
}

// told writes a transaction without its encoding.
func told(t *testing.T, sent string) string {
	at := strings.Index(sent, "{")
	if at < 0 {
		return sent
	}
	var c kvCommand
	require.NoError(t, json.Unmarshal([]byte(sent[at:]), &c))
	var b strings.Builder
	b.WriteString(strings.TrimSpace(sent[:at]))
	for _, cond := range c.If {
		fmt.Fprintf(&b, " if %s@%d", cond.Key, cond.Rev)
	}
	for _, branch := range []struct {
		name string
		ops  []kvOp
	}{{"then", c.Then}, {"else", c.Else}} {
		for _, op := range branch.ops {
			fmt.Fprintf(&b, " %s %s %s", branch.name, op.Op, op.Key)
			if op.Value != nil {
				fmt.Fprintf(&b, " %s", op.Value)
			}
			if op.Delta != 0 {
				fmt.Fprintf(&b, " %d", op.Delta)
			}
		}
	}
	return b.String()
}
