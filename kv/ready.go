package kv

import (
	"fmt"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// Process does all the work that has become possible. An error means that the replica must not go on:
// what its disk holds is no longer known.
func (c *Core) Process() error {
	if c.broken != nil {
		return fmt.Errorf("save: %w", c.broken)
	}
	c.propose()
	c.askReads()
	for again := true; again; again = c.save() {
		for c.raft.HasReady() {
			if err := c.handle(c.raft.Ready()); err != nil {
				return err
			}
		}
	}
	return nil
}

// handle takes one Ready through the steps that doc.go explains: apply, send, queue what is to be saved.
func (c *Core) handle(rd raft.Ready) error {
	changed := c.observe(rd)
	if err := c.apply(rd); err != nil {
		return err
	}
	var asks []*pb.Message // for votes; raft v3.7 itself would send them before the node's own vote is on disk
	for _, m := range rd.Messages {
		switch {
		case m.GetTo() == raft.LocalAppendThread:
			m.Responses = append(m.Responses, asks...)
			c.unsaved = append(c.unsaved, m)
		case m.GetTo() == raft.LocalApplyThread:
			c.deliver(m.GetResponses())
		case m.GetType() == pb.MsgVote:
			asks = append(asks, m)
		default:
			c.cfg.Transport.Send(m)
		}
	}
	c.confirmReads(rd.ReadStates)
	c.askReads() // those that waited, for a leader or for their turn
	c.serveReads()
	if changed {
		c.failOutlived()
	}
	return nil
}

// observe takes in term, leader and role, and says whether one has changed. That a node leads is in its
// journal before any message says so.
func (c *Core) observe(rd raft.Ready) bool {
	old := c.hard.GetTerm()
	if !raft.IsEmptyHardState(rd.HardState) {
		c.hard = rd.HardState
	}
	term := c.hard.GetTerm()
	if rd.SoftState == nil {
		return term != old
	}
	c.changing = c.changing && rd.RaftState == raft.StateLeader
	if rd.RaftState == raft.StateLeader && (c.role != raft.StateLeader || term != old) {
		c.cfg.Journal.Leader(term)
	}
	if rd.Lead != c.leader {
		c.retryReads()
	}
	c.leader, c.role = rd.Lead, rd.RaftState
	return true
}

// apply brings the state forward by the entries that are both committed and on this node's disk.
func (c *Core) apply(rd raft.Ready) error {
	for _, e := range rd.CommittedEntries {
		c.applied, c.appliedTerm = e.GetIndex(), e.GetTerm()
		c.cfg.Journal.Apply(e.GetIndex(), e.GetTerm(), e.GetData())
		switch {
		case e.GetType() == pb.EntryConfChangeV2:
			if err := c.applyChange(e.GetIndex(), e.GetData()); err != nil {
				return err
			}
		case len(e.GetData()) > 0: // a new leader's first entry is empty
			c.applyCommand(e.GetIndex(), e.GetData())
		}
	}
	return nil
}

// deliver passes on messages that were held back: raft's own to raft, the others to their nodes.
func (c *Core) deliver(messages []*pb.Message) {
	for _, m := range messages {
		if m.GetTo() == c.cfg.ID {
			c.Step(m)
		} else {
			c.cfg.Transport.Send(m)
		}
	}
}
