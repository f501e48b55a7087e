package kv

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3"
)

// TestCore plays the stories in testdata/core. The language, one verb a line:
//
//	nodes N [every=N]         a new cluster; a snapshot every so many entries
//	campaign I                node I asks for votes
//	tick I N                  N ticks at node I
//	put I KEY VALUE [old=V] [rev=N]
//	delete I KEY, get I KEY   a request at node I
//	deliver, settle           messages; messages and disks until nothing moves
//	save I, fail I            the write under way at node I is synced; the disk of node I fails
//	cut I…, heal              lose what these nodes send and are sent; lose nothing
//	crash I…, start I…
//	status                    of every node
func TestCore(t *testing.T) {
	datadriven.Walk(t, "testdata/core", func(t *testing.T, path string) {
		cryptotest.SetGlobalRandom(t, 1) // raft draws its election time-outs from crypto/rand
		var s *sim
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "play", d.Cmd)
			for line := range strings.Lines(d.Input) {
				s = play(t, s, strings.Fields(line))
			}
			out := s.out.String()
			s.out.Reset()
			if out == "" {
				return "-\n"
			}
			return out
		})
	})
}

func play(t *testing.T, s *sim, words []string) *sim {
	verb, args := words[0], words[1:]
	if verb == "nodes" {
		every := uint64(1000)
		if len(args) > 1 {
			_, err := fmt.Sscanf(args[1], "every=%d", &every)
			require.NoError(t, err)
		}
		return newSim(t, int(number(t, args[0])), every)
	}
	switch verb {
	case "deliver":
		s.deliver()
	case "settle":
		s.settle()
	case "heal":
		clear(s.cut)
	case "status":
		s.status()
	case "tick":
		s.tick(number(t, args[0]), int(number(t, args[1])))
	case "put", "get", "delete":
		s.submit(number(t, args[0]), request(t, verb, args[1:]))
	default:
		for _, a := range args {
			s.each(verb, number(t, a))
		}
	}
	return s
}

// each carries out a verb that takes nodes.
func (s *sim) each(verb string, id uint64) {
	switch r := s.replicas[id]; verb {
	case "campaign":
		require.NoError(s.t, r.core.raft.Campaign())
		s.process(r)
	case "save":
		require.True(s.t, s.save(id), "nothing to save at node %d", id)
	case "fail":
		r.core.Saved(errors.New("disk on fire"))
		s.process(r)
	case "cut":
		s.cut[id] = true
	case "crash":
		s.crash(id)
	case "start":
		s.start(id)
	default:
		s.t.Fatalf("unknown verb %q", verb)
	}
}

func (s *sim) status() {
	for _, id := range s.ids() {
		if c := s.replicas[id].core; c != nil {
			st := c.Status()
			s.log("%d: term %d %s of %d, log %d-%d, commit %d, applied %d, hash %.4s",
				id, st.Term, st.Role, st.Leader, st.First, st.Last, st.Commit, st.Applied, st.Hash)
		}
	}
}

func request(t *testing.T, verb string, args []string) Command {
	cmd := Command{Op: map[string]Op{"get": Get, "put": Put, "delete": Delete}[verb], Key: args[0]}
	for _, a := range args[1:] {
		switch name, value, named := strings.Cut(a, "="); {
		case !named:
			cmd.Value = []byte(a)
		case name == "old":
			cmd.If, cmd.Old = IfValue, []byte(value)
		default:
			cmd.If, cmd.Rev = IfRevision, number(t, value)
		}
	}
	return cmd
}

func number(t *testing.T, word string) uint64 {
	var n uint64
	_, err := fmt.Sscan(word, &n)
	require.NoError(t, err)
	return n
}

// TestReadsAreBatched: all reads of one turn cost one ReadIndex.
func TestReadsAreBatched(t *testing.T) {
	s := newSim(t, 3, 1000)
	s.each("campaign", 1)
	s.settle()
	r, answers := s.replicas[2], 0
	for range 10 {
		r.core.Submit(&Request{Command: Command{Op: Get, Key: "k"}, Done: func(Response) { answers++ }})
	}
	s.process(r)
	require.Len(t, s.network, 1)
	s.settle()
	require.Equal(t, 10, answers)
}

// TestAbandonedRequestsAreDropped: nobody waits, so nothing is kept and nobody is called.
func TestAbandonedRequestsAreDropped(t *testing.T) {
	s := newSim(t, 3, 1000)
	s.each("campaign", 1)
	s.settle()
	for _, op := range []Op{Get, Put} {
		req := &Request{Command: Command{Op: op, Key: "k"}, Deadline: s.now.AddDate(1, 0, 0), Done: func(Response) {
			t.Error("answered")
		}}
		s.replicas[2].core.Submit(req)
		s.process(s.replicas[2])
		req.Abandon()
	}
	s.network = nil
	s.tick(2, 1)
	require.Empty(t, s.replicas[2].core.writes.waiting)
	require.Equal(t, raft.StateFollower, s.replicas[2].core.role)
	require.Empty(t, s.replicas[2].core.reads.asked[0].reads)
}
