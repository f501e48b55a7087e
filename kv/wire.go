package kv

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protodelim"

	pb "go.etcd.io/raft/v3/raftpb"
)

// messageBytes bounds a message; a snapshot is one.
const messageBytes = 1 << 30

// serveStream hands the messages of another node to the loop, as many at once as have come.
func (n *Node) serveStream(w http.ResponseWriter, r *http.Request) {
	self := n.id.Load()
	from, err := strconv.ParseUint(r.Header.Get("Kv-From"), 10, 64)
	if err != nil || from == self || r.Header.Get("Kv-To") != strconv.FormatUint(self, 10) {
		n.reply(w, n.failed(refusal(CodeBadRequest, fmt.Sprintf("this is node %d", self))), nil)
		return
	}
	in := bufio.NewReaderSize(r.Body, 64<<10)
	for err == nil {
		if n.banned(from) {
			n.reply(w, n.failed(refusal(CodeRemoved, fmt.Sprintf("node %d was removed", from))), nil)
			return
		}
		var messages []*pb.Message
		for more := true; err == nil && more; more = in.Buffered() > 0 {
			m := new(pb.Message)
			if err = (protodelim.UnmarshalOptions{MaxSize: messageBytes}).UnmarshalFrom(in, m); err == nil {
				messages = append(messages, m)
				err = sound(m, from, self)
			}
		}
		if err == nil {
			n.mustPost(func(c *Core) {
				for _, m := range messages {
					c.Step(m)
				}
			})
		}
	}
	if errors.Is(err, io.EOF) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if n.ctx.Err() == nil {
		n.cfg.Logger.Warningf("stream from node %d: %v", from, err)
	}
	n.reply(w, n.failed(refusal(CodeBadRequest, err.Error())), nil)
}

// sound refuses what no honest node sends: raft trusts its peers, and answers much of it with a panic. A
// message is of the node that hands it over, unless it is a proposal or a question for a read index: those
// have no term, and a node that has ceased to lead passes them on.
func sound(m *pb.Message, from, to uint64) error {
	ok := m.GetTo() == to && m.GetTerm() != 0 && m.GetFrom() == from
	switch m.GetType() {
	case pb.MsgProp:
		ok = m.GetTo() == to && m.GetTerm() == 0 && len(m.GetEntries()) > 0
		for _, e := range m.GetEntries() {
			c, err := decodeEntry(e.GetData())
			ok = ok && err == nil && c.Change == nil && e.GetType() == pb.EntryNormal
		}
	case pb.MsgReadIndex:
		ok = m.GetTo() == to && m.GetTerm() == 0 && len(m.GetEntries()) == 1
	case pb.MsgReadIndexResp:
		ok = ok && len(m.GetEntries()) == 1
	case pb.MsgSnap:
		_, err := decodeState(m.GetSnapshot().GetData())
		ok = ok && err == nil
	case pb.MsgApp:
		for i, e := range m.GetEntries() {
			ok = ok && e.GetIndex() == m.GetIndex()+uint64(i)+1
		}
	case pb.MsgHeartbeat, pb.MsgHeartbeatResp:
		ok = ok && (len(m.GetContext()) == 0 || len(m.GetContext()) == 8)
	case pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgTimeoutNow:
	default:
		ok = false
	}
	if !ok {
		return fmt.Errorf("unsound message %s from %d to %d", m.GetType(), m.GetFrom(), m.GetTo())
	}
	return nil
}
