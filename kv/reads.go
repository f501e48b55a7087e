package kv

import (
	"encoding/binary"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
)

// reads are the reads on their way to being answered. A read is linearizable if the state it sees is at
// least as new as anything acknowledged before it began. ReadIndex gives an index with that property:
// the leader notes its commit index, then hears from a quorum that it still leads.
type reads struct {
	seq       uint64
	unasked   []*Request
	asked     []try
	confirmed []confirmation
}

// try is one ReadIndex for all reads that were open at that moment.
type try struct {
	seq   uint64
	reads []*Request
}

// confirmation is the answer to a try: these reads may be served once index is applied.
type confirmation struct {
	index uint64
	reads []*Request
}

// askReads sends one ReadIndex for all reads of this turn. Each try has a context of its own, and the
// context holds the boot number: an answer that comes late must not be taken for the answer to another
// question (etcd#20418), nor to one of an earlier life.
//
// While there is no leader the reads wait. A new leader's wait until it has applied an entry of its term:
// its commit index may be behind what was acknowledged (Raft thesis, 6.4). raft sees to that, except in a
// cluster of one.
func (c *Core) askReads() {
	if len(c.reads.unasked) == 0 {
		return
	}
	st := c.raft.BasicStatus()
	if st.Lead == raft.None || st.RaftState == raft.StateLeader && c.appliedTerm != st.GetTerm() {
		return
	}
	c.reads.seq++
	for _, r := range c.reads.unasked {
		r.try = c.reads.seq
	}
	c.reads.asked = append(c.reads.asked, try{seq: c.reads.seq, reads: c.reads.unasked})
	c.reads.unasked = nil
	ctx := binary.BigEndian.AppendUint64(nil, c.cfg.Boot)
	c.raft.ReadIndex(binary.BigEndian.AppendUint64(ctx, c.reads.seq))
}

// retryReads asks again for the reads that have had no answer: raft drops a ReadIndex silently, and so
// does the network. Earlier tries stay valid; each began after the reads that it carries.
func (c *Core) retryReads() {
	c.reads.asked = slices.DeleteFunc(c.reads.asked, func(t try) bool {
		open := false
		for _, r := range t.reads {
			if r.finished {
				continue
			}
			open = true
			if r.try == t.seq {
				c.reads.unasked = append(c.reads.unasked, r)
			}
		}
		return !open
	})
}

// confirmReads takes in the answers that raft gives to tries.
func (c *Core) confirmReads(states []raft.ReadState) {
	for _, s := range states {
		if len(s.RequestCtx) != 16 || binary.BigEndian.Uint64(s.RequestCtx) != c.cfg.Boot {
			continue
		}
		seq := binary.BigEndian.Uint64(s.RequestCtx[8:])
		i := slices.IndexFunc(c.reads.asked, func(t try) bool { return t.seq == seq })
		if i < 0 {
			continue
		}
		t := c.reads.asked[i]
		c.reads.asked = slices.Delete(c.reads.asked, i, i+1)
		c.reads.confirmed = append(c.reads.confirmed, confirmation{index: s.Index, reads: t.reads})
	}
}

// serveReads answers the confirmed reads whose index has been applied.
func (c *Core) serveReads() {
	c.reads.confirmed = slices.DeleteFunc(c.reads.confirmed, func(f confirmation) bool {
		if f.index > c.applied {
			return false
		}
		for _, r := range f.reads {
			c.serveRead(r)
		}
		return true
	})
}

// serveRead answers one read from the state as it is now.
func (c *Core) serveRead(r *Request) {
	res := c.state.get(r.Key)
	c.answer(r, Response{Found: res.found, Value: res.value, Revision: res.rev})
}

func (c *Core) expireReads(now time.Time) {
	overdue := func(r *Request) bool { return c.overdue(r, now) }
	c.reads.unasked = slices.DeleteFunc(c.reads.unasked, overdue)
	for i := range c.reads.asked {
		c.reads.asked[i].reads = slices.DeleteFunc(c.reads.asked[i].reads, overdue)
	}
	for i := range c.reads.confirmed {
		c.reads.confirmed[i].reads = slices.DeleteFunc(c.reads.confirmed[i].reads, overdue)
	}
}
