package kv

import (
	"fmt"
	"math"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// save begins a write if there is something to write and none is under way; what comes meanwhile waits
// and is written together. It says whether it has given raft something new to do.
//
// The messages that raft attaches to an append (votes, append responses) promise what is on disk: they
// leave in Saved. An append that changes neither log nor term nor vote needs no disk: a commit index
// can be learned again, so it waits in memory for the next write.
func (c *Core) save() bool {
	if c.writing != nil {
		return false
	}
	w := &Write{Hard: c.hard, appends: c.unsaved}
	if c.applied-c.snapshot >= c.cfg.SnapshotEvery || c.snapshotDue {
		c.takeSnapshot(w)
	}
	for _, m := range c.unsaved {
		if m.GetSnapshot() != nil {
			w.Snapshot, w.Entries, w.own = m.GetSnapshot(), nil, false
		}
		w.Entries = append(w.Entries, m.GetEntries()...)
	}
	c.unsaved = nil
	if w.Snapshot == nil && !raft.MustSync(c.hard, c.synced, len(w.Entries)) {
		c.broken = c.saved(w)
		return len(w.appends) > 0
	}
	c.writing, c.began = w, c.ticks
	c.cfg.Storage.Save(w)
	return false
}

// takeSnapshot puts the state as it is now into a write, and the log after it.
func (c *Core) takeSnapshot(w *Write) {
	w.own, w.Snapshot = true, &pb.Snapshot{
		Data:     c.state.encode(),
		Metadata: &pb.SnapshotMetadata{ConfState: c.conf, Index: new(c.applied), Term: new(c.appliedTerm)},
	}
	if last, _ := c.mem.LastIndex(); last > c.applied { // a MemoryStorage never fails here
		w.Entries, _ = c.mem.Entries(c.applied+1, last+1, math.MaxUint64)
		w.Entries = slices.Clip(w.Entries)
	}
	c.snapshot, c.snapshotDue = c.applied, false
}

// Saved reports that the write under way is synced, or has failed. After a failure nobody knows what is
// on disk, not even whether a second try would tell: the replica has ended, and Process says so.
func (c *Core) Saved(err error) {
	w := c.writing
	c.writing = nil
	if err == nil {
		c.synced = w.Hard
		err = c.compact(w)
	}
	if err == nil {
		err = c.saved(w)
	}
	c.broken = err
}

// compact drops the log before a snapshot, but for half an interval: a follower that is a little behind
// catches up from the log much cheaper than from a snapshot.
func (c *Core) compact(w *Write) error {
	if !w.own {
		return nil
	}
	meta := w.Snapshot.GetMetadata()
	if _, err := c.mem.CreateSnapshot(meta.GetIndex(), meta.GetConfState(), w.Snapshot.GetData()); err != nil {
		return fmt.Errorf("snapshot %d: %w", meta.GetIndex(), err)
	}
	first, _ := c.mem.FirstIndex()
	if keep := c.cfg.SnapshotEvery / 2; first+keep <= meta.GetIndex() {
		return c.mem.Compact(meta.GetIndex() - keep)
	}
	return nil
}

// saved shows raft what is on disk now, and lets the messages go that promise it.
func (c *Core) saved(w *Write) error {
	for _, m := range w.appends {
		if m.GetSnapshot() != nil {
			if err := c.restore(m.GetSnapshot()); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
		}
		if err := c.mem.Append(m.GetEntries()); err != nil {
			return err
		}
	}
	for _, m := range w.appends {
		c.deliver(m.GetResponses())
	}
	return nil
}

// restore replaces the state by the leader's.
func (c *Core) restore(snap *pb.Snapshot) error {
	st, err := decodeState(snap.GetData())
	if err != nil {
		return err
	}
	if err := c.mem.ApplySnapshot(snap); err != nil {
		return err
	}
	meta := snap.GetMetadata()
	c.state, c.conf = st, meta.GetConfState()
	c.setMembers(st.members)
	c.applied, c.appliedTerm, c.snapshot = meta.GetIndex(), meta.GetTerm(), meta.GetIndex()
	c.cfg.Journal.Restore(meta.GetIndex(), meta.GetTerm())
	return nil
}
