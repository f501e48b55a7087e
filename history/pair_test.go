package history

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// events makes a history of lines like "5 p3 invoke read k1 null".
func events(t *testing.T, text string) []Event {
	t.Helper()
	var all []Event
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		w := strings.Fields(line)
		var e Event
		require.NoError(t, json.Unmarshal([]byte(w[0]), &e.Time))
		require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(w[1], "p")), &e.Process))
		require.NoError(t, e.Type.UnmarshalText([]byte(w[2])))
		e.F, e.Key, e.Index = w[3], w[4], len(all)
		if len(w) > 5 {
			e.Value = json.RawMessage(w[5])
		}
		all = append(all, e)
	}
	return all
}

func TestPair(t *testing.T) {
	all := events(t, `
0  p1  invoke write x 1
1  p-1 info   kill  x {}
2  p2  invoke read  x
3  p-2 info   leader x
3  p1  ok     write x 1
4  p2  fail   read  x
5  p2  invoke cas   x [1,2]
6  p1  invoke read  y
9  p2  info   cas   x`)
	all[0].Node, all[4].Node, all[4].Term, all[4].Revision, all[8].Err = "n1", "n2", 3, 4, "timeout"
	ops, err := Pair(all)
	require.NoError(t, err)
	require.Equal(t, []Op{
		{Index: 0, Process: 1, F: "write", Key: "x", Input: json.RawMessage("1"), Output: json.RawMessage("1"), Type: OK,
			Call: 0, Return: 3, Ended: 3, Node: "n2", Term: 3, Revision: 4},
		{Index: 2, Process: 2, F: "read", Key: "x", Type: Fail, Call: 2, Return: 4, Ended: 4},
		{Index: 6, Process: 2, F: "cas", Key: "x", Input: json.RawMessage("[1,2]"), Type: Info, Call: 5, Return: Never, Ended: 9, Err: "timeout"},
		{Index: 7, Process: 1, F: "read", Key: "y", Type: Info, Call: 6, Return: Never, Ended: Never},
	}, ops)
}

func TestPairRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"completion without invocation", "0 p1 ok read x 1",
			"event 0: process 1 completes read without an invocation"},
		{"two open operations", "0 p1 invoke read x\n1 p1 invoke write x 1",
			"event 1: process 1 invokes write while its read of event 0 is open"},
		{"an answer to an earlier request", "0 p1 invoke read x\n1 p1 ok write x 1",
			"event 1: process 1 completes write, but event 0 had invoked read"},
		{"another key", "0 p1 invoke read x\n1 p1 ok read y 1",
			`event 1: process 1 completes read of key "y", but event 0 had invoked it on key "x"`},
		{"back in time", "5 p1 invoke read x\n4 p1 ok read x 1",
			"event 1: process 1 completes read at 4ns, before event 0 invoked it at 5ns"},
		{"process reused after info", "0 p1 invoke read x\n1 p1 info read x\n2 p1 invoke read x",
			"event 2: process 1 invokes read after an operation of unknown outcome"},
		{"a late answer", "0 p1 invoke read x\n1 p1 info read x\n2 p1 ok read x 1",
			"event 2: process 1 completes read without an invocation"},
		{"a retry hidden under one operation", "0 p1 invoke write x 1\n1 p1 ok write x 1\n2 p1 ok write x 1",
			"event 2: process 1 completes write without an invocation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Pair(events(t, c.in))
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestWindows(t *testing.T) {
	all := events(t, `
1 p-1 info kill      - {"step":0,"phase":"begin","role":"leader","target":["n2"]}
2 p-1 info partition - {"step":1,"phase":"begin","target":["n1"]}
3 p1  invoke read    x
4 p-1 info kill      - {"step":0,"phase":"end","bit":true,"evidence":"gone"}
5 p-1 info kill      - {"step":0,"phase":"begin"}`)
	all[0].Err, all[3].Err = "slow", "late"
	got, err := Windows(all)
	require.NoError(t, err)
	require.Equal(t, []Window{
		{Step: 0, Fault: "kill", Role: "leader", Target: []string{"n2"}, From: 1, To: 4, Bit: true, Evidence: "gone", Err: "slow; late"},
		{Step: 1, Fault: "partition", Target: []string{"n1"}, From: 2, To: Never},
		{Step: 0, Fault: "kill", From: 5, To: Never},
	}, got)
	require.True(t, got[0].Contains(4))
	require.False(t, got[0].Contains(5*time.Nanosecond))

	for in, want := range map[string]string{
		`1 p-1 info kill - {"step":0,"phase":"end"}`: "event 0: step 0 ends without a beginning",
		`1 p-1 info kill - {"step":0,"phase":"up"}`:  `event 0: fault kill has a phase "up"`,
		`1 p-1 info kill - 7`:                        "event 0: value of fault kill: ",
		`1 p-1 info kill -`:                          "event 0: value of fault kill: ",
		"1 p-1 info k - {\"step\":0,\"phase\":\"begin\"}\n1 p-1 info k - {\"step\":0,\"phase\":\"begin\"}": "event 1: step 0 begins twice",
	} {
		_, err := Windows(events(t, in))
		require.ErrorContains(t, err, want)
	}
}

func TestReadApplyLog(t *testing.T) {
	const boot, entry = `{"boot":1,"from":0}`, `{"index":1,"term":2,"digest":"00000000000000ff"}`
	log, torn, err := ReadApplyLog("n1.apply.jsonl", strings.NewReader(boot+"\n"+entry+"\n"+`{"restore":90,"term":4}
{"leader":true,"term":4}
{"index":91,"te
{"boot":2,"from":90}
{"index":91,"term":4,"dig{"boot":3,"from":90}
{"index":91,"term":`))
	require.NoError(t, err)
	require.Equal(t, `line 8 is cut off: "{\"index\":91,\"term\":"`, torn)
	require.Equal(t, []Applied{
		{Kind: AppliedBoot, Boot: 1}, {Kind: AppliedEntry, Index: 1, Term: 2, Digest: 255},
		{Kind: AppliedRestore, Index: 90, Term: 4}, {Kind: AppliedLeader, Term: 4},
		{Kind: AppliedBoot, Boot: 2, Index: 90}, {Kind: AppliedBoot, Boot: 3, Index: 90},
	}, log)

	for in, want := range map[string]string{
		"{\"index\":1,\n" + entry:            "n1:1: ",
		"{\"index\":1,\n":                    "n1:1: ",
		"x\ny\n" + boot:                      "n1:1: ",
		"\n" + entry:                         "n1:1: not a complete JSON object",
		`{"boot":0,"from":1}`:                `n1:1: field "boot": 0 is below 1`,
		`{"boot":1}`:                         `n1:1: field "from": missing`,
		`{"index":1,"term":1,"digest":"ff"}`: `n1:1: field "digest": not 16`,
		`{"index":1,"term":1,"digest":"ffffffffffffffff","leader":true}`: `n1:1: `,
		`{"leader":false,"term":1}`:                                      `n1:1: field "leader": only true`,
		`{"term":1}`:                                                     `n1:1: the line has none of`,
		`{"index":1,"index":1,"term":1}`:                                 `n1:1: field "index": given twice`,
		`{"indeks":1}`:                                                   `n1:1: field "indeks": unknown`,
	} {
		_, _, err := ReadApplyLog("n1", strings.NewReader(in))
		require.ErrorContains(t, err, want, in)
	}
}

// FuzzReadApplyLog: no input crashes it.
func FuzzReadApplyLog(f *testing.F) {
	f.Add("{\"boot\":1,\"from\":0}\n{\"index\":1,\"term\":2,\"digest\":\"00000000000000ff\"}\n{\"ind{\"boot\":2,\"from\":1}")
	f.Fuzz(func(t *testing.T, in string) {
		log, _, err := ReadApplyLog("n1", strings.NewReader(in))
		for _, a := range log {
			require.NotZero(t, a.Kind, "%v", err)
		}
	})
}

// FuzzParse: no drawing crashes the parser, and what it reads can be drawn.
func FuzzParse(f *testing.F) {
	f.Add("p0: |-- put 1 --|  |- cas 1→2 ✗(nil) -|\np1 n2:  |- get \"a\\\" |\" ···\n    1.2s")
	f.Add("p0 || + put 3\n   get 3\nn1 ....|")
	f.Fuzz(func(_ *testing.T, in string) {
		if ops, err := Parse(in); err == nil && len(ops) < 100 {
			Draw(ops, DrawOptions{})
		}
	})
}
