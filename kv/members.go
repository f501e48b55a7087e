package kv

import (
	"fmt"
	"maps"
	"slices"

	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// Members are the nodes of a cluster. A value is never changed, only replaced.
type Members struct {
	Addrs map[uint64]string // host:port of voters and learners
	Last  uint64            // the highest id that was ever given: none is given twice
}

// Change is a change of the membership, or of who leads. One that names no member but gives an address
// adds a learner; one that names both replaces the member by a learner, in one (joint) step.
type Change struct {
	Kind ChangeKind `json:"kind"`
	ID   uint64     `json:"id,omitempty"`   // whom it is about
	Addr string     `json:"addr,omitempty"` // of the learner that is added
	New  uint64     `json:"new,omitempty"`  // its id, given by the leader
}

// ChangeKind is what a change does.
type ChangeKind string

// The kinds of change.
const (
	AddMember     ChangeKind = "add"
	PromoteMember ChangeKind = "promote"
	RemoveMember  ChangeKind = "remove"
	Transfer      ChangeKind = "transfer" // of leadership: it is begun, and nothing enters the log
)

// promoteLag is how many entries a learner may lack when it becomes a voter.
const promoteLag = 1000

// change begins a change, or refuses it. The leader decides alone, and on nothing but what it has applied
// in its own term: a change that was under way when the last leader fell is decided by then.
func (c *Core) change(r *Request) {
	st, ch := c.raft.BasicStatus(), r.Change
	if st.RaftState != raft.StateLeader {
		c.answer(r, Response{Err: refusal(CodeNotLeader, fmt.Sprintf("node %d leads", st.Lead))})
		return
	}
	switch objection := c.objection(ch); {
	case c.changing || c.appliedTerm != st.GetTerm() || st.LeadTransferee != raft.None || len(c.conf.GetVotersOutgoing()) > 0:
		c.answer(r, Response{Err: refusal(CodeBusy, "another change is under way")})
	case objection != nil:
		c.answer(r, Response{Err: objection})
	case ch.Kind == Transfer:
		c.raft.TransferLeader(ch.ID)
		c.answer(r, Response{}) // it has begun
	default:
		c.proposeChange(r)
	}
}

// objection is what speaks against a change.
func (c *Core) objection(ch *Change) *Error {
	_, member := c.state.members.Addrs[ch.ID]
	voter := slices.Contains(c.conf.GetVoters(), ch.ID)
	adds, promotes := ch.Kind == AddMember, ch.Kind == PromoteMember
	leaves := ch.Kind == RemoveMember || adds && ch.ID != 0
	taken := false
	for id, addr := range c.state.members.Addrs {
		taken = taken || adds && addr == ch.Addr && id != ch.ID
	}
	progress, left, alive := c.raft.Status().Progress, 0, 0 // voters, without the one
	for id, p := range progress {
		if id != ch.ID && !p.IsLearner {
			left++
			if id == c.cfg.ID || p.RecentActive {
				alive++
			}
		}
	}
	for _, rule := range []struct {
		broken     bool
		code, text string
	}{
		{(leaves || promotes) && !member, CodeBadRequest, "node %d is no member"},
		{promotes && voter, CodeBadRequest, "node %d is a voter already"},
		{ch.Kind == Transfer && !voter, CodeBadRequest, "node %d is no voter"},
		{taken, CodeBadRequest, "the address is another member's than %d's"},
		{promotes && (progress[ch.ID].Match == 0 || progress[ch.ID].Match+promoteLag < c.applied), CodeNotReady, "node %d lags behind"},
		{leaves && voter && alive <= left/2, CodeNotReady, "without node %d the voters that answer are no majority"},
	} {
		if rule.broken {
			return refusal(rule.code, fmt.Sprintf(rule.text, ch.ID))
		}
	}
	return nil
}

func (c *Core) proposeChange(r *Request) {
	single := func(t pb.ConfChangeType, id uint64) *pb.ConfChangeSingle {
		return &pb.ConfChangeSingle{Type: t.Enum(), NodeId: new(id)}
	}
	cc, ch := new(pb.ConfChangeV2), r.Change
	if ch.Kind == AddMember {
		ch.New = c.state.members.Last + 1
		cc.Changes = append(cc.Changes, single(pb.ConfChangeAddLearnerNode, ch.New))
	}
	if ch.Kind == PromoteMember {
		cc.Changes = append(cc.Changes, single(pb.ConfChangeAddNode, ch.ID))
	} else if ch.ID != 0 {
		cc.Changes = append(cc.Changes, single(pb.ConfChangeRemoveNode, ch.ID))
	}
	id := c.nextID()
	cc.Context = r.encode(id)
	err := c.raft.ProposeConfChange(cc)
	c.changing = err == nil
	c.await(r, id.Seq, err)
}

// applyChange takes in a committed change. The second entry of a joint one is empty; until then the
// members that go are still reached.
func (c *Core) applyChange(index uint64, data []byte) error {
	cc := new(pb.ConfChangeV2)
	if err := proto.Unmarshal(data, cc); err != nil {
		return fmt.Errorf("entry %d: %w", index, err)
	}
	c.conf = c.raft.ApplyConfChange(cc)
	c.changing, c.snapshotDue = false, true
	m := Members{Addrs: maps.Clone(c.state.members.Addrs), Last: c.state.members.Last}
	e, err := decodeEntry(cc.GetContext())
	if err == nil && e.Change != nil && e.Change.Kind == AddMember {
		m.Addrs[e.Change.New], m.Last = e.Change.Addr, max(m.Last, e.Change.New)
	}
	ids := slices.Concat(c.conf.GetVoters(), c.conf.GetLearners(), c.conf.GetVotersOutgoing())
	maps.DeleteFunc(m.Addrs, func(id uint64, _ string) bool { return !slices.Contains(ids, id) })
	c.setMembers(m)
	if e.Change != nil {
		c.finish(e.ID, Response{ID: e.Change.New})
	}
	return nil
}

// setMembers makes m known to those who need it, this node included: one that is no member any more stops
// serving.
func (c *Core) setMembers(m Members) {
	_, member := m.Addrs[c.cfg.ID]
	if _, was := c.state.members.Addrs[c.cfg.ID]; was && !member {
		c.Removed()
	}
	c.state.members = m
	c.cfg.Transport.SetPeers(m)
}

// Removed reports that this node is no member any more. It may never apply the change that says so: its
// peers stop talking to it.
func (c *Core) Removed() {
	if !c.removed {
		c.cfg.Logger.Warningf("removed from the cluster")
	}
	c.removed = true
}
