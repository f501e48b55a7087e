package kv

import (
	"fmt"

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
	w := &Write{Hard: c.hard, Appends: c.unsaved}
	compacts := c.applied-c.snapshot >= c.cfg.SnapshotEvery || c.snapshotDue
	if !compacts && !c.mustSync() {
		c.unsaved = nil
		c.broken = c.saved(w)
		return len(w.Appends) > 0
	}
	if compacts {
		w.Snapshot, w.Drop = c.ownSnapshot(), c.applied-min(c.applied, c.cfg.SnapshotEvery/2)
		c.snapshot, c.snapshotDue = c.applied, false
	}
	c.writing, c.unsaved = w, nil
	c.cfg.Storage.Save(w)
	return false
}

func (c *Core) mustSync() bool {
	for _, m := range c.unsaved {
		if len(m.GetEntries()) > 0 || m.GetSnapshot() != nil {
			return true
		}
	}
	return raft.MustSync(c.hard, c.synced, 0)
}

// ownSnapshot is of the state as it is now. The log before it is kept for half a snapshot interval: a
// follower that is a little behind catches up from the log much cheaper than from a snapshot.
func (c *Core) ownSnapshot() *pb.Snapshot {
	return &pb.Snapshot{
		Data:     c.state.encode(),
		Metadata: &pb.SnapshotMetadata{ConfState: c.conf, Index: new(c.applied), Term: new(c.appliedTerm)},
	}
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

// compact drops from memory what a write has dropped from the disk.
func (c *Core) compact(w *Write) error {
	if w.Snapshot == nil {
		return nil
	}
	meta := w.Snapshot.GetMetadata()
	if _, err := c.mem.CreateSnapshot(meta.GetIndex(), meta.GetConfState(), w.Snapshot.GetData()); err != nil {
		return fmt.Errorf("snapshot %d: %w", meta.GetIndex(), err)
	}
	if first, _ := c.mem.FirstIndex(); w.Drop < first {
		return nil // a restart keeps no entries from before the snapshot
	}
	return c.mem.Compact(w.Drop)
}

// saved shows raft what is on disk now, and lets the messages go that promise it.
func (c *Core) saved(w *Write) error {
	for _, m := range w.Appends {
		if m.GetSnapshot() != nil {
			if err := c.restore(m.GetSnapshot()); err != nil {
				return fmt.Errorf("restore: %w", err)
			}
		}
		if err := c.mem.Append(m.GetEntries()); err != nil {
			return err
		}
	}
	for _, m := range w.Appends {
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
