package kv

import (
	"fmt"
	"strings"

	"go.etcd.io/raft/v3"
)

// Status is what a node says of itself. Nodes with the same Applied must have the same Hash.
type Status struct {
	ID      uint64   `json:"id"`
	Term    uint64   `json:"term"`
	Leader  uint64   `json:"leader"` // 0: none known
	Role    string   `json:"role"`   // follower, precandidate, candidate, leader
	Commit  uint64   `json:"commit"`
	Applied uint64   `json:"applied"`
	Hash    string   `json:"hash"`  // 16 hex digits over all keys, values and revisions
	First   uint64   `json:"first"` // of the log as it is kept
	Last    uint64   `json:"last"`
	Voters  []uint64 `json:"voters"`

	Learners []uint64          `json:"learners"`
	Members  map[uint64]string `json:"members"` // id: host:port
}

// Status describes the replica as it is now.
func (c *Core) Status() Status {
	st := c.raft.BasicStatus()
	first, _ := c.mem.FirstIndex() // a MemoryStorage never fails here
	last, _ := c.mem.LastIndex()
	return Status{
		ID: c.cfg.ID, Term: st.GetTerm(), Leader: st.Lead, Role: roleName(st.RaftState),
		Commit: st.GetCommit(), Applied: c.applied, Hash: fmt.Sprintf("%016x", c.state.hash),
		First: first, Last: last, Voters: c.conf.GetVoters(),
		Learners: c.conf.GetLearners(), Members: c.state.members.Addrs,
	}
}

func roleName(s raft.StateType) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "State"))
}
