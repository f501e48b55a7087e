package systems

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

func TestKVRequests(t *testing.T) {
	for _, c := range []struct {
		op                   history.Event
		method, target, body string
	}{
		{history.Event{F: "read", Key: "k1"}, "GET", "/kv/k1", ""},
		{history.Event{F: "write", Key: "a/b c", Value: json.RawMessage(`"x"`)}, "PUT", "/kv/a%2Fb%20c", `"x"`},
		{history.Event{F: "cas", Key: "k", Value: json.RawMessage(`["a&b",2]`)}, "PUT", "/kv/k?old=%22a%26b%22", "2"},
		{history.Event{F: "cas", Key: "k", Value: json.RawMessage(`[null,2]`)}, "PUT", "/kv/k?absent", "2"},
		{history.Event{F: "append", Key: "k", Value: json.RawMessage(`5`)}, "POST", "/kv/k?append", "5,"},
		{history.Event{F: "append", Key: "k", Value: json.RawMessage(`"a,b"`)}, "POST", "/kv/k?append", `"a,b",`},
		{history.Event{F: "add", Key: "k", Value: json.RawMessage(`-3`)}, "POST", "/kv/k?add=-3", ""},
	} {
		r, err := newKVRequest(c.op)
		require.NoError(t, err)
		require.Equal(t, []string{c.method, c.target, c.body}, []string{r.method, r.target, string(r.body)})
	}
	for _, op := range []history.Event{
		{F: "cas", Value: json.RawMessage(`7`)}, {F: "enqueue"}, {F: "append"}, {F: "append", Value: json.RawMessage(`1,2`)},
		{F: "add", Value: json.RawMessage(`1.5`)}, {F: "add", Value: json.RawMessage(`"1"`)}, {F: "add"},
	} {
		_, err := newKVRequest(op)
		require.ErrorContains(t, err, op.F)
		done, err := (&kvClient{}).Invoke(t.Context(), op)
		require.ErrorIs(t, err, history.ErrNotApplied)
		require.Nil(t, done.Value)
	}
}

func TestKVAnswers(t *testing.T) {
	found := func(s string) http.Header {
		return http.Header{"Kv-Found": {s}, "Kv-Term": {"4"}, "Kv-Revision": {"99"}}
	}
	for _, c := range []struct {
		name, f string
		a       answer
		want    history.Type
		value   string // "" is none
	}{
		{"a value", "read", answer{200, found("true"), []byte("7")}, history.OK, "7"},
		{"nothing there", "read", answer{404, found("false"), nil}, history.OK, "null"},
		{"no such page", "read", answer{404, http.Header{}, []byte("404 page not found")}, history.Info, ""},
		{"bytes that are no JSON", "read", answer{200, found("true"), []byte("<script>")}, history.OK, "\"\\u003cscript\\u003e\""},
		{"a list", "read", answer{200, found("true"), []byte("1,2,30,")}, history.OK, "[1,2,30]"},
		{"a list of one", "read", answer{200, found("true"), []byte("1,")}, history.OK, "[1]"},
		{"what only ends like a list", "read", answer{200, found("true"), []byte("1],[2,")}, history.OK, `"1],[2,"`},
		{"commas alone", "read", answer{200, found("true"), []byte(",")}, history.OK, `","`},
		{"a list with a hole", "read", answer{200, found("true"), []byte("1,,2,")}, history.OK, `"1,,2,"`},
		{"a list without an end", "read", answer{200, found("true"), []byte("1,2")}, history.OK, `"1,2"`},
		{"nothing but the key", "read", answer{200, found("true"), nil}, history.OK, `""`},
		{"an append", "append", answer{200, found("true"), nil}, history.OK, "1"},
		{"a sum", "add", answer{200, found("true"), []byte("-12")}, history.OK, "-12"},
		{"no sum", "add", answer{200, found("true"), []byte("twelve")}, history.OK, `"twelve"`},
		{"a write", "write", answer{200, found("true"), nil}, history.OK, "1"},
		{"a cas that found another value", "cas", answer{412, found("true"), []byte("5")}, history.Fail, "5"},
		{"a cas that found nothing", "cas", answer{412, found("false"), nil}, history.Fail, "null"},
		{"a promise", "cas", answer{503, found(""), []byte(`{"code":"no-leader","definite":true}`)}, history.Fail, ""},
		{"no promise", "write", answer{504, found(""), []byte(`{"code":"timeout","definite":false}`)}, history.Info, ""},
		{"an error without a word", "write", answer{500, found(""), nil}, history.Info, ""},
		{"an error that lies about its type", "write", answer{500, found(""), []byte(`{"definite":"true"}`)}, history.Info, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			node := kvPeer{id: "n2"}
			done, err := node.complete(history.Event{F: c.f, Value: json.RawMessage("1")}, c.a)
			require.Equal(t, c.want, history.Outcome(err))
			require.Equal(t, c.value, string(done.Value))
			require.Equal(t, "n2", done.Node)
			if err != nil && errors.Is(err, history.ErrNotApplied) {
				require.NotEqual(t, history.Info, history.Outcome(err))
			}
		})
	}
}
