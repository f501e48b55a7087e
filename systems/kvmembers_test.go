package systems

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/cluster"
)

// mimic is three kv nodes as far as their members go: what the API of package kv says, in one place.
type mimic struct {
	specs   []cluster.NodeSpec
	members map[string]string // id → host:port
	leader  uint64
	ids     []uint64 // of the nodes, in order
	codes   []string // what a node answers everything with, "" if it serves
	voters  []uint64
	status  string // answered in place of a status, unless ""
	asked   []string
}

func newMimic(t *testing.T) *mimic {
	m := &mimic{members: map[string]string{}, leader: 7, ids: []uint64{1, 7, 3}, codes: make([]string, 3), voters: []uint64{1, 3, 7}}
	var peers []cluster.Peer
	for i := range 3 {
		peers = append(peers, cluster.Peer{ID: fmt.Sprintf("n%d", i+1), Addr: netip.AddrFrom4([4]byte{127, 0, 77, byte(i + 1)})})
	}
	for i, p := range peers {
		m.specs = append(m.specs, cluster.NodeSpec{ID: p.ID, Index: i + 1, Addr: p.Addr, Peers: peers})
		m.members[strconv.FormatUint(m.ids[i], 10)] = kvAddrOf(p.Addr)
		l, err := net.Listen("tcp", kvAddrOf(p.Addr))
		require.NoError(t, err)
		s := httptest.NewUnstartedServer(m.node(i))
		_ = s.Listener.Close() // ours takes its place
		s.Listener = l
		s.Start()
		t.Cleanup(s.Close)
	}
	return m
}

func (m *mimic) node(i int) http.Handler {
	refuse := func(w http.ResponseWriter, status int, code string) {
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"error":"…","code":%q,"definite":true}`, code)
	}
	leads := func(do http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m.asked = append(m.asked, r.Method+" "+r.URL.Path)
			if m.ids[i] != m.leader {
				refuse(w, http.StatusMisdirectedRequest, "not-leader")
				return
			}
			do(w, r)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		if m.status != "" {
			_, _ = w.Write([]byte(m.status))
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": m.ids[i], "term": 4, "leader": m.leader, "role": "follower", "commit": 9, "applied": 8, "hash": "abc",
			"first": 1, "last": 9, "voters": m.voters, "learners": []uint64{}, "members": m.members,
		})
	})
	mux.HandleFunc("DELETE /members/{id}", leads(func(w http.ResponseWriter, r *http.Request) {
		delete(m.members, r.PathValue("id"))
		_, _ = w.Write([]byte("{}"))
	}))
	mux.HandleFunc("POST /leader/{id}", leads(func(_ http.ResponseWriter, r *http.Request) {
		m.leader, _ = strconv.ParseUint(r.PathValue("id"), 10, 64)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := m.codes[i]; code != "" {
			refuse(w, http.StatusGone, code)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func TestKVStatus(t *testing.T) {
	m, ctx := newMimic(t), t.Context()
	for _, n := range m.specs {
		status, err := kvSystem{}.Status(ctx, n)
		require.NoError(t, err)
		require.Equal(t, Status{Node: n.ID, Leader: "n2", Term: 4, Applied: 8, Hash: "abc"}, status, "id 7 has the address of n2")
		require.NoError(t, kvSystem{}.Ready(ctx, n))
		require.NoError(t, kvSystem{}.Joined(ctx, n))
	}
	m.leader = 0
	require.ErrorContains(t, kvSystem{}.Ready(ctx, m.specs[0]), "knows no leader")
	require.ErrorContains(t, kvSystem{}.Joined(ctx, m.specs[0]), "knows no leader")

	m.leader, m.voters = 99, []uint64{1, 7}
	status, err := kvSystem{}.Status(ctx, m.specs[2])
	require.NoError(t, err)
	require.Empty(t, status.Leader, "nobody here is member 99")
	require.ErrorContains(t, kvSystem{}.Joined(ctx, m.specs[2]), "n3, as member 3, does not vote")

	m.codes[2] = "removed"
	_, err = kvSystem{}.Status(ctx, m.specs[2])
	require.ErrorContains(t, err, "status of n3: not applied: removed")
	require.ErrorContains(t, kvSystem{}.Ready(ctx, m.specs[2]), "removed")
	require.ErrorContains(t, kvSystem{}.Joined(ctx, m.specs[2]), "removed")
}

func TestKVMembers(t *testing.T) {
	m, ctx := newMimic(t), t.Context()
	n1, n2, n3 := m.specs[0], m.specs[1], m.specs[2]
	voters, err := kvSystem{}.Voters(ctx, n2)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"n1": "1", "n2": "7", "n3": "3"}, voters)
	_, err = kvSystem{}.Voters(ctx, n1)
	require.ErrorContains(t, err, "n1 does not lead", "only the leader knows")

	require.NoError(t, kvSystem{}.Transfer(ctx, n2, n3))
	require.ErrorContains(t, kvSystem{}.Transfer(ctx, n2, n3), "leadership from n2 to n3: n2 does not lead")
	require.NoError(t, kvSystem{}.Remove(ctx, n3, n2))
	require.ErrorContains(t, kvSystem{}.Remove(ctx, n3, n2), "remove n2 by n3: n2 is no voter")
	require.Equal(t, []string{"POST /leader/3", "DELETE /members/7"}, m.asked)

	// A learner with the address of a member that is being replaced has no vote yet.
	m.members["8"], m.voters = kvAddr(n2), []uint64{1, 3}
	voters, err = kvSystem{}.Voters(ctx, n3)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"n1": "1", "n3": "3"}, voters)
}

func TestKVHostileStatus(t *testing.T) {
	m, ctx := newMimic(t), t.Context()
	for _, status := range []string{
		` `, `null`, `[]`, `{"leader":-1}`, `{"leader":18446744073709551616}`, `{"members":{"1":{}}}`, `{"voters":"all"}`, `{"members":null,"leader":1}`,
		`{"members":{"":"127.0.77.1:7100"},"voters":[0],"id":5}`, `<html>`,
	} {
		m.status = status
		if told, err := (kvSystem{}).Status(ctx, m.specs[0]); err == nil {
			require.Empty(t, told.Leader, status)
		}
		require.Error(t, kvSystem{}.Joined(ctx, m.specs[0]), status)
		require.Error(t, kvSystem{}.Remove(ctx, m.specs[0], m.specs[1]), status)
		require.Error(t, kvSystem{}.Transfer(ctx, m.specs[0], m.specs[1]), status)
	}
}
