package kv

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
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
	case "put", "get", "delete", "append", "add":
		s.submit(number(t, args[0]), verb+" "+args[1], request(t, verb, args[1:]))
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

// request reads KEY [VALUE] [old=V] [rev=N] [session=N,SEQ] [mode=M].
func request(t *testing.T, verb string, args []string) *Request {
	op := Op{Kind: Kind(verb), Key: []byte(args[0])}
	req := new(Request)
	for _, a := range args[1:] {
		name, value, named := strings.Cut(a, "=")
		switch {
		case !named && op.Kind == Add:
			op.Delta = int64(number(t, a))
		case !named:
			op.Value = []byte(a)
		case name == "session":
			_, err := fmt.Sscanf(value, "%d,%d", &req.Session, &req.Seq)
			require.NoError(t, err)
		case name == "mode":
			req.Mode = Mode(value)
		default:
			cond := Cond{Key: op.Key, Value: []byte(value)}
			if name == "rev" {
				cond.Rev = new(number(t, value))
			}
			req.If, req.Else = []Cond{cond}, []Op{{Kind: Get, Key: op.Key}}
		}
	}
	req.Then = []Op{op}
	return req
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
		req := request(t, "get", []string{"k"})
		req.Done = func(Response) { answers++ }
		r.core.Submit(req)
	}
	s.process(r)
	require.Len(t, s.network, 1)
	s.settle()
	require.Equal(t, 10, answers)
}
