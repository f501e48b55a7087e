package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const okLine = `{"index":0,"time":5,"process":1,"type":"invoke","f":"read","key":"k1"}`

func TestReadSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"index":1,"time":5,"process":1,"type":"ok","f":"read"}`, `h.jsonl:1: field "index": 1 where 0 should follow`},
		{okLine + "\n" + okLine + "\n", `h.jsonl:2: field "index": 0 where 1 should follow`},
		{`{"index":0,"time":-5,"process":1,"type":"ok","f":"read"}`, `h.jsonl:1: field "time": -5 is below 0`},
		{`{"index":0,"time":1.5,"process":1,"type":"ok","f":"read"}`, `h.jsonl:1: field "time": "1.5" is not an integer of 64 bits`},
		{`{"index":0,"time":99999999999999999999,"process":1,"type":"ok","f":"read"}`, `field "time": "99999999999999999999" is not`},
		{`{"index":0,"time":"x","process":1,"type":"ok","f":"read"}`, `field "time": "\"x\"" is not an integer`},
		{`{"index":0,"time":01,"process":1,"type":"ok","f":"read"}`, `field "time": "01" is not`},
		{`{"index":0,"time":5,"process":-3,"type":"ok","f":"read"}`, `field "process": -3 is below -2`},
		{`{"index":0,"time":5,"process":1,"type":"okay","f":"read"}`, `field "type": type "okay" is none of invoke, ok, fail, info`},
		{`{"index":0,"time":5,"process":1,"type":3,"f":"read"}`, `field "type": "3" is not a string`},
		{`{"index":0,"time":5,"process":1,"type":"ok","f":""}`, `field "f": empty`},
		{`{"index":0,"time":5,"process":1,"type":"ok"}`, `field "f": missing`},
		{`{"index":0,"time":5,"process":1,"type":"ok","f":"read","F":1}`, `field "F": unknown`},
		{`{"index":0,"time":5,"process":1,"type":"ok","f":"read","f":"read"}`, `field "f": given twice`},
		{`{"index":0,"time":5,"process":1,"type":"ok","f":"read","term":-1}`, `field "term": "-1" is not an unsigned`},
		{okLine + "x", `h.jsonl:1: `},
		{okLine + "\n\n" + okLine, `h.jsonl:2: not a complete JSON object`},
		{`{"index":0,"ti` + "\n" + okLine + "\n", `h.jsonl:1: not a complete JSON object`},
		{`[1]`, `h.jsonl:1: not a complete JSON object`},
		{`{"index":0,"time":5,"process":1,"type":"ok","f":"read","value":[1,}` + "\n", `field "value": "[1,}" is not JSON`},
		{strings.Repeat("x", lineBytesMax+1), `h.jsonl:1: the line is longer than 16 MiB`},
	} {
		_, err := Read("h.jsonl", strings.NewReader(c.in+"\n"))
		require.ErrorContains(t, err, c.want)
		var se *SyntaxError
		require.True(t, errors.As(err, &se))
	}
}

func TestReadForgivesOnlyATornEnd(t *testing.T) {
	for cut := 1; cut < len(okLine)-1; cut++ {
		h, err := Read("h", strings.NewReader(okLine+"\n"+okLine[:cut]))
		require.NoError(t, err, "cut at %d", cut)
		require.Len(t, h.Events, 1)
		require.Contains(t, h.Torn, fmt.Sprintf("line 2 is cut off after %d bytes", cut))
	}
	h, err := Read("h", strings.NewReader(okLine))
	require.NoError(t, err)
	require.Empty(t, h.Torn, "only its newline is missing")
	require.Len(t, h.Events, 1)

	_, err = Read("h", io.MultiReader(strings.NewReader(okLine+"\n"), iotest.ErrReader(errFull)))
	require.ErrorIs(t, err, errFull)
}

func TestNullIsAValueAndNothingIsNone(t *testing.T) {
	h, err := Read("h", strings.NewReader(
		`{"index":0,"time":0,"process":0,"type":"ok","f":"read","value":null}`+"\n"+
			`{"index":1,"time":0,"process":0,"type":"ok","f":"read"}`+"\n"))
	require.NoError(t, err)
	require.Equal(t, "null", string(h.Events[0].Value))
	require.Nil(t, h.Events[1].Value)
}

func genEvent(t *rapid.T, index int) Event {
	var value json.RawMessage
	if rapid.Bool().Draw(t, "has value") {
		v, err := json.Marshal(rapid.OneOf(
			rapid.Just[any](nil), rapid.Int().AsAny(), rapid.String().AsAny(), rapid.SliceOf(rapid.String()).AsAny(),
			rapid.MapOf(rapid.String(), rapid.Bool()).AsAny()).Draw(t, "value"))
		require.NoError(t, err)
		value = v
	}
	return Event{
		Index: index, Time: time.Duration(rapid.Int64Range(0, int64(timeMax)).Draw(t, "time")), Process: rapid.IntMin(-2).Draw(t, "process"),
		Type: Type(rapid.IntRange(1, 4).Draw(t, "type")), F: rapid.StringN(1, -1, -1).Draw(t, "f"), Key: rapid.String().Draw(t, "key"),
		Value: value, Node: rapid.String().Draw(t, "node"), Term: rapid.Uint64().Draw(t, "term"),
		Revision: rapid.Uint64().Draw(t, "revision"), Err: rapid.String().Draw(t, "err"),
	}
}

func TestJSONLRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var file, std []byte
		var events []Event
		for i := range rapid.IntRange(0, 5).Draw(t, "events") {
			e := genEvent(t, i)
			events = append(events, e)
			var err error
			file, err = AppendJSON(file, e)
			require.NoError(t, err)
			line, err := json.Marshal(e)
			require.NoError(t, err)
			std = append(append(std, line...), '\n')
		}
		for _, form := range [][]byte{file, std} {
			h, err := Read("h", bytes.NewReader(form))
			require.NoError(t, err)
			require.Empty(t, h.Torn)
			require.Equal(t, events, h.Events)
		}
	})
}

// FuzzRead: no input crashes Read; what it accepts encoding/json accepts too, and survives a round.
func FuzzRead(f *testing.F) {
	f.Add([]byte(okLine))
	f.Add([]byte(okLine + "\n" + `{"index":1,"time":9,"process":-1,"type":"info","f":"kill","value":{"step":0,"phase":"begin"}}` + "\n"))
	f.Add([]byte(`{"index":0,"time":0,"process":0,"type":"ok","f":"r\u00e9","value":"a\"}{","err":"` + "\xff" + `"}` + "\n"))
	f.Add([]byte(`{ "index" : 0 , "time":0,"process":0,"type":"ok","f":"r","value": [ 1 , {"a":"]"} ] }` + "\r\n{\"in"))
	f.Add([]byte(`{"index":0,"time":1e3,"process":0,"type":"ok","f":"r","value":-}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := Read("h", bytes.NewReader(data))
		if err != nil {
			return
		}
		var again []byte
		rest := data
		for _, e := range h.Events {
			line, after, _ := bytes.Cut(rest, []byte("\n"))
			rest = after
			dec := json.NewDecoder(bytes.NewReader(line))
			dec.DisallowUnknownFields()
			var std Event
			require.NoError(t, dec.Decode(&std))
			require.Equal(t, std, e)
			again, err = AppendJSON(again, e)
			require.NoError(t, err)
		}
		h2, err := Read("h", bytes.NewReader(again))
		require.NoError(t, err)
		require.Len(t, h2.Events, len(h.Events))
	})
}

func typicalFile(b *testing.B, n int) []byte {
	var file []byte
	for i := range n {
		e := Event{Index: i, Time: time.Duration(i) * 1000, Process: i % 20, Type: Type(1 + i%2), F: "write", Key: fmt.Sprintf("k%d", i/400),
			Value: json.RawMessage(fmt.Sprintf(`"c%d-%d"`, i%20, i)), Node: "n2", Term: 4, Revision: uint64(i)}
		var err error
		if file, err = AppendJSON(file, e); err != nil {
			b.Fatal(err)
		}
	}
	return file
}

func BenchmarkRead(b *testing.B) {
	const n = 100_000
	file := typicalFile(b, n)
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		h, err := Read("h", bytes.NewReader(file))
		if err != nil || len(h.Events) != n {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAppendJSON(b *testing.B) {
	e := Event{Index: 7, Process: 3, Type: OK, F: "write", Key: "k17", Value: json.RawMessage(`"c3-1234"`), Node: "n2", Term: 4, Revision: 99}
	var buf []byte
	for b.Loop() {
		buf, _ = AppendJSON(buf[:0], e)
	}
}
