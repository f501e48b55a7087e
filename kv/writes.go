package kv

import (
	"maps"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// maxProposalBytes bounds the entries that are proposed as one message.
const maxProposalBytes = 1 << 20

// writes are the writes on their way to being applied.
type writes struct {
	seq        uint64
	unproposed []*Request
	waiting    map[uint64]write // proposed, by sequence number
}

// write is a proposed request, with the term and the leader that it was proposed under. Once either
// has changed, nobody can tell any more whether the proposal is in a log that survives.
type write struct {
	*Request
	term, leader uint64
}

// propose hands this turn's writes to raft, many entries to a message: one append, one sync and one
// round trip then carry all of them.
func (c *Core) propose() {
	for len(c.writes.unproposed) > 0 {
		n, size := 0, 0
		entries := make([]*pb.Entry, 0, len(c.writes.unproposed))
		for _, r := range c.writes.unproposed {
			if n > 0 && size+len(r.Value) > maxProposalBytes {
				break
			}
			data := r.encode(proposalID{node: c.cfg.ID, boot: c.cfg.Boot, seq: c.writes.seq + uint64(n) + 1})
			entries = append(entries, &pb.Entry{Data: data})
			size += len(data)
			n++
		}
		c.proposeBatch(c.writes.unproposed[:n], entries)
		c.writes.unproposed = c.writes.unproposed[n:]
	}
	c.writes.unproposed = nil
}

func (c *Core) proposeBatch(batch []*Request, entries []*pb.Entry) {
	err := c.raft.Step(&pb.Message{Type: pb.MsgProp.Enum(), From: new(c.cfg.ID), Entries: entries})
	st := c.raft.BasicStatus()
	for _, r := range batch {
		c.writes.seq++
		switch {
		case err == nil:
			c.writes.waiting[c.writes.seq] = write{Request: r, term: st.GetTerm(), leader: st.Lead}
		case st.Lead == raft.None:
			c.answer(r, Response{Err: refusal(CodeNoLeader, "no leader")})
		default:
			c.answer(r, Response{Err: refusal(CodeBacklog, err.Error())})
		}
	}
}

// applyCommand carries out a committed command and answers the request it came from, if it came
// through this node in this life. A malformed command changes nothing, on every replica alike.
func (c *Core) applyCommand(index uint64, data []byte) {
	id, cmd, err := decodeCommand(data)
	if err != nil {
		c.cfg.Logger.Warningf("entry %d: %v; skipped", index, err)
		return
	}
	res := c.state.apply(index, &cmd)
	if id.node != c.cfg.ID || id.boot != c.cfg.Boot {
		return
	}
	if w, ok := c.writes.waiting[id.seq]; ok {
		delete(c.writes.waiting, id.seq)
		c.answer(w.Request, Response{
			Conflict: res.conflict, Found: res.found, Value: res.value, Revision: res.rev,
		})
	}
}

// sweepWrites forgets the waiting writes that done has dealt with. It goes through them in the order in
// which they came, so that a simulator sees the same answers in the same order.
func (c *Core) sweepWrites(done func(write) bool) {
	for _, seq := range slices.Sorted(maps.Keys(c.writes.waiting)) {
		if done(c.writes.waiting[seq]) {
			delete(c.writes.waiting, seq)
		}
	}
}

// failOutlived gives up the writes that were proposed under another term or leader than today's.
func (c *Core) failOutlived() {
	c.sweepWrites(func(w write) bool {
		outlived := w.term != c.hard.GetTerm() || w.leader != c.leader
		if outlived {
			c.answer(w.Request, Response{Err: loss(w.Op, CodeLeaderChanged, "leader or term changed meanwhile")})
		}
		return outlived
	})
}
