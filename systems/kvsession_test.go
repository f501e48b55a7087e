package systems

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/cluster"
	"ordeal/history"
)

// scripted is a number of nodes that answer what a script says, one step a request whichever node it
// comes to, and write down what they were sent.
type scripted struct {
	mu     sync.Mutex
	script []string
	got    []string
}

// Steps of a script; every other one is "status body", or "status@revision body" if the answer is about a key.
const (
	dropped = "drop" // the connection ends without an answer
	silence = "hang" // there is no answer until the client has gone
)

func (s *scripted) serve(w http.ResponseWriter, r *http.Request, node int) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.got = append(s.got, strings.TrimSpace(fmt.Sprintf("n%d %s %s %s/%s %s",
		node, r.Method, r.RequestURI, r.Header.Get("Kv-Session"), r.Header.Get("Kv-Sequence"), body)))
	step := `200 {"session":7}`
	if r.URL.Path != "/sessions" || len(s.script) > 0 && strings.HasPrefix(s.script[0], "open ") {
		step = "500"
		if len(s.script) > 0 {
			step, s.script = strings.TrimPrefix(s.script[0], "open "), s.script[1:]
		}
	}
	s.mu.Unlock()
	switch step {
	case dropped:
		panic(http.ErrAbortHandler)
	case silence:
		<-r.Context().Done()
		return
	}
	head, text, _ := strings.Cut(step, " ")
	head, revision, found := strings.Cut(head, "@")
	if found {
		w.Header().Set("Kv-Revision", revision)
		w.Header().Set("Kv-Found", strconv.FormatBool(revision != "0"))
	}
	status, err := strconv.Atoi(head)
	if err != nil {
		panic(err)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// client is one of n nodes.
func (s *scripted) client(t *testing.T, n int) *kvClient {
	c := &kvClient{operations: kvOperations("")}
	for i := range n {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, i+1) }))
		t.Cleanup(server.Close)
		c.nodes = append(c.nodes, kvPeer{fmt.Sprint("n", i+1), httpConn{addr: server.Listener.Addr().String()}})
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// sent is what came so far.
func (s *scripted) sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

func refusal(status int, code string, definite bool) string {
	return fmt.Sprintf(`%d {"code":%q,"definite":%v}`, status, code, definite)
}

func TestWhatASessionMakesOfAnswers(t *testing.T) {
	noLeader, timeout := refusal(503, "no-leader", true), refusal(504, "timeout", false)
	for _, c := range []struct {
		name     string
		script   []string
		want     history.Type
		value    string
		err      string
		attempts int // of the operation itself; 0 is any number from 2
	}{
		{"an answer", []string{"200 12"}, history.OK, "12", "", 1},
		{"a refusal of the first attempt", []string{noLeader}, history.Fail, "", "no-leader", 1},
		{"no answer, then one", []string{dropped, "200 12"}, history.OK, "12", "", 2},
		{"a hang, then an answer", []string{silence, "200 12"}, history.OK, "12", "", 2},
		{"an error without a promise, then an answer", []string{timeout, "200 12"}, history.OK, "12", "", 2},
		{"an error without a word, then an answer", []string{"500", "502 <html>", "200 12"}, history.OK, "12", "", 3},
		{"no answer, then a refusal, then an answer", []string{dropped, noLeader, "200 12"}, history.OK, "12", "", 3},
		{"no answer, then refusals until the end", []string{timeout, noLeader, noLeader, noLeader, noLeader, noLeader, noLeader, noLeader,
			noLeader, noLeader, noLeader, noLeader, noLeader, noLeader, noLeader, noLeader, noLeader, noLeader, noLeader, silence, silence, silence}, history.Info, "", "timeout (after", 0},
		{"never an answer", []string{silence, silence, silence, silence, silence, silence, silence, silence}, history.Info, "", "", 0},
		{"no session at the first attempt", []string{refusal(409, "no-session", false)}, history.Info, "", "the session is over: no-session", 1},
		{"no session, as a promise", []string{refusal(409, "no-session", true)}, history.Fail, "", "the session is over: no-session", 1},
		{"no answer, then no session", []string{timeout, refusal(409, "no-session", false)}, history.Info, "", "timeout (after 2", 2},
		{"no answer, then a promise about a session", []string{timeout, refusal(409, "no-session", true)}, history.Info, "", "timeout (after 2", 2},
		{"no answer, then a stale sequence", []string{timeout, refusal(409, "stale-sequence", false)}, history.Info, "", "timeout (after 2", 2},
		{"a session that does not open", []string{"open " + timeout}, history.Fail, "", "open a session: timeout", -1},
		{"a session without a number", []string{`open 200 {"session":"7"}`}, history.Fail, "", "names no session", -1},
		{"a session that nobody answers", []string{"open " + dropped}, history.Fail, "", "open a session", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &scripted{script: c.script}
			client := s.client(t, 3)
			patience := 3 * time.Second
			if c.attempts == 0 {
				patience = 400 * time.Millisecond // it is what ends the attempts
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			done, err := client.Invoke(ctx, history.Event{F: "add", Key: "k", Value: json.RawMessage("3"), Node: "n1"})
			require.Equal(t, c.want, history.Outcome(err), "%v", err)
			require.Equal(t, c.value, string(done.Value))
			if err != nil {
				require.ErrorContains(t, err, c.err)
			}
			sent := s.sent()
			require.Equal(t, "n1 POST /sessions /", sent[0])
			switch attempts := sent[1:]; {
			case c.attempts < 0:
				require.Empty(t, attempts)
			case c.attempts == 0:
				require.Greater(t, len(attempts), 1)
			default:
				require.Len(t, attempts, c.attempts)
			}
			for i, got := range sent[1:] {
				require.Equal(t, fmt.Sprintf("n%d POST /kv/k?add=3 7/1", i%3+1), got, "the same again, to the next node")
			}
		})
	}
}

func TestASessionGoesOnUntilItIsOver(t *testing.T) {
	gone := refusal(409, "no-session", false)
	s := &scripted{script: []string{"200", refusal(503, "no-leader", true), "200", gone, "200"}}
	client := s.client(t, 1)
	for i, want := range []history.Type{history.OK, history.Fail, history.OK, history.Info, history.OK} {
		_, err := client.Invoke(t.Context(), history.Event{F: "append", Key: "k", Value: json.RawMessage(fmt.Sprint(i))})
		require.Equal(t, want, history.Outcome(err), "%d: %v", i, err)
	}
	require.Equal(t, []string{
		"n1 POST /sessions /",
		"n1 POST /kv/k?append 7/1 0,",
		"n1 POST /kv/k?append 7/2 1,",
		"n1 POST /kv/k?append 7/3 2,",
		"n1 POST /kv/k?append 7/4 3,",
		"n1 POST /sessions /",
		"n1 POST /kv/k?append 7/1 4,",
	}, s.sent())
}

func TestRegistersAreSentOnceAndWithoutASession(t *testing.T) {
	for _, op := range []history.Event{
		{F: "read", Key: "k"},
		{F: "write", Key: "k", Value: json.RawMessage("1")},
		{F: "cas", Key: "k", Value: json.RawMessage("[1,2]")},
	} {
		for _, step := range []string{dropped, "500", refusal(504, "timeout", false), refusal(503, "no-leader", true)} {
			s := &scripted{script: []string{step, "200 1"}}
			_, err := s.client(t, 3).Invoke(t.Context(), op)
			require.Error(t, err)
			require.Len(t, s.sent(), 1)
			require.NotContains(t, s.sent()[0], "7", "the number of a session")
		}
	}
}

func TestARefusedConnectionIsDefiniteOnlyAtFirst(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	nobody := kvPeer{"n2", httpConn{addr: l.Addr().String()}}

	s := &scripted{script: []string{dropped, "200 5"}}
	client := s.client(t, 1)
	client.nodes = append(client.nodes, nobody)
	done, err := client.Invoke(t.Context(), history.Event{F: "add", Key: "k", Value: json.RawMessage("5")})
	require.NoError(t, err)
	require.Equal(t, "5", string(done.Value), "n1 drops it, n2 is down, n1 answers")

	client.nodes[0], client.nodes[1] = client.nodes[1], client.nodes[0]
	_, err = client.Invoke(t.Context(), history.Event{F: "add", Key: "k", Value: json.RawMessage("5")})
	require.ErrorIs(t, err, history.ErrNotApplied)
}

func TestAClientTurnsToTheNodesAfterItsOwn(t *testing.T) {
	spec := cluster.NodeSpec{ID: "n2", Index: 2, Addr: netip.MustParseAddr("10.77.0.2")}
	for i := range 3 {
		spec.Peers = append(spec.Peers, cluster.Peer{ID: fmt.Sprint("n", i+1), Addr: netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)})})
	}
	var nodes []string
	for _, p := range newKVClient(spec, "").nodes {
		nodes = append(nodes, p.id+" "+p.conn.addr)
	}
	require.Equal(t, []string{"n2 10.77.0.2:7100", "n3 10.77.0.3:7100", "n1 10.77.0.1:7100"}, nodes)
}
