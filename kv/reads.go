package kv

import (
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
)

// reads are the reads on their way to being answered. A read is linearizable if the state it sees is at
// least as new as anything acknowledged before it began. ReadIndex gives an index with that property:
// the leader notes its commit index, then hears from a quorum that it still leads. One question is under
// way at a time, for all reads that were open when it was asked; the others wait for the next.
type reads struct {
	seq       uint64 // of the newest question
	since     uint64 // the tick at which it was asked
	unasked   []*Request
	asked     []*Request
	confirmed []*Request // may be served once index is applied
	index     uint64
}

// submitRead takes in a read, in its mode. The lease of a leader is that its followers, with CheckQuorum
// on, elect nobody else while they hear from it. On a follower a lease read is as good as any.
func (c *Core) submitRead(r *Request) {
	st := c.raft.BasicStatus()
	switch {
	case r.Mode == Local:
		c.serveRead(r)
	case r.Mode == Lease && st.RaftState == raft.StateLeader && st.LeadTransferee == raft.None && c.appliedTerm == st.GetTerm():
		c.confirm(st.GetCommit(), r)
		c.serveReads()
	default:
		c.reads.unasked = append(c.reads.unasked, r)
	}
}

// askReads asks for all reads that wait. Each question has a context of its own, and the context holds the
// boot number: an answer that comes late must not be taken for the answer to another question
// (etcd#20418), nor to one of an earlier life.
//
// While there is no leader the reads wait. A new leader's wait until it has applied an entry of its term:
// its commit index may be behind what was acknowledged (Raft thesis, 6.4). raft sees to that, except for
// a leader that is the only voter.
func (c *Core) askReads() {
	if len(c.reads.unasked) == 0 || len(c.reads.asked) > 0 || c.raft.BasicStatus().Lead == raft.None || c.fresh() {
		return
	}
	c.reads.seq, c.reads.since = c.reads.seq+1, c.ticks
	c.reads.asked, c.reads.unasked = c.reads.unasked, nil
	c.raft.ReadIndex(c.readContext())
}

// fresh says whether this node leads and has yet to apply an entry of its term.
func (c *Core) fresh() bool {
	st := c.raft.BasicStatus()
	return st.RaftState == raft.StateLeader && c.appliedTerm != st.GetTerm()
}

func (c *Core) readContext() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, c.cfg.Boot), c.reads.seq)
}

// retryReads gives up the question under way, if there is one: raft drops a ReadIndex silently, and so does
// the network.
func (c *Core) retryReads() {
	c.reads.unasked = append(c.reads.asked, c.reads.unasked...)
	c.reads.asked = nil
}

// confirmReads takes in raft's answers; those to earlier questions are of no use any more.
func (c *Core) confirmReads(states []raft.ReadState) {
	for _, s := range states {
		if len(c.reads.asked) > 0 && slices.Equal(s.RequestCtx, c.readContext()) {
			c.confirm(s.Index, c.reads.asked...)
			c.reads.asked = nil
		}
	}
}

func (c *Core) confirm(index uint64, reads ...*Request) {
	c.reads.index = max(c.reads.index, index)
	c.reads.confirmed = append(c.reads.confirmed, reads...)
}

// serveReads answers the confirmed reads once all that they must see has been applied.
func (c *Core) serveReads() {
	if c.reads.index > c.applied {
		return
	}
	for _, r := range c.reads.confirmed {
		c.serveRead(r)
	}
	c.reads.confirmed = nil
}

// serveRead answers one read from the state as it is now.
func (c *Core) serveRead(r *Request) {
	c.answer(r, c.state.execute(c.applied, &r.Command).response())
}

func (c *Core) expireReads(now time.Time) {
	for _, waiting := range []*[]*Request{&c.reads.unasked, &c.reads.asked, &c.reads.confirmed} {
		*waiting = slices.DeleteFunc(*waiting, func(r *Request) bool { return c.overdue(r, now) })
	}
}
