package kv

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
)

// Storage keeps what raft promises.
type Storage interface {
	// Save begins a write and returns at once. When all of it is synced, and not before, the driver calls
	// Core.Saved, from outside of Save. A crash before that leaves all of the write or nothing of it.
	// There is never more than one write under way.
	Save(w *Write)
}

// Write is one atomic change of what is on disk.
type Write struct {
	Hard     *pb.HardState
	Snapshot *pb.Snapshot // if not nil it replaces all that was there
	Entries  []*pb.Entry  // to append; each voids what is at its index and after it

	own     bool          // the snapshot is of this replica's own state
	appends []*pb.Message // that are carried out by it
}

// Image is what a disk holds when a replica starts on it.
type Image struct {
	ID       uint64 // the replica's
	Hard     *pb.HardState
	Snapshot *pb.Snapshot
	Entries  []*pb.Entry
}

// Transport carries messages to other nodes. It may lose them, it must not block.
type Transport interface {
	Send(m *pb.Message)
	SetPeers(m Members) // from now on
}

// Journal is told what a replica does to its state: replicas agree if their journals do.
type Journal interface {
	Boot(from uint64)                      // it starts with the state at index from
	Apply(index, term uint64, data []byte) // an entry
	Restore(index, term uint64)            // a snapshot from the leader replaced the state
	Leader(term uint64)                    // it leads; no message has said so yet
	Flush() error                          // once a tick
}

// CoreConfig is what a Core is given from outside.
type CoreConfig struct {
	ID             uint64 // set from the disk
	Boot           uint64 // random, new at each start
	ElectionTicks  int
	HeartbeatTicks int
	SnapshotEvery  uint64 // applied entries between snapshots
	Storage        Storage
	Transport      Transport
	Journal        Journal
	Logger         raft.Logger
}

// Core is one replica without its surroundings: no goroutine, no clock, no I/O of its own. It is driven
// by Tick, Step, Submit, Saved and the reports of the transport, each followed (singly or in a batch)
// by Process. It must be used by one goroutine at a time.
type Core struct {
	cfg   CoreConfig
	raft  *raft.RawNode
	mem   *raft.MemoryStorage // the log that is on disk, as raft reads it
	state *state

	conf        *pb.ConfState // membership at the applied index
	changing    bool          // this leader has proposed another
	removed     bool          // this node is no member any more
	applied     uint64
	appliedTerm uint64 // of the entry at the applied index
	snapshot    uint64 // index of the newest snapshot
	snapshotDue bool   // membership has changed: one that joins must find itself in what it is sent

	hard    *pb.HardState // newest, ahead of the disk at times
	synced  *pb.HardState // of the last write
	unsaved []*pb.Message // MsgStorageAppend, for the next write
	writing *Write        // under way
	began   uint64        // tick at which it did
	broken  error         // a write that failed

	leader uint64
	role   raft.StateType
	ticks  uint64

	writes writes
	reads  reads
}

// NewCore starts a replica on what its disk holds. When it returns, every entry that the disk knows to
// be committed has been applied.
func NewCore(cfg CoreConfig, disk Image) (*Core, error) {
	st, err := decodeState(disk.Snapshot.GetData())
	if err != nil {
		return nil, fmt.Errorf("load snapshot: %w", err)
	}
	mem := raft.NewMemoryStorage()
	if disk.Snapshot.GetMetadata().GetIndex() > 0 { // else it joins, and has nothing yet
		err = mem.ApplySnapshot(disk.Snapshot)
	}
	if err := errors.Join(err, mem.Append(disk.Entries), mem.SetHardState(disk.Hard)); err != nil {
		return nil, fmt.Errorf("load log: %w", err)
	}
	meta := disk.Snapshot.GetMetadata()
	rn, err := raft.NewRawNode(&raft.Config{
		ID: disk.ID, ElectionTick: cfg.ElectionTicks, HeartbeatTick: cfg.HeartbeatTicks,
		Storage: mem, Applied: meta.GetIndex(), AsyncStorageWrites: true,
		MaxSizePerMsg: 1 << 20, MaxCommittedSizePerReady: 4 << 20, MaxUncommittedEntriesSize: 64 << 20,
		MaxInflightMsgs: 256, MaxInflightBytes: 16 << 20,
		PreVote: true, CheckQuorum: true, ReadOnlyOption: raft.ReadOnlySafe, StepDownOnRemoval: true,
		Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	cfg.ID = disk.ID
	c := &Core{
		cfg: cfg, raft: rn, mem: mem, state: st,
		conf: meta.GetConfState(), snapshot: meta.GetIndex(),
		applied: meta.GetIndex(), appliedTerm: meta.GetTerm(),
		hard: disk.Hard, synced: disk.Hard,
	}
	cfg.Journal.Boot(c.applied)
	_, member := st.members.Addrs[cfg.ID]
	c.removed = !member
	c.setMembers(st.members)
	return c, c.Process()
}

// Tick moves raft's clock by one tick and answers the requests whose deadline has passed.
func (c *Core) Tick(now time.Time) {
	c.ticks++
	hangs := c.writing != nil && c.ticks-c.began > uint64(2*c.cfg.ElectionTicks)  // its disk: another must lead
	if !hangs && (!c.removed || !slices.Contains(c.conf.GetVoters(), c.cfg.ID)) { // else it would ask for votes for ever
		c.raft.Tick()
	}
	c.writes.waiting = slices.DeleteFunc(c.writes.waiting, func(w write) bool { return c.overdue(w.Request, now) })
	c.expireReads(now)
	if c.ticks > c.reads.since+uint64(c.cfg.ElectionTicks) { // sooner, and far nodes would never get their answers
		c.retryReads()
	}
	if c.ticks%uint64(2*c.cfg.HeartbeatTicks) == 0 {
		for _, id := range c.conf.GetLearners() { // one that has caught up becomes a voter
			c.change(&Request{Change: &Change{Kind: PromoteMember, ID: id}, Done: func(Response) {}})
		}
	}
}

// Step takes in a message from another node. One that raft has no use for is as good as lost, and so is a
// question that comes too early: see askReads.
func (c *Core) Step(m *pb.Message) {
	if m.GetType() == pb.MsgReadIndex && len(c.conf.GetVoters()) == 1 && c.fresh() {
		return
	}
	if err := c.raft.Step(m); err != nil {
		c.cfg.Logger.Debugf("%s from %d: %v", m.GetType(), m.GetFrom(), err)
	}
}

// Submit takes in a client's request, which must be sound: see Command.check.
func (c *Core) Submit(r *Request) {
	switch {
	case c.removed:
		c.answer(r, Response{Err: refusal(CodeRemoved, "removed from the cluster")})
	case r.Change != nil:
		c.change(r)
	case r.reads():
		c.submitRead(r)
	default:
		c.writes.unproposed = append(c.writes.unproposed, r)
	}
}

// Unreachable reports that a message to a node was lost.
func (c *Core) Unreachable(id uint64) { c.raft.ReportUnreachable(id) }

// SnapshotSent reports how the delivery of a snapshot ended. Without it raft would wait for ever.
func (c *Core) SnapshotSent(id uint64, ok bool) {
	c.raft.ReportSnapshot(id, map[bool]raft.SnapshotStatus{true: raft.SnapshotFinish, false: raft.SnapshotFailure}[ok])
}

// answer completes a request.
func (c *Core) answer(r *Request, res Response) {
	res.Term = c.hard.GetTerm()
	r.Done(res)
}

// overdue says whether a request is to be given up, and answers it if so.
func (c *Core) overdue(r *Request, now time.Time) bool {
	if now.Before(r.Deadline) {
		return false
	}
	code := CodeTimeout
	if c.leader == raft.None {
		code = CodeNoLeader
	}
	c.answer(r, Response{Err: loss(r, code, "no answer until the deadline")})
	return true
}
