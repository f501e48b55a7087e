package kv

import (
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// writes are the writes on their way to being applied.
type writes struct {
	seq        uint64
	unproposed []*Request
	waiting    []write // proposed
}

// write is a proposed request, with the term and the leader that it was proposed under. Once either
// has changed, nobody can tell any more whether the proposal is in a log that survives.
type write struct {
	*Request
	seq, term, leader uint64
}

func (c *Core) nextID() proposalID {
	c.writes.seq++
	return proposalID{Node: c.cfg.ID, Boot: c.cfg.Boot, Seq: c.writes.seq}
}

// propose hands this turn's writes to raft, many entries to a message: one append, one sync and one
// round trip then carry all of them.
func (c *Core) propose() {
	for len(c.writes.unproposed) > 0 {
		first, size := c.writes.seq+1, 0
		var entries []*pb.Entry
		for _, r := range c.writes.unproposed {
			if size > maxBatchBytes {
				break
			}
			entries = append(entries, &pb.Entry{Data: r.encode(c.nextID())})
			size += len(entries[len(entries)-1].Data)
		}
		err := c.raft.Step(&pb.Message{Type: pb.MsgProp.Enum(), From: new(c.cfg.ID), Entries: entries})
		for i, r := range c.writes.unproposed[:len(entries)] {
			c.await(r, first+uint64(i), err)
		}
		c.writes.unproposed = c.writes.unproposed[len(entries):]
	}
	c.writes.unproposed = nil
}

// await keeps a request until its proposal is applied, unless raft has refused it.
func (c *Core) await(r *Request, seq uint64, refused error) {
	st := c.raft.BasicStatus()
	switch {
	case refused == nil:
		c.writes.waiting = append(c.writes.waiting, write{r, seq, st.GetTerm(), st.Lead})
	case st.Lead == raft.None || st.LeadTransferee != raft.None:
		c.answer(r, Response{Err: refusal(CodeNoLeader, "no leader that takes proposals")})
	default:
		c.answer(r, Response{Err: refusal(CodeBacklog, refused.Error())})
	}
}

// applyCommand carries out a committed command. A malformed one changes nothing, on every replica alike.
func (c *Core) applyCommand(index uint64, data []byte) {
	e, err := decodeEntry(data)
	if err != nil {
		c.cfg.Logger.Warningf("entry %d: %v; skipped", index, err)
		return
	}
	c.finish(e.ID, c.state.apply(index, &e.Command).response())
}

// response is an outcome as clients see it. Of an earlier attempt that was applied a session may have
// forgotten the outcome.
func (o outcome) response() Response {
	res := Response{Else: o.Else, Results: o.Results}
	if o.Refused != "" {
		forgotten := o.Refused == CodeNoSession || o.Refused == CodeStaleSequence
		res.Err = &Error{Code: o.Refused, Text: "refused by the state machine", Definite: !forgotten}
	}
	return res
}

// finish answers the request of a proposal that was applied, if it came through this node in this life.
func (c *Core) finish(id proposalID, res Response) {
	if id.Node != c.cfg.ID || id.Boot != c.cfg.Boot {
		return
	}
	if i := slices.IndexFunc(c.writes.waiting, func(w write) bool { return w.seq == id.Seq }); i >= 0 {
		c.answer(c.writes.waiting[i].Request, res)
		c.writes.waiting = slices.Delete(c.writes.waiting, i, i+1)
	}
}

// failOutlived gives up the writes that were proposed under another term or leader than today's.
func (c *Core) failOutlived() {
	c.writes.waiting = slices.DeleteFunc(c.writes.waiting, func(w write) bool {
		outlived := w.term != c.hard.GetTerm() || w.leader != c.leader
		if outlived {
			c.answer(w.Request, Response{Err: loss(w.Request, CodeLeaderChanged, "leader or term changed meanwhile")})
		}
		return outlived
	})
}
