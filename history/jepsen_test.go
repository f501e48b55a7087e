package history

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestEDNBecomesJSON: the forms of EDN, and what is none.
func TestEDNBecomesJSON(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`nil`, `null`}, {`true`, `true`}, {`-7`, `-7`}, {`+7`, `7`}, {`12345678901234567890123N`, `12345678901234567890123`},
		{`1.50M`, `1.50`}, {`-1e9`, `-1e9`}, {`1/3`, `"1/3"`}, {`##-Inf`, `"-Inf"`}, {`:a/b`, `"a/b"`}, {`a.b->c`, `"a.b->c"`}, {`-`, `"-"`},
		{`"q\"\\\n\u00e9é"`, `"q\"\\\n\u00e9é"`}, {"\"two\nlines\"", `"two\u000alines"`},
		{`\a`, `"a"`}, {`\newline`, `"\n"`}, {`\u0041`, `"\u0041"`}, {`\(`, `"("`}, {`\é`, `"é"`}, {`\,`, `","`},
		{`[1, [2 (3 #{4})],]`, `[1,[2,[3,[4]]]]`}, {`[]`, `[]`}, {`[1 #_2 #_[3 #_4] 5 ; six` + "\n]", `[1,5]`},
		{`{:a 1 "b" {2 nil}, \c []}`, `{"a":1,"b":{"2":null},"c":[]}`}, {`{}`, `{}`},
		{`#inst "2026-01-01"`, `"2026-01-01"`}, {`#a.b.C{:x #d 1}`, `{"x":1}`}, {`[#_ #foo 1 2]`, `[2]`},
		{`00`, `! "00" is no number`}, {`1x`, `! "1x" is no number`}, {`1/`, `! "1/" is no number`}, {`:`, `! ":" is no word`}, {`[1`, `! '}' where a form`},
		{`"a`, `! the file ends`}, {`"\x"`, `! an escape that EDN does not know`}, {`"\/"`, `! no escape \/`}, {`\abc`, `! "abc" is no character`},
		{`{:a}`, `! '}' where a form should begin`}, {`{[1] 2}`, `! "[1]" is the key of a map`}, {`{:a 1 "a" 2}`, `! given twice`}, {`]`, `! ']' where`},
		{`^{:m 1} x`, `! '^' where`}, {`# 1`, `! ' ' where a word should begin`}, {strings.Repeat("[", 200), `! nested deeper than 100`},
		{strings.Repeat("#_", 200), `! nested deeper than 100`}, {strings.Repeat("#a ", 200), `! nested deeper than 100`}, {"\xff", "! is no word"},
	} {
		h, err := ReadEDN("h", strings.NewReader(`{:process 0 :type :ok :f :x :value `+c.in+"}"))
		if want, ok := strings.CutPrefix(c.want, "! "); ok {
			require.ErrorContains(t, err, want, c.in)
			require.ErrorContains(t, err, "h:1: field \"value\"", c.in)
			continue
		}
		require.NoError(t, err, c.in)
		require.Equal(t, c.want, string(h.Events[0].Value), c.in)
	}
}

func TestReadEDNSaysWhatIsWrongAndWhere(t *testing.T) {
	const ok = "{:process 0 :type :invoke :f :read}\n"
	for in, want := range map[string]string{
		ok + "{:process 0 :type :ok}":                                                `h.edn:2: field "f": missing`,
		ok + "\n\n{:process 0 :f :read}":                                             `h.edn:4: field "type": missing`,
		"{:type :invoke :f :read}":                                                   `h.edn:1: field "process": missing`,
		"{:process 0 :type :sleep :f :x}":                                            `h.edn:1: field "type": type "sleep" is none of`,
		"{:process -1 :type :ok :f :x}":                                              `h.edn:1: field "process": -1 is below 0`,
		"{:process 1.5 :type :ok :f :x}":                                             `h.edn:1: field "process": "1.5" is not`,
		"{:process 0 :process 1 :type :ok :f :x}":                                    `h.edn:1: field "process": given twice`,
		"{:process 0 :type :ok :f 7}":                                                `h.edn:1: field "f": "7" is not a string`,
		"{:process 0 :type :ok :f \"\"}":                                             `h.edn:1: field "f": empty`,
		"{:process 0 :type :ok :f :x :time -3}":                                      `h.edn:1: field "time": -3 is below 0`,
		"{:process 0 :type :ok :f :x :key [1]}":                                      `h.edn:1: field "key": a key should be`,
		"{:process 0 :type :ok :f :x :time 1}\n" + ok:                                `h.edn:2: field "time": some events have it`,
		ok + "{:index 1 :process 0 :type :ok :f :x}":                                 `h.edn:2: field "index": some events have it`,
		"{:index 3000000000 :process 0 :type :ok :f :x}":                             `h.edn:1: field "index": 3000000000 is above 2147483647`,
		"{:index 4 :process 0 :type :ok :f :x}{:index 4 :process 0 :type :ok :f :x}": `h.edn:1: field "index": 4 after 4`,
		"{:process 0 :type :ok :f :x :value #jepsen.independent/tuple 3}":            `h.edn:1: field "value": a tuple that is no`,
		"[" + ok:           "h.edn:2: the file ends within a form",
		"[" + ok + "] x":   "h.edn:2: 'x' follows the history",
		ok + "7":           "h.edn:2: '7' where the map of an event should begin",
		ok + "{:process 0": "h.edn:2: the file ends within a form",
		ok + "#a #b {}":    "h.edn:2: '#' where the map",
	} {
		_, err := ReadEDN("h.edn", strings.NewReader(in))
		require.ErrorContains(t, err, want, in)
		require.ErrorAs(t, err, new(*SyntaxError), in)
	}
	_, err := ReadEDN("h", io.MultiReader(strings.NewReader("{:process 0 :value ["), iotest.ErrReader(errFull)))
	require.ErrorIs(t, err, errFull)
	require.NotErrorAs(t, err, new(*SyntaxError))
}

// told is what a history says, an event a line.
func told(t *testing.T, in string) string {
	h, err := Load("h", strings.NewReader(in))
	require.NoError(t, err)
	var b strings.Builder
	for _, e := range h.Events {
		fmt.Fprintf(&b, "%d %d p%d %v %s %q %s %q\n", e.Index, e.Time, e.Process, e.Type, e.F, e.Key, e.Value, e.Err)
	}
	return b.String()
}

// TestJepsenHistories: how histories in the wild are meant.
func TestJepsenHistories(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", `{:type :invoke, :f :cas, :value [1 2], :process 3, :time 10, :index 0}
{:type :info, :f :start, :process :nemesis, :time 11, :index 1, :value "cut off"}
#jepsen.history.Op{:index 2, :time 12, :type :fail, :process 3, :f :cas, :value [1 2], :error :did-not-succeed, :link nil, :final? true}`,
			`0 10 p3 invoke cas "" [1,2] ""
2 12 p3 fail cas "" <nothing> "did-not-succeed"
`},
		{"a vector, without index and time", `[{:process 0 :type :invoke :f :read :value nil} {:process 0 :type :ok :f :read :value nil :error [:a 1]}]`,
			`0 0 p0 invoke read "" <nothing> ""
1 1 p0 ok read "" null "[\"a\",1]"
`},
		{"untagged tuples", `{:process 0 :type :invoke :f :read :value [5 nil]}
{:process 1 :type :invoke :f :cas :value [5 [1 2]]}
{:process 0 :type :ok :f :read :value [5 7]}
{:process 1 :type :info :f :cas :value :timed-out}`,
			`0 0 p0 invoke read "5" <nothing> ""
1 1 p1 invoke cas "5" [1,2] ""
2 2 p0 ok read "5" 7 ""
3 3 p1 info cas "5" <nothing> ""
`},
		{"pairs that are no tuples", `{:process 0 :type :invoke :f :cas :value [5 7]}
{:process 0 :type :ok :f :cas :value [5 7]}`,
			`0 0 p0 invoke cas "" [5,7] ""
1 1 p0 ok cas "" [5,7] ""
`},
		{"tagged tuples", `{:process 0 :type :invoke :f :cas :value #jepsen.independent/tuple [:x [5 7]]}
{:process 0 :type :ok :f :cas :value #jepsen.independent/tuple [:x [5 7]]}`,
			`0 0 p0 invoke cas "x" [5,7] ""
1 1 p0 ok cas "x" [5,7] ""
`},
		{"transactions", `{:process 0 :type :invoke :f :txn :value [[:append 1 2] [:r 1 nil]]}
{:process 0 :type :ok :f :txn :value [[:append 1 2] [:r 1 [2]]]}`,
			`0 0 p0 invoke txn "" [["append",1,2],["r",1,null]] ""
1 1 p0 ok txn "" [["append",1,2],["r",1,[2]]] ""
`},
		{"what an add added is not the sum", `{:process 0 :type :invoke :f :add :value 2} {:process 0 :type :ok :f :add :value 2}`,
			`0 0 p0 invoke add "" 2 ""
1 1 p0 ok add "" <nothing> ""
`},
		{"Porcupine's logs", `{:process 4, :type :invoke, :f :get, :key "0", :value nil}
{:process 1, :type :invoke, :f :put, :key "0", :value "a"}
{:process 4, :type :ok, :f :get, :key "0", :value ""}`,
			`0 0 p4 invoke read "0" <nothing> ""
1 1 p1 invoke write "0" "a" ""
2 2 p4 ok read "0" "" ""
`},
		{"jepsen.log", "INFO  jepsen.core - Test starting\nINFO  jepsen.util - :nemesis\t:info\t:start\tnil\nINFO  jepsen.util - 4\t:invoke\t:cas\t[3 0]\n" +
			"INFO  jepsen.util - 2   :invoke :read nil\r\nINFO  jepsen.util - 4\t:fail\t:cas\t[3 0]\n\tat clojure.core\nINFO  jepsen.util - 2\t:fail\t:read\t:timed-out\n",
			`0 3 p4 invoke cas "" [3,0] ""
1 4 p2 invoke read "" <nothing> ""
2 5 p4 fail cas "" <nothing> "mismatch"
3 7 p2 fail read "" <nothing> "timed-out"
`},
		{"history.jsonl", okLine, `0 5 p1 invoke read "k1" <nothing> ""
`},
		{"nothing", "", ""},
	} {
		require.Equal(t, strings.ReplaceAll(c.want, "<nothing>", ""), told(t, c.in), c.name)
	}
}

func TestReadJepsenLogSaysWhatIsWrongAndWhere(t *testing.T) {
	for in, want := range map[string]string{
		"x :invoke :read nil":    `l:2: field "process": "x" is no number`,
		"1 invoke :read nil":     `l:2: field "type": "invoke" is none of`,
		"1 :begin :read nil":     `l:2: field "type": ":begin" is none of`,
		"1 :invoke read nil":     `l:2: field "f": "read" is no keyword`,
		"1 :invoke":              `l:2: not - process type f value`,
		"1 :invoke :read":        `l:2: field "value": the file ends`,
		"1 :invoke :read 1 2":    `l:2: field "value": something follows the value`,
		"1 :invoke :cas [1":      `l:2: field "value": the file ends`,
		"99999999999 :ok :x nil": `l:2: field "process": "99999999999" is no number`,
	} {
		_, err := Load("l", strings.NewReader("INFO other\nINFO  jepsen.util - "+in))
		require.ErrorContains(t, err, want, in)
	}
	_, err := Load("l", strings.NewReader("\n\nsomething else"))
	require.ErrorContains(t, err, `l:1: "something else" begins neither`)
}

// genClients draws the events of a history that Pair takes.
func genClients(t *rapid.T) (events []Event) {
	open := map[int]Event{}
	value := func(name string) json.RawMessage {
		if rapid.Bool().Draw(t, "no "+name) {
			return nil
		}
		v, err := json.Marshal(rapid.OneOf(
			rapid.Just[any](nil), rapid.Int().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(), rapid.SliceOfN(rapid.Int(), 2, 2).AsAny(),
			rapid.SliceOf(rapid.String()).AsAny(), rapid.MapOf(rapid.String(), rapid.Bool()).AsAny()).Draw(t, name))
		require.NoError(t, err)
		return v
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "events") {
		e := Event{Index: i, Time: time.Duration(i * 3), Process: rapid.IntRange(0, 4).Draw(t, "process")}
		if was, busy := open[e.Process]; busy && was.Type == Info {
			e.Process = i + 5
		}
		was, busy := open[e.Process]
		if !busy {
			e.Type, e.Value = Invoke, value("input")
			e.F = rapid.SampledFrom([]string{"read", "write", "cas", "add", "txn", "fetch & add"}).Draw(t, "f")
			e.Key = rapid.SampledFrom([]string{"", "k", "a \"b\"", "7", "é"}).Draw(t, "key")
			open[e.Process] = e
		} else {
			e.Type, e.F, e.Key, e.Value = Type(rapid.IntRange(2, 4).Draw(t, "type")), was.F, was.Key, value("output")
			e.Term, e.Revision = rapid.Uint64().Draw(t, "term"), rapid.Uint64().Draw(t, "revision")
			e.Err = rapid.String().Draw(t, "err")
			delete(open, e.Process)
			if e.Type == Info {
				open[e.Process] = e
			}
		}
		e.Node = rapid.SampledFrom([]string{"", "n1", "[::1]:80"}).Draw(t, "node")
		events = append(events, e)
	}
	return events
}

// TestExportRoundTrip: what is written in EDN or JSONL is read as the same operations. Nil in an
// invocation is nothing, and an answer that is nothing is nil or what was told, as Jepsen has it.
func TestExportRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := genClients(t)
		want, err := Pair(events)
		require.NoError(t, err)

		var file bytes.Buffer
		require.NoError(t, WriteJSONL(&file, events))
		h, err := Load("h.jsonl", &file)
		require.NoError(t, err)
		got, err := Pair(h.Events)
		require.NoError(t, err)
		require.Equal(t, want, got)

		file.Reset()
		require.NoError(t, WriteEDN(&file, events))
		text := file.String()
		h, err = Load("h.edn", &file)
		require.NoError(t, err, text)
		got, err = Pair(h.Events)
		require.NoError(t, err, text)
		for i := range want {
			op := &want[i]
			if string(op.Input) == "null" {
				op.Input = nil
			}
			if op.Type == OK && len(op.Output) == 0 && op.F != "add" && op.F != "txn" {
				op.Output = op.Input
			}
			if op.Type == OK && len(op.Output) == 0 && (len(op.Input) == 0 || op.F == "txn") {
				op.Output = json.RawMessage("null")
			}
		}
		require.Equal(t, want, got, text)
	})
}

func TestWriteEDN(t *testing.T) {
	var file bytes.Buffer
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	require.NoError(t, WriteEDN(&file, []Event{
		{Time: 1, Process: 2, Type: Invoke, F: "cas", Key: "k1", Value: raw(`[null,"a\/b"]`), Node: "n1"},
		{Index: 1, Time: 2, Process: Nemesis, Type: Info, F: "kill", Value: raw(`{"step":0, "a b":[]}`)},
		{Index: 2, Time: 3, Process: 2, Type: Fail, F: "cas", Key: "k1", Value: raw(`7`), Term: 3, Revision: 9, Err: "too late"},
		{Index: 3, Time: 4, Process: 2, Type: Invoke, F: "txn", Value: raw(`[["append","k",1],["r","k",null]]`)},
		{Index: 4, Time: 5, Process: 2, Type: OK, F: "txn", Value: raw(`[["append","k",1],["r","k",[1,-2.5e3]]]`)},
		{Index: 5, Time: 6, Process: 2, Type: Invoke, F: "add", Key: "c", Value: raw("2")},
		{Index: 6, Time: 7, Process: 2, Type: OK, F: "add", Key: "c", Value: raw("2")},
	}))
	require.Equal(t, `{:index 0, :time 1, :process 2, :type :invoke, :f :cas, :value ["k1" [nil "a/b"]], :key "k1", :node "n1"}
{:index 1, :time 2, :process :nemesis, :type :info, :f :kill, :value {:step 0 "a b" []}}
{:index 2, :time 3, :process 2, :type :fail, :f :cas, :value ["k1" [nil "a/b"]], :found 7, :key "k1", :term 3, :revision 9, :error "too late"}
{:index 3, :time 4, :process 2, :type :invoke, :f :txn, :value [[:append "k" 1] [:r "k" nil]]}
{:index 4, :time 5, :process 2, :type :ok, :f :txn, :value [[:append "k" 1] [:r "k" [1 -2.5e3]]]}
{:index 5, :time 6, :process 2, :type :invoke, :f :add, :value ["c" 2], :key "c"}
{:index 6, :time 7, :process 2, :type :ok, :f :add, :value ["c" 2], :found 2, :key "c"}
`, file.String())
	require.ErrorContains(t, WriteEDN(io.Discard, []Event{{Index: 3, Type: OK, Value: raw("[1")}}), `event 3: value "[1" is not JSON`)
	require.ErrorContains(t, WriteEDN(io.Discard, []Event{{Index: 3}}), `event 3: no event type 0`)
}

func TestWriteCSV(t *testing.T) {
	var file bytes.Buffer
	require.NoError(t, WriteCSV(&file, []Op{
		{Index: 4, Process: 1, F: "=1+1", Key: "-k", Input: json.RawMessage(`-5`), Output: json.RawMessage(`"=a,\"b"`), Type: OK, Call: 1, Return: 2, Term: 3},
		{Index: 5, F: "read", Type: Info, Call: 7, Return: Never, Node: "@n", Err: "two\nlines"},
	}))
	require.Equal(t, `index,process,f,key,input,output,type,call_ns,return_ns,node,term,revision,err
4,1,'=1+1,'-k,-5,"""=a,\""b""",ok,1,2,,3,,
5,0,read,,,,info,7,,'@n,,,"two
lines"
`, file.String())
	rows, err := csv.NewReader(&file).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 3)
}

// FuzzReadEDN: no input crashes it, and what it accepts survives a round trip.
func FuzzReadEDN(f *testing.F) {
	f.Add([]byte(`[{:process 0, :type :invoke, :f :read, :value [1 nil], :time 3, :index 0} #a.B{:process :nemesis :type :info :f :kill}]`))
	f.Add([]byte("{:process 0 :type :ok :f :x :value #jepsen.independent/tuple [\"k\" {:a #{\\a \\u0041 1/2 3N ##NaN}}] :error [:x \"\\n\"]} ; end\n#_ {}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := ReadEDN("h", bytes.NewReader(in))
		if err != nil {
			return
		}
		ops, err := Pair(h.Events)
		if err != nil {
			return
		}
		var file bytes.Buffer
		require.NoError(t, WriteEDN(&file, h.Events))
		text := file.String()
		again, err := ReadEDN("h", &file)
		require.NoError(t, err, text)
		same, err := Pair(again.Events)
		require.NoError(t, err, text)
		require.Len(t, same, len(ops), text)
		for i := range ops {
			require.Equal(t, ops[i].Key, same[i].Key, text)
			require.Equal(t, ops[i].Type, same[i].Type, text)
		}
		require.NoError(t, WriteCSV(io.Discard, ops))
	})
}

// FuzzLoad: no input crashes it, whatever form it seems to have.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("INFO  jepsen.util - 4\t:invoke\t:cas\t[3 0]\nINFO  jepsen.util - 4\t:fail\t:cas\t:timed-out\n"))
	f.Add([]byte(okLine))
	f.Add([]byte("{:process 0 :type :invoke :f :get :key \"0\" :value nil}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := Load("h", bytes.NewReader(in))
		if err == nil {
			require.NoError(t, WriteJSONL(io.Discard, h.Events))
		}
	})
}
