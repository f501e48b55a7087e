package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protodelim"
)

// unsound are messages that node 1 must refuse of node 9.
func unsound() []*pb.Message {
	garbage := []*pb.Entry{{Data: []byte("garbage")}}
	confChange := []*pb.Entry{{Type: pb.EntryConfChangeV2.Enum(), Data: []byte("garbage")}}
	change := []*pb.Entry{{Data: (&Request{Change: &Change{Kind: RemoveMember, ID: 1}}).encode(proposalID{})}}
	all := []*pb.Message{
		{Type: pb.MsgProp.Enum(), Term: new(uint64(0))},
		{Type: pb.MsgProp.Enum(), Term: new(uint64(0)), Entries: garbage},
		{Type: pb.MsgProp.Enum(), Term: new(uint64(0)), Entries: confChange},
		{Type: pb.MsgProp.Enum(), Term: new(uint64(0)), Entries: change},
		{Type: pb.MsgProp.Enum(), Entries: command()},
		{Type: pb.MsgReadIndex.Enum(), Term: new(uint64(0))},
		{Type: pb.MsgReadIndex.Enum(), Entries: garbage},
		{Type: pb.MsgReadIndexResp.Enum()},
		{Type: pb.MsgHup.Enum()},
		{Type: pb.MsgBeat.Enum()},
		{Type: pb.MsgCheckQuorum.Enum()},
		{Type: pb.MsgTransferLeader.Enum()},
		{Type: pb.MsgForgetLeader.Enum()},
		{Type: pb.MsgStorageAppendResp.Enum(), From: new(^uint64(0))},
		{Type: pb.MsgSnap.Enum()},
		{Type: pb.MsgSnap.Enum(), Snapshot: &pb.Snapshot{Data: []byte("garbage")}},
		{Type: pb.MsgApp.Enum(), Entries: garbage},
		{Type: pb.MsgHeartbeatResp.Enum(), Context: []byte("short")},
		{Type: pb.MsgHeartbeat.Enum(), To: new(uint64(2))},
		{Type: pb.MsgHeartbeat.Enum(), From: new(uint64(1))},
		{Type: pb.MsgHeartbeat.Enum(), From: new(uint64(8))},
		{Type: pb.MsgHeartbeat.Enum(), Term: new(uint64(0))},
	}
	for _, m := range all {
		if m.To == nil {
			m.To = new(uint64(1))
		}
		if m.From == nil {
			m.From = new(uint64(9))
		}
		if m.Term == nil {
			m.Term = new(uint64(1))
		}
	}
	return all
}

// command is entries that anybody may propose.
func command() []*pb.Entry {
	put := Command{Then: []Op{{Kind: Put, Key: []byte("k")}}}
	return []*pb.Entry{{Data: (&Request{Command: put}).encode(proposalID{})}}
}

// framed is messages as they stand in a body.
func framed(t require.TestingT, messages ...*pb.Message) []byte {
	var b bytes.Buffer
	for _, m := range messages {
		_, err := protodelim.MarshalTo(&b, m)
		require.NoError(t, err)
	}
	return b.Bytes()
}

// older is a message of an earlier term than any: sound, and of no consequence.
func older(to uint64) *pb.Message {
	return &pb.Message{Type: pb.MsgHeartbeatResp.Enum(), From: new(uint64(9)), To: &to, Term: new(uint64(1))}
}

// TestBadFrames: raft would panic on some of these, or take them for its own. They end their stream, and
// nothing else.
func TestBadFrames(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/ready", "")
	post := func(body []byte) (int, string) {
		code, _, text := c.do(1, "POST", "/raft", string(body), "Kv-From", "9", "Kv-To", "1")
		return code, text
	}
	frames := map[string][]byte{
		"oversized": {0xff, 0xff, 0xff, 0xff, 0x7f},
		"length":    bytes.Repeat([]byte{0xff}, 11),
		"malformed": {2, 0xff, 0xff},
		"empty":     {0},
		"cut short": framed(t, older(1))[:3],
	}
	for _, m := range unsound() {
		frames[fmt.Sprint(m)] = framed(t, m)
	}
	for name, frame := range frames {
		code, text := post(frame)
		require.Equal(t, http.StatusBadRequest, code, name)
		requireRefusal(t, text, CodeBadRequest, true)
		code, _ = post(append(framed(t, older(1)), frame...))
		require.Equal(t, http.StatusBadRequest, code, "%s, after a good one", name)
	}
	code, _ := post(framed(t, older(1), older(1)))
	require.Equal(t, http.StatusNoContent, code)
	code, _ = post(nil)
	require.Equal(t, http.StatusNoContent, code)
	c.must(http.StatusOK, 1, "PUT", "/kv/still", "alive")
}

// TestForeignStream: a node takes streams for itself alone, from others alone, and not from one that was removed.
func TestForeignStream(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/ready", "")
	for _, ids := range [][2]string{{"9", "2"}, {"1", "1"}, {"", "1"}, {"x", "1"}, {"9", ""}, {"9", "01"}} {
		code, _, text := c.do(1, "POST", "/raft", "", "Kv-From", ids[0], "Kv-To", ids[1])
		require.Equal(t, http.StatusBadRequest, code, ids)
		require.Contains(t, text, "this is node 1")
	}
	c.atLeader(http.StatusOK, "POST", "/leader/1")
	c.until(1, func(s Status) bool { return s.Role == "leader" })
	c.atLeader(http.StatusOK, "DELETE", "/members/2")
	code, _, text := c.do(1, "POST", "/raft", "", "Kv-From", "2", "Kv-To", "1")
	require.Equal(t, http.StatusGone, code)
	requireRefusal(t, text, CodeRemoved, true)
	code, _, _ = c.do(1, "POST", "/raft", "", "Kv-From", "3", "Kv-To", "1")
	require.Equal(t, http.StatusNoContent, code, "it may be a member that this one has not heard of yet")
}

// TestPassedOn: what a node was asked to propose or to read it may pass on; nothing else.
func TestPassedOn(t *testing.T) {
	for _, kind := range []pb.MessageType{pb.MsgProp, pb.MsgReadIndex} {
		m := &pb.Message{Type: kind.Enum(), From: new(uint64(3)), To: new(uint64(1)), Entries: command()}
		require.NoError(t, sound(m, 2, 1))
	}
	require.NoError(t, sound(heartbeat(1), 1, 2))
	require.Error(t, sound(heartbeat(1), 3, 2))
}

// TestNothingStays: when nodes have stopped, so have their goroutines and connections, those of a stranger
// that is silent included.
func TestNothingStays(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c := newCluster(t, 3, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	in, out := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+c.peers[1]+"/raft", in)
	require.NoError(t, err)
	req.Header.Set("Kv-From", "9")
	req.Header.Set("Kv-To", "1")
	ended := make(chan error, 1)
	go func() {
		res, err := c.client.Do(req)
		if err == nil {
			err = errors.Join(fmt.Errorf("it answers %s", res.Status), res.Body.Close())
		}
		ended <- err
	}()
	_, err = out.Write(framed(t, older(1)))
	require.NoError(t, err)
	for id := range c.peers {
		c.stop(id)
	}
	require.NoError(t, out.Close())
	require.Error(t, <-ended)
	c.client.CloseIdleConnections()
}

// FuzzStream: whatever comes, the loop is handed sound messages alone, and all that come before a bad one's batch.
func FuzzStream(f *testing.F) {
	f.Add(framed(f, older(1), older(1)))
	f.Add(framed(f, older(1))[:3])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Add([]byte{2, 0xff, 0xff})
	for _, m := range unsound() {
		f.Add(framed(f, m))
		f.Add(framed(f, older(1), m))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		s := newSim(t, 1, 10)
		s.each("campaign", 1)
		s.settle()
		core := s.replicas[1].core
		n := &Node{inbox: make(chan func(*Core), len(data)+1), ctx: ctx, cfg: Config{CoreConfig: CoreConfig{Logger: discard()}}}
		n.id.Store(1)
		n.members.Store(&core.state.members)
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/raft", bytes.NewReader(data))
		r.Header.Set("Kv-From", "9")
		r.Header.Set("Kv-To", "1")
		n.serveStream(w, r)
		require.Contains(t, []int{http.StatusNoContent, http.StatusBadRequest}, w.Code)
		for range len(n.inbox) {
			(<-n.inbox)(core)
			require.NoError(t, core.Process())
		}
		s.settle()
	})
}
