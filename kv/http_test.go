package kv

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/raft/v3/raftpb"
)

func TestHTTP(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/ready", "")
	long, big := strings.Repeat("k", MaxKeyBytes), strings.Repeat("v", MaxValueBytes)
	for _, step := range []struct {
		method, path, body string
		code               int
		found, text        string // Kv-Found and body, or the error's code
	}{
		{"GET", "/kv/a", "", 404, "false", ""},
		{"PUT", "/kv/a", "1", 200, "true", ""},
		{"GET", "/kv/a", "", 200, "true", "1"},
		{"PUT", "/kv/a?old=2", "3", 412, "true", "1"},
		{"PUT", "/kv/a?old=1", "2", 200, "true", ""},
		{"PUT", "/kv/a?absent", "3", 412, "true", "2"},
		{"PUT", "/kv/b?absent", "3", 200, "true", ""},
		{"PUT", "/kv/c?old=1", "3", 412, "false", ""},
		{"PUT", "/kv/c?rev=7", "3", 412, "false", ""},
		{"PUT", "/kv/c?rev=0", "3", 200, "true", ""},
		{"DELETE", "/kv/c?old=4", "", 412, "true", "3"},
		{"DELETE", "/kv/c", "", 200, "true", ""},
		{"DELETE", "/kv/c", "", 200, "false", ""},
		{"GET", "/kv/c", "", 404, "false", ""},
		{"PUT", "/kv/%00%ff%2F..%2F%3F", "\x00\xff", 200, "true", ""},
		{"GET", "/kv/%00%FF%2f..%2F%3f", "", 200, "true", "\x00\xff"},
		{"PUT", "/kv/a//b", "slashes", 200, "true", ""},
		{"GET", "/kv/a//b", "", 200, "true", "slashes"},
		{"PUT", "/kv/empty", "", 200, "true", ""},
		{"GET", "/kv/empty", "", 200, "true", ""},
		{"PUT", "/kv/" + long, big, 200, "true", ""},
		{"GET", "/kv/" + long, "", 200, "true", big},
		{"PUT", "/kv/" + long + "k", "", 413, "", CodeKeyTooLarge},
		{"PUT", "/kv/a", big + "v", 413, "", CodeValueTooLarge},
		{"GET", "/kv/", "", 400, "", CodeBadRequest},
		{"POST", "/kv/a", "", 400, "", CodeBadRequest},
		{"PUT", "/kv/a?odl=1", "", 400, "", CodeBadRequest},
		{"PUT", "/kv/a?rev=-1", "", 400, "", CodeBadRequest},
		{"PUT", "/kv/a?rev=1&old=1", "", 400, "", CodeBadRequest},
		{"PUT", "/kv/a?rev=1&rev=2", "", 400, "", CodeBadRequest},
		{"PUT", "/kv/a?old=%zz", "", 400, "", CodeBadRequest},
		{"GET", "/kv/a?rev=1", "", 400, "", CodeBadRequest},
		{"GET", "/", "", 400, "", CodeBadRequest},
		{"POST", "/status", "", 400, "", CodeBadRequest},
		{"GET", "/raft", "", 400, "", CodeBadRequest},
		{"POST", "/raft", "garbage", 400, "", CodeBadRequest},
		{"POST", "/raft/snapshot", "\x00\x00\x00\x02\xff\xff", 400, "", CodeBadRequest},
	} {
		name := step.method + " " + step.path[:min(len(step.path), 30)]
		code, h, body := c.do(1, step.method, step.path, step.body)
		require.Equal(t, step.code, code, name)
		require.Equal(t, "1", h.Get("Kv-Node"), name)
		require.Equal(t, step.found, h.Get("Kv-Found"), name)
		require.NotEqual(t, "0", h.Get("Kv-Term"), name)
		if step.found != "" {
			require.Equal(t, step.text, body, name)
			continue
		}
		var e Error
		require.NoError(t, json.Unmarshal([]byte(body), &e), name)
		require.Equal(t, step.text, e.Code, name)
		require.True(t, e.Definite, name)
		require.NotEmpty(t, e.Text, name)
	}
	_, body := c.must(http.StatusOK, 1, "GET", "/status", "")
	var s Status
	require.NoError(t, json.Unmarshal([]byte(body), &s))
	require.Equal(t, "leader", s.Role)
	require.Equal(t, s.Commit, s.Applied)
	require.Len(t, s.Hash, 16)
}

// unsound are messages that node 1 must refuse.
func unsound() []*pb.Message {
	garbage := []*pb.Entry{{Data: []byte("garbage")}}
	confChange := []*pb.Entry{{Type: pb.EntryConfChange.Enum(), Data: []byte("garbage")}}
	all := []*pb.Message{
		{Type: pb.MsgProp.Enum()},
		{Type: pb.MsgProp.Enum(), Entries: garbage},
		{Type: pb.MsgProp.Enum(), Entries: confChange},
		{Type: pb.MsgReadIndex.Enum()},
		{Type: pb.MsgHup.Enum()},
		{Type: pb.MsgStorageAppendResp.Enum(), From: new(^uint64(0))},
		{Type: pb.MsgSnap.Enum()},
		{Type: pb.MsgApp.Enum(), Entries: garbage},
		{Type: pb.MsgHeartbeatResp.Enum(), Context: []byte("short")},
		{Type: pb.MsgHeartbeat.Enum(), To: new(uint64(2))},
		{Type: pb.MsgHeartbeat.Enum(), From: new(uint64(1))},
		{Type: pb.MsgHeartbeat.Enum()}, // sound, but its sender is no member
	}
	for _, m := range all {
		if m.To == nil {
			m.To = new(uint64(1))
		}
		if m.From == nil {
			m.From = new(uint64(9))
		}
	}
	return all
}

func TestUnsoundMessages(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/ready", "")
	for _, m := range unsound() {
		body, err := appendMessage(nil, m)
		require.NoError(t, err)
		code, _, text := c.do(1, "POST", "/raft/snapshot", string(body))
		require.Equal(t, http.StatusBadRequest, code, "%v: %s", m, text)
	}
	c.must(http.StatusOK, 1, "PUT", "/kv/still", "alive")
}
