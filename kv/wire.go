package kv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/raft/v3/raftpb"
)

// appendMessage adds one message to a body: 4 bytes length, big-endian, then the message.
func appendMessage(body []byte, m *pb.Message) ([]byte, error) {
	start := len(body)
	body, err := proto.MarshalOptions{}.MarshalAppend(append(body, 0, 0, 0, 0), m)
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(body[start:], uint32(len(body)-start-4))
	return body, nil
}

// decodeMessages takes a body apart and refuses what no honest node sends: raft trusts its peers, and
// answers much of the rest with a panic.
func decodeMessages(body []byte, to uint64) ([]*pb.Message, error) {
	var out []*pb.Message
	for len(body) > 0 {
		if len(body) < 4 || uint64(len(body)-4) < uint64(binary.BigEndian.Uint32(body)) {
			return nil, errors.New("truncated message")
		}
		end := 4 + int(binary.BigEndian.Uint32(body))
		m := new(pb.Message)
		if err := proto.Unmarshal(body[4:end], m); err != nil {
			return nil, fmt.Errorf("malformed message: %w", err)
		}
		if m.GetTo() != to || m.GetFrom() == to || !sound(m) {
			return nil, fmt.Errorf("unsound message %s from %d to %d", m.GetType(), m.GetFrom(), m.GetTo())
		}
		out, body = append(out, m), body[end:]
	}
	return out, nil
}

// sound says whether a message is of a type that travels, and has what raft expects in that type.
func sound(m *pb.Message) bool {
	switch m.GetType() {
	case pb.MsgProp:
		for _, e := range m.GetEntries() {
			if _, _, err := decodeCommand(e.GetData()); err != nil || e.GetType() != pb.EntryNormal {
				return false
			}
		}
		return len(m.GetEntries()) > 0
	case pb.MsgReadIndex, pb.MsgReadIndexResp:
		return len(m.GetEntries()) == 1
	case pb.MsgSnap:
		_, err := unseal(nil, m.GetSnapshot().GetData())
		return err == nil
	case pb.MsgApp:
		for i, e := range m.GetEntries() {
			if e.GetIndex() != m.GetIndex()+uint64(i)+1 {
				return false
			}
		}
		return true
	case pb.MsgHeartbeat, pb.MsgHeartbeatResp:
		return len(m.GetContext()) == 0 || len(m.GetContext()) == 8
	case pb.MsgAppResp, pb.MsgVote, pb.MsgVoteResp, pb.MsgPreVote, pb.MsgPreVoteResp, pb.MsgTimeoutNow:
		return true
	default:
		return false
	}
}
