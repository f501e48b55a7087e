package checker

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ordeal/history"
)

const n1Log = `{"boot":1,"from":0}
{"leader":true,"term":1}
{"index":1,"term":1,"digest":"0000000000000001"}
{"index":2,"term":1,"digest":"0000000000000002"}
{"boot":2,"from":0}
{"index":1,"term":1,"digest":"0000000000000001"}
{"index":2,"term":1,"digest":"0000000000000002"}
{"index":3,"term":2,"digest":"0000000000000003"}
`

func TestApplyLogs(t *testing.T) {
	for _, c := range []struct {
		name, n2 string
		status   Status
		rule     string
		text     string
	}{
		{"agree, by a snapshot", `{"boot":1,"from":0}
			{"restore":2,"term":1}
			{"index":3,"term":2,"digest":"0000000000000003"}`, Valid, "", ""},
		{"another command", `{"boot":1,"from":1}
			{"index":2,"term":1,"digest":"00000000000000ff"}`, Invalid, "diverged",
			"index 2 of term 1 is command 0000000000000002 on n1 and command 00000000000000ff on n2."},
		{"another term", `{"boot":1,"from":2}
			{"index":3,"term":3,"digest":"0000000000000003"}`, Invalid, "diverged", "index 3 has term 2 on n1 and term 3 on n2."},
		{"a snapshot of another term", `{"restore":3,"term":1}`, Invalid, "diverged", "index 3 has term 2 on n1 and term 1 on n2."},
		{"skipped", `{"boot":1,"from":0}
			{"index":1,"term":1,"digest":"0000000000000001"}
			{"index":3,"term":2,"digest":"0000000000000003"}`, Invalid, "gap", "n2 applied index 3 right after index 1."},
		{"skipped at boot", `{"boot":1,"from":1}
			{"index":3,"term":2,"digest":"0000000000000003"}`, Invalid, "gap", "n2 applied index 3 right after index 1."},
		{"twice", `{"boot":1,"from":0}
			{"index":1,"term":1,"digest":"0000000000000001"}
			{"index":1,"term":1,"digest":"0000000000000001"}
			{"index":1,"term":1,"digest":"0000000000000001"}`, Invalid, "applied twice",
			"n2 applied index 1 when it already had index 1, and 1 time more."},
		{"an old snapshot", `{"boot":1,"from":2}
			{"restore":1,"term":1}`, Invalid, "applied twice", "n2 put a snapshot of index 1 in place of its state of index 2."},
		{"two leaders", `{"leader":true,"term":1}`, Invalid, "two leaders", "n1 and n2 both became leader of term 1."},
		{"term back", `{"boot":1,"from":7}
			{"index":8,"term":5,"digest":"0000000000000001"}
			{"index":9,"term":4,"digest":"0000000000000001"}`, Invalid, "term went back", "n2 applied index 9 of term 4 after one of term 5."},
		{"after a restart it may begin again", `{"boot":1,"from":2}
			{"index":3,"term":2,"digest":"0000000000000003"}
			{"boot":2,"from":2}
			{"index":3,"term":2,"digest":"0000000000000003"}`, Valid, "", ""},
		{"another command after a restart", `{"boot":1,"from":3}
			{"index":4,"term":2,"digest":"0000000000000004"}
			{"boot":2,"from":3}
			{"index":4,"term":2,"digest":"0000000000000005"}`, Invalid, "diverged",
			"index 4 of term 2 is command 0000000000000004 on n2 and command 0000000000000005 on n2."},
	} {
		t.Run(c.name, func(t *testing.T) {
			logs := map[string][]history.Applied{}
			for node, text := range map[string]string{"n1": n1Log, "n2": c.n2} {
				log, torn, err := history.ReadApplyLog(node, strings.NewReader(text))
				require.NoError(t, err)
				require.Empty(t, torn)
				logs[node] = log
			}
			v := ApplyLogs(logs)
			require.Equal(t, "apply-log", v.Checker)
			require.Equal(t, c.status, v.Status, v)
			if c.status == Invalid {
				require.Len(t, v.Findings, 1)
				require.Equal(t, c.rule, v.Findings[0].Rule)
				require.Equal(t, c.text, v.Findings[0].Text)
				require.Equal(t, "the apply logs of 2 nodes break 1 rule", v.Reason)
			}
		})
	}
	v := ApplyLogs(map[string][]history.Applied{"n1": {{Kind: history.AppliedBoot, Boot: 1}}})
	require.Equal(t, Unknown, v.Status)
	require.Equal(t, "no apply log has an entry", v.Reason)
}

// A node that leads a term again after a restart has forgotten it. Whatever terms it leads, in how many lives:
// that is found if one of them comes again in a later life, and then only.
func TestOneNodeLeadsATermOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const boot = 0 // among the terms
		c, life, led, again := NewApplyCheck(), 0, map[uint64]int{}, false
		c.Add("n1", history.Applied{Kind: history.AppliedEntry, Index: 1, Term: 1})
		for _, term := range rapid.SliceOf(rapid.Uint64Range(boot, 5)).Draw(t, "boots and terms") {
			if term == boot {
				life++
				c.Add("n1", history.Applied{Kind: history.AppliedBoot})
				continue
			}
			first, known := led[term]
			again = again || known && first != life
			if !known {
				led[term] = life
			}
			c.Add("n1", history.Applied{Kind: history.AppliedLeader, Term: term})
		}
		v := c.Verdict()
		require.Equal(t, again, v.Status == Invalid)
		if again {
			require.Len(t, v.Findings, 1)
			require.Equal(t, ruleTwoLeaders, v.Findings[0].Rule)
			require.Regexp(t, `^n1 became leader of term [1-5] again after a restart(, and [0-9]+ times? more)?\.$`, v.Findings[0].Text)
		}
	})
}

func TestStateHashes(t *testing.T) {
	states := func(text string) []NodeState {
		var all []history.Event
		for i, w := range strings.Fields(text) {
			p := strings.Split(w, ":")
			var index uint64
			require.NoError(t, json.Unmarshal([]byte(p[1]), &index))
			all = append(all, history.Event{Index: i, Time: time.Duration(i), Process: history.Observer, Type: history.OK,
				F: history.SawState, Node: p[0], Revision: index, Value: json.RawMessage(`"` + p[2] + `"`)})
		}
		got, err := NodeStates(all)
		require.NoError(t, err)
		return got
	}
	for in, want := range map[string]Verdict{
		"n1:9:aa n2:9:aa n3:9:aa":         {Status: Valid},
		"n1:9:aa n2:9:aa n3:8:bb n3:9:aa": {Status: Valid},
		"n1:9:aa n2:9:aa n3:8:bb":         {Status: Unknown, Reason: "no index was seen on every node: n1 at 9, n2 at 9, n3 at 8"},
		"n1:9:aa":                         {Status: Unknown, Reason: "the state of 1 node was seen, which compares with nothing"},
		"":                                {Status: Unknown, Reason: "the state of 0 nodes was seen, which compares with nothing"},
		"n1:9:aa n1:9:bb":                 {Status: Invalid, Reason: "states differ at 1 of the indexes seen"},
		"n1:9:aa n2:9:bb n3:8:cc n2:10:x n1:10:x": {Status: Invalid, Reason: "states differ at 1 of the indexes seen"},
	} {
		v := StateHashes(states(in))
		require.Equal(t, want.Status, v.Status, in)
		require.Equal(t, want.Reason, v.Reason, in)
		if v.Status == Invalid {
			require.Equal(t, "diverged", v.Findings[0].Rule)
			require.Contains(t, v.Findings[0].Text, "at applied index 9 the states differ: n1 has aa, n")
		}
	}
	_, err := NodeStates([]history.Event{{Index: 3, Process: history.Observer, F: history.SawState, Node: "n1", Value: json.RawMessage("7")}})
	require.ErrorContains(t, err, "event 3: state hash of n1: ")
}
