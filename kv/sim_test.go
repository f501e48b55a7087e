package kv

import (
	"fmt"
	"io"
	"log"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3"
	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// sim is some cores in one goroutine, with a network and disks that do what a test tells them.
type sim struct {
	t        *testing.T
	every    uint64 // entries between snapshots
	replicas map[uint64]*replica
	network  []*pb.Message
	cut      map[uint64]bool
	now      time.Time
	boots    uint64
	out      strings.Builder

	// What has been seen once must never be seen otherwise.
	entries map[uint64]string // by index
	hashes  map[uint64]uint64 // of the state, by applied index
	leaders map[uint64]uint64 // by term
}

// replica is one core and what outlives it.
type replica struct {
	s       *sim
	id      uint64
	core    *Core // nil: crashed
	disk    Image
	pending *Write // begun, not on disk
	members Members
}

func newSim(t *testing.T, size int, every uint64) *sim {
	s := &sim{
		t: t, every: every, replicas: make(map[uint64]*replica), cut: make(map[uint64]bool),
		now: time.Unix(0, 0), entries: make(map[uint64]string), hashes: make(map[uint64]uint64), leaders: make(map[uint64]uint64),
	}
	voters, addrs := make([]uint64, size), make(map[uint64]string)
	for i := range voters {
		voters[i] = uint64(i + 1)
		addrs[voters[i]] = fmt.Sprintf("host%d:1", i+1)
	}
	one := uint64(1)
	for _, id := range voters {
		st := newState()
		st.members = Members{Addrs: addrs, Last: uint64(size)}
		s.add(Image{
			ID: id, Hard: &pb.HardState{Term: &one, Commit: &one},
			Snapshot: &pb.Snapshot{Data: st.encode(), Metadata: &pb.SnapshotMetadata{
				Index: &one, Term: &one, ConfState: &pb.ConfState{Voters: voters},
			}},
		})
	}
	return s
}

// add starts a new replica on a disk.
func (s *sim) add(disk Image) {
	s.replicas[disk.ID] = &replica{s: s, id: disk.ID, disk: disk}
	s.start(disk.ID)
}

// join starts a replica as Node.join does: it knows the members, itself among them, and nothing else.
func (s *sim) join(id uint64) {
	st := newState()
	for _, r := range s.replicas {
		if r.members.Addrs[id] != "" && r.members.Last >= st.members.Last {
			st.members = r.members
		}
	}
	require.NotEmpty(s.t, st.members.Addrs, "nobody knows node %d", id)
	s.add(Image{ID: id, Hard: new(pb.HardState), Snapshot: &pb.Snapshot{Data: st.encode(), Metadata: new(pb.SnapshotMetadata)}})
}

func (s *sim) ids() []uint64 { return slices.Sorted(maps.Keys(s.replicas)) }

func (s *sim) start(id uint64) {
	s.boots++
	r := s.replicas[id]
	var err error
	r.core, err = NewCore(CoreConfig{
		Boot: s.boots, ElectionTicks: 10, HeartbeatTicks: 1, SnapshotEvery: s.every,
		Storage: r, Transport: r, Journal: r, Logger: discard(),
	}, r.disk)
	if err != nil {
		s.t.Fatal(err)
	}
}

// crash loses what is not on disk.
func (s *sim) crash(id uint64) { s.replicas[id].core, s.replicas[id].pending = nil, nil }

// Send implements Transport.
func (r *replica) Send(m *pb.Message) {
	r.s.network = append(r.s.network, proto.Clone(m).(*pb.Message))
}

// SetPeers implements Transport.
func (r *replica) SetPeers(m Members) { r.members = m }

// Flush implements Journal.
func (r *replica) Flush() error { return nil }

// discard is a logger of nothing.
func discard() raft.Logger { return &raft.DefaultLogger{Logger: log.New(io.Discard, "", 0)} }

// Save implements Storage.
func (r *replica) Save(w *Write) { r.pending = w }

// Boot, Apply, Restore and Leader implement Journal.
func (r *replica) Boot(from uint64) { r.s.log("%d: boots from snapshot %d", r.id, from) }

func (r *replica) Apply(index, term uint64, data []byte) {
	r.s.log("%d: applies %d of term %d", r.id, index, term)
	once(r.s, r.s.entries, index, fmt.Sprintf("term %d: %s", term, data), "entry")
}

func (r *replica) Restore(index, _ uint64) { r.s.log("%d: restores snapshot %d", r.id, index) }

func (r *replica) Leader(term uint64) {
	r.s.log("%d: leads term %d", r.id, term)
	once(r.s, r.s.leaders, term, r.id, "leader of term")
}

// once fails if a thing is other than it was when it was seen first.
func once[T comparable](s *sim, seen map[uint64]T, at uint64, now T, what string) {
	if was, ok := seen[at]; ok && was != now {
		s.t.Errorf("%s %d is %v, and was %v", what, at, now, was)
	}
	seen[at] = now
}

func (s *sim) log(format string, a ...any) { fmt.Fprintf(&s.out, format+"\n", a...) }

// process lets a replica work.
func (s *sim) process(r *replica) {
	if err := r.core.Process(); err != nil {
		s.log("%d: ends: %v", r.id, err)
		s.crash(r.id)
		return
	}
	once(s, s.hashes, r.core.applied, r.core.state.hash, "hash at")
}

// save completes the write under way.
func (s *sim) save(id uint64) bool {
	r := s.replicas[id]
	if r.core == nil || r.pending == nil {
		return false
	}
	w := r.pending
	r.pending = nil
	r.disk.write(w)
	r.core.Saved(nil)
	s.process(r)
	return true
}

// write does what disk.write does, in memory.
func (img *Image) write(w *Write) {
	img.Hard = w.Hard
	if w.Snapshot != nil {
		img.Snapshot, img.Entries = w.Snapshot, nil
	}
	for _, e := range w.Entries {
		img.Entries = slices.DeleteFunc(slices.Clone(img.Entries), func(old *pb.Entry) bool {
			return old.GetIndex() >= e.GetIndex()
		})
		img.Entries = append(img.Entries, e)
	}
}

// deliver hands over all messages that are under way; those from and to nodes that are cut off are lost.
func (s *sim) deliver() bool {
	batch := s.network
	s.network = nil
	for _, m := range batch {
		s.hand(m)
	}
	return len(batch) > 0
}

// hand delivers one message, and reports what became of it as the transport does.
func (s *sim) hand(m *pb.Message) {
	from, to := s.replicas[m.GetFrom()], s.replicas[m.GetTo()]
	if to == nil || to.core == nil || s.cut[m.GetTo()] || s.cut[m.GetFrom()] {
		s.lose(m)
		return
	}
	banned := from.banned(to)
	if from.core != nil {
		if m.GetType() == pb.MsgSnap {
			from.core.SnapshotSent(m.GetTo(), !banned)
		}
		if banned {
			from.core.Removed()
		}
		s.process(from)
	}
	if !banned && to.core != nil {
		to.core.Step(m)
		s.process(to)
	}
}

// lose reports that a message was lost. That of a crashed node nobody misses.
func (s *sim) lose(m *pb.Message) {
	from := s.replicas[m.GetFrom()]
	switch {
	case from.core == nil:
		return
	case m.GetType() == pb.MsgSnap:
		from.core.SnapshotSent(m.GetTo(), false)
	default:
		from.core.Unreachable(m.GetTo())
	}
	s.process(from)
}

// banned says whether another replica knows that this one was removed.
func (r *replica) banned(other *replica) bool {
	return r.id <= other.members.Last && other.members.Addrs[r.id] == ""
}

// settle delivers and saves until nothing moves.
func (s *sim) settle() {
	for again := true; again; {
		again = s.deliver()
		for _, id := range s.ids() {
			again = s.save(id) || again
		}
	}
}

// tick moves a node's clock, and time itself.
func (s *sim) tick(id uint64, n int) {
	for range n {
		s.now = s.now.Add(25 * time.Millisecond)
		if r := s.replicas[id]; r.core != nil {
			r.core.Tick(s.now)
			s.process(r)
		}
	}
}

// submit sends a request; its answer goes into the story.
func (s *sim) submit(id uint64, name string, req *Request) {
	r := s.replicas[id]
	req.Deadline = s.now.Add(2 * time.Second)
	req.Done = func(res Response) {
		switch {
		case res.Err != nil:
			s.log("%d: %s: %s, definite %t", id, name, res.Err.Code, res.Err.Definite)
		case req.Change != nil:
			s.log("%d: %s: done%s", id, name, map[bool]string{true: fmt.Sprintf(", node %d", res.ID)}[res.ID != 0])
		default:
			s.log("%d: %s: %s", id, name, describe(res))
		}
	}
	r.core.Submit(req)
	s.process(r)
}

// describe tells the results of a command.
func describe(res Response) string {
	var parts []string
	if res.Else {
		parts = append(parts, "else")
	}
	for _, one := range res.Results {
		switch {
		case one.Rev == 0:
			parts = append(parts, "absent")
		case one.Value == nil:
			parts = append(parts, fmt.Sprintf("done by %d", one.Rev))
		default:
			parts = append(parts, fmt.Sprintf("%q since %d", one.Value, one.Rev))
		}
	}
	return strings.Join(parts, ", ")
}
