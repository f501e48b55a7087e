package systems

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

func TestKVAnswers(t *testing.T) {
	answered := map[string]kvAnswered{"read": value, "append": accepted, "add": value, "write": accepted, "cas": compared}
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
			done, err := answered[c.f](history.Event{F: c.f, Value: json.RawMessage("1")}, c.a)
			require.Equal(t, c.want, history.Outcome(err))
			require.Equal(t, c.value, string(done.Value))
			if err != nil && errors.Is(err, history.ErrNotApplied) {
				require.NotEqual(t, history.Info, history.Outcome(err))
			}
		})
	}
}
