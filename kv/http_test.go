package kv

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Three keys as JSON has them.
const a64, b64, n64 = `"YQ=="`, `"Yg=="`, `"bg=="`

// TestKeys is a conversation about keys.
func TestKeys(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/ready", "")
	long, big := strings.Repeat("k", MaxKeyBytes), strings.Repeat("v", MaxValueBytes)
	for _, step := range []struct {
		method, path, body string
		code               int
		found, text        string // Kv-Found and body
	}{
		{"GET", "/kv/a", "", 404, "false", ""},
		{"PUT", "/kv/a", "1", 200, "true", ""},
		{"GET", "/kv/a", "", 200, "true", "1"},
		{"GET", "/kv/a?mode=lease", "", 200, "true", "1"},
		{"GET", "/kv/a?mode=local", "", 200, "true", "1"},
		{"GET", "/kv/a?mode=linearizable", "", 200, "true", "1"},
		{"PUT", "/kv/a?old=2", "3", 412, "true", "1"},
		{"PUT", "/kv/a?old=1", "2", 200, "true", ""},
		{"PUT", "/kv/a?absent", "3", 412, "true", "2"},
		{"PUT", "/kv/b?absent", "3", 200, "true", ""},
		{"PUT", "/kv/c?old=1", "3", 412, "false", ""},
		{"PUT", "/kv/c?old=", "3", 412, "false", ""},
		{"PUT", "/kv/c?rev=7", "3", 412, "false", ""},
		{"PUT", "/kv/c?rev=0", "3", 200, "true", ""},
		{"DELETE", "/kv/c?old=4", "", 412, "true", "3"},
		{"DELETE", "/kv/c?rev=1", "", 412, "true", "3"},
		{"DELETE", "/kv/c?old=3", "", 200, "true", ""},
		{"DELETE", "/kv/c", "", 200, "true", ""},
		{"GET", "/kv/c", "", 404, "false", ""},
		{"POST", "/kv/l?append", "x", 200, "true", ""},
		{"POST", "/kv/l?append", "\x00y", 200, "true", ""},
		{"GET", "/kv/l", "", 200, "true", "x\x00y"},
		{"POST", "/kv/n?add=7", "", 200, "true", "7"},
		{"POST", "/kv/n?add=-9", "", 200, "true", "-2"},
		{"GET", "/kv/n", "", 200, "true", "-2"},
		{"PUT", "/kv/%00%ff%2F..%2F%3F", "\x00\xff", 200, "true", ""},
		{"GET", "/kv/%00%FF%2f..%2F%3f", "", 200, "true", "\x00\xff"},
		{"PUT", "/kv/a//b", "slashes", 200, "true", ""},
		{"GET", "/kv/a//b", "", 200, "true", "slashes"},
		{"PUT", "/kv/..", "up", 200, "true", ""},
		{"GET", "/kv/%2e%2e", "", 200, "true", "up"},
		{"PUT", "/kv/a/../b", "dots", 200, "true", ""},
		{"GET", "/kv/b", "", 200, "true", "3"},
		{"PUT", "/kv/empty", "", 200, "true", ""},
		{"GET", "/kv/empty", "", 200, "true", ""},
		{"PUT", "/kv/empty?old=", "full", 200, "true", ""},
		{"PUT", "/kv/" + long, big, 200, "true", ""},
		{"GET", "/kv/" + long, "", 200, "true", big},
	} {
		name := step.method + " " + step.path[:min(len(step.path), 30)]
		code, h, body := c.do(1, step.method, step.path, step.body)
		require.Equal(t, step.code, code, "%s: %.200s", name, body)
		require.Equal(t, "1", h.Get("Kv-Node"), name)
		require.Equal(t, step.found, h.Get("Kv-Found"), name)
		require.Equal(t, step.found == "true", h.Get("Kv-Revision") != "0", name)
		require.NotEqual(t, "0", h.Get("Kv-Term"), name)
		require.True(t, step.text == body, "%s: %.200s", name, body)
	}
	s := c.status(1)
	require.Equal(t, "leader", s.Role)
	require.Equal(t, s.Commit, s.Applied)
	require.Len(t, s.Hash, 16)
}

// TestTransactions is a conversation in JSON.
func TestTransactions(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/a", "1")
	h, _ := c.must(http.StatusOK, 1, "PUT", "/kv/b", "2")
	rev := h.Get("Kv-Revision")
	for _, step := range []struct{ body, answer string }{
		{`{"then":[{"op":"get","key":` + a64 + `}]}`, `true "1"`},
		{`{"if":[{"key":` + a64 + `,"value":"MQ=="},{"key":` + b64 + `,"rev":` + rev + `}],
		   "then":[{"op":"put","key":` + a64 + `,"value":"Mg=="},{"op":"get","key":` + a64 + `}],"else":[]}`, `true "", "2"`},
		{`{"if":[{"key":` + a64 + `,"value":"MQ=="}],"then":[{"op":"delete","key":` + a64 + `}],"else":[{"op":"get","key":` + b64 + `}]}`, `false "2"`},
		{`{"if":[{"key":` + n64 + `,"rev":0}],"then":[{"op":"add","key":` + n64 + `,"delta":-4},{"op":"append","key":` + n64 + `,"value":"Mg=="}]}`, `true "-4", ""`},
		{`{"then":[{"op":"get","key":` + n64 + `}]}`, `true "-42"`},
		{`{"if":[{"key":` + n64 + `}],"then":[{"op":"delete","key":` + n64 + `}]}`, `false`}, // the empty value
	} {
		code, _, body := c.do(1, "POST", "/txn", step.body)
		require.Equal(t, http.StatusOK, code, "%s: %s", step.body, body)
		var got struct {
			Succeeded bool
			Results   []Result
		}
		require.NoError(t, decodeJSON([]byte(body), &got), body)
		text := fmt.Sprint(got.Succeeded)
		for i, r := range got.Results {
			text += map[bool]string{true: " ", false: ", "}[i == 0] + fmt.Sprintf("%q", r.Value)
			require.NotZero(t, r.Rev)
		}
		require.Equal(t, step.answer, text, step.body)
	}
}

// TestRefusals: whatever is wrong with a request, the answer says so, and that nothing was done.
func TestRefusals(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/text", "no number")
	c.must(http.StatusOK, 1, "POST", "/kv/max?add=9223372036854775807", "")
	c.must(http.StatusOK, 1, "PUT", "/kv/big", strings.Repeat("v", MaxValueBytes))
	before := c.status(1).Hash
	key := strings.Repeat("k", MaxKeyBytes+1)
	for _, bad := range []struct {
		method, path, body string
		code               int
		name               string
	}{
		{"GET", "/kv/", "", 400, CodeBadRequest},
		{"POST", "/kv/a", "", 400, CodeBadRequest},
		{"GET", "/kv/a?mode=quick", "", 400, CodeBadRequest},
		{"PUT", "/kv/a?mode=local", "", 400, CodeBadRequest},
		{"PUT", "/kv/a?odl=1", "", 400, CodeBadRequest},
		{"PUT", "/kv/a?rev=-1", "", 400, CodeBadRequest},
		{"PUT", "/kv/a?rev=1&old=1", "", 400, CodeBadRequest},
		{"PUT", "/kv/a?rev=1&rev=2", "", 400, CodeBadRequest},
		{"PUT", "/kv/a?old=%zz", "", 400, CodeBadRequest},
		{"DELETE", "/kv/a?absent", "", 400, CodeBadRequest},
		{"GET", "/kv/a?rev=1", "", 400, CodeBadRequest},
		{"POST", "/kv/a?add=1e3", "", 400, CodeBadRequest},
		{"POST", "/kv/a?add=9223372036854775808", "", 400, CodeBadRequest},
		{"POST", "/kv/text?add=1", "", 400, CodeNotANumber},
		{"POST", "/kv/max?add=1", "", 400, CodeNotANumber},
		{"POST", "/kv/big?append", "v", 413, CodeValueTooLarge},
		{"PUT", "/kv/" + key, "", 413, CodeKeyTooLarge},
		{"GET", "/kv/" + key, "", 413, CodeKeyTooLarge},
		{"PUT", "/kv/a", strings.Repeat("v", MaxValueBytes+1), 413, CodeValueTooLarge},
		{"POST", "/txn", "", 400, CodeBadRequest},
		{"POST", "/txn", "{", 400, CodeBadRequest},
		{"POST", "/txn", "{}", 400, CodeBadRequest},
		{"POST", "/txn", `{"then":[{"op":"put","key":"not base 64"}]}`, 400, CodeBadRequest},
		{"POST", "/txn", `{"then":[{"op":"put","key":` + a64 + `}],"unless":[]}`, 400, CodeBadRequest},
		{"POST", "/txn", `{"then":[{"op":"put","key":` + a64 + `}]}{}`, 400, CodeBadRequest},
		{"POST", "/txn", `{"then":[{"op":"put","key":` + a64 + `},{"op":"open"}]}`, 400, CodeBadRequest},
		{"POST", "/txn", `{"session":1,"then":[{"op":"put","key":` + a64 + `}]}`, 400, CodeBadRequest},
		{"POST", "/txn", `{"seq":1,"then":[{"op":"put","key":` + a64 + `}]}`, 400, CodeBadRequest},
		{"POST", "/txn", strings.Repeat(" ", MaxTxnBytes+1), 413, CodeValueTooLarge},
		{"POST", "/members", "", 400, CodeBadRequest},
		{"POST", "/members?addr=nowhere", "", 400, CodeBadRequest},
		{"POST", "/members?addr=a:1&replace=x", "", 400, CodeBadRequest},
		{"POST", "/members?addr=a:1&replace=0", "", 400, CodeBadRequest},
		{"POST", "/members?addr=a:1&replace=9", "", 400, CodeBadRequest},
		{"POST", "/members?addr=" + c.peers[1], "", 400, CodeBadRequest},
		{"POST", "/members/9/promote", "", 400, CodeBadRequest},
		{"POST", "/members/1/promote", "", 400, CodeBadRequest},
		{"POST", "/members/-1/promote", "", 400, CodeBadRequest},
		{"DELETE", "/members/9", "", 400, CodeBadRequest},
		{"DELETE", "/members/x", "", 400, CodeBadRequest},
		{"DELETE", "/members/1", "", 409, CodeNotReady},
		{"POST", "/leader/9", "", 400, CodeBadRequest},
		{"POST", "/leader/18446744073709551616", "", 400, CodeBadRequest},
		{"GET", "/", "", 400, CodeBadRequest},
		{"POST", "/status", "", 400, CodeBadRequest},
		{"GET", "/raft", "", 400, CodeBadRequest},
		{"POST", "/raft", "garbage", 400, CodeBadRequest},
	} {
		name := bad.method + " " + bad.path[:min(len(bad.path), 30)] + " " + bad.body[:min(len(bad.body), 80)]
		code, h, body := c.do(1, bad.method, bad.path, bad.body)
		require.Equal(t, bad.code, code, "%s: %s", name, body)
		require.Equal(t, "1", h.Get("Kv-Node"), name)
		require.Empty(t, h.Get("Kv-Found"), name)
		requireRefusal(t, body, bad.name, true)
	}
	require.Equal(t, before, c.status(1).Hash, "nothing was done")
}

// TestBadSessions: a session goes with a sequence. Of one that is not known nobody knows what it did.
func TestBadSessions(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/ready", "")
	for _, bad := range []struct {
		session, seq string
		code         int
		name         string
		definite     bool
	}{
		{"1", "", 400, CodeBadRequest, true},
		{"", "1", 400, CodeBadRequest, true},
		{"x", "1", 400, CodeBadRequest, true},
		{"1", "-1", 400, CodeBadRequest, true},
		{"9", "0", 400, CodeBadRequest, true},
		{"999", "1", 409, CodeNoSession, false},
	} {
		code, _, body := c.do(1, "PUT", "/kv/a", "", "Kv-Session", bad.session, "Kv-Sequence", bad.seq)
		require.Equal(t, bad.code, code, body)
		requireRefusal(t, body, bad.name, bad.definite)
	}
}

func requireRefusal(t *testing.T, body, code string, definite bool) {
	var e Error
	require.NoError(t, json.Unmarshal([]byte(body), &e), body)
	require.Equal(t, code, e.Code, body)
	require.Equal(t, definite, e.Definite, body)
	require.NotEmpty(t, e.Text)
}

// TestOverload: of too many open requests the last is refused, and a client that has gone does not count.
func TestOverload(t *testing.T) {
	n := &Node{cfg: Config{CoreConfig: CoreConfig{Logger: discard()}}}
	n.open.Store(MaxOpenRequests)
	n.ready.Store(true)
	n.mux = n.routes()
	w := httptest.NewRecorder()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/kv/a", nil)
	require.NoError(t, err)
	n.ServeHTTP(w, r)
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	requireRefusal(t, w.Body.String(), CodeOverloaded, true)
	require.Equal(t, int64(MaxOpenRequests), n.open.Load())
}
