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
		now: time.Unix(0, 0),
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
		s.replicas[id] = &replica{s: s, id: id, disk: Image{
			ID: id, Hard: &pb.HardState{Term: &one, Commit: &one},
			Snapshot: &pb.Snapshot{Data: st.encode(), Metadata: &pb.SnapshotMetadata{
				Index: &one, Term: &one, ConfState: &pb.ConfState{Voters: voters},
			}},
		}}
		s.start(id)
	}
	return s
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

func (r *replica) Apply(index, term uint64, _ []byte) {
	r.s.log("%d: applies %d of term %d", r.id, index, term)
}

func (r *replica) Restore(index, _ uint64) { r.s.log("%d: restores snapshot %d", r.id, index) }
func (r *replica) Leader(term uint64)      { r.s.log("%d: leads term %d", r.id, term) }

func (s *sim) log(format string, a ...any) { fmt.Fprintf(&s.out, format+"\n", a...) }

// process lets a replica work.
func (s *sim) process(r *replica) {
	if err := r.core.Process(); err != nil {
		s.log("%d: ends: %v", r.id, err)
		s.crash(r.id)
	}
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
		kept := slices.DeleteFunc(slices.Clone(img.Entries), func(old *pb.Entry) bool {
			return old.GetIndex() >= e.GetIndex()
		})
		img.Entries = append(kept, e)
	}
}

// deliver hands over all messages that are under way; those from and to nodes that are cut off are lost.
func (s *sim) deliver() bool {
	batch := s.network
	s.network = nil
	for _, m := range batch {
		to := s.replicas[m.GetTo()]
		lost := to.core == nil || s.cut[m.GetTo()] || s.cut[m.GetFrom()]
		if from := s.replicas[m.GetFrom()].core; from != nil && m.GetType() == pb.MsgSnap {
			from.SnapshotSent(m.GetTo(), !lost)
		} else if from != nil && lost {
			from.Unreachable(m.GetTo())
		}
		if !lost {
			to.core.Step(m)
			s.process(to)
		}
	}
	return len(batch) > 0
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
			s.log("%d: %s: done", id, name)
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
