package kv

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/raft/v3/raftpb"
)

// TestCore plays the stories in testdata/core. The language, one verb a line:
//
//	nodes N [every=N]         a new cluster; a snapshot every so many entries
//	campaign I                node I asks for votes
//	tick I N                  N ticks at node I
//	put I KEY VALUE, append I KEY VALUE, add I KEY N, delete I KEY, get I KEY
//	                          a request at node I, with [old=V] [rev=N] [session=N,SEQ] [mode=M]
//	open I                    a session is opened at node I
//	txn I [if KEY=V KEY@REV…] then OP… [else OP…]
//	                          a transaction; OP is KIND:KEY[:VALUE]
//	member I ADDR [replace=J] the leader I is to add a member that is at ADDR
//	promote I J, remove I J, transfer I J
//	                          the leader I is to make J a voter, to remove it, to hand leadership to it
//	join I                    a node starts that has been added
//	deliver, settle           messages; messages and disks until nothing moves
//	drop I J, reverse, twice  of the messages under way those from I to J are lost; all overtake each other; come twice
//	save I, fail I            the write under way at node I is synced; the disk of node I fails
//	cut I…, heal              lose what these nodes send and are sent; lose nothing
//	crash I…, start I…
//	status, members           of every node
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
	case "drop":
		from, to := number(t, args[0]), number(t, args[1])
		s.network = slices.DeleteFunc(s.network, func(m *pb.Message) bool {
			drop := m.GetFrom() == from && m.GetTo() == to
			if drop {
				s.lose(m)
			}
			return drop
		})
	case "reverse":
		slices.Reverse(s.network)
	case "twice":
		s.network = append(s.network, s.network...)
	case "status":
		s.status()
	case "members":
		s.members()
	case "tick":
		s.tick(number(t, args[0]), int(number(t, args[1])))
	case "open":
		s.submit(number(t, args[0]), verb, &Request{Command: Command{Then: []Op{{Kind: Open}}}})
	case "txn":
		s.submit(number(t, args[0]), verb, transaction(t, args[1:]))
	case "put", "get", "delete", "append", "add":
		s.submit(number(t, args[0]), verb+" "+args[1], request(t, verb, args[1:]))
	case "member", "promote", "remove", "transfer":
		s.submit(number(t, args[0]), strings.Join(append(words[:1:1], args[1:]...), " "), change(t, verb, args[1:]))
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
	case "join":
		s.join(id)
	default:
		s.t.Fatalf("unknown verb %q", verb)
	}
}

func (s *sim) members() {
	for _, id := range s.ids() {
		if c := s.replicas[id].core; c != nil {
			st := c.Status()
			s.log("%d: voters %v, learners %v, removed %t, %v", id, st.Voters, st.Learners, st.Removed, st.Members)
		}
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

// transaction reads [if KEY=V KEY@REV…] then OP… [else OP…].
func transaction(t *testing.T, args []string) *Request {
	req, part := new(Request), ""
	for _, a := range args {
		switch {
		case a == "if" || a == "then" || a == "else":
			part = a
		case part == "if":
			key, value, byValue := strings.Cut(a, "=")
			cond := Cond{Key: []byte(key), Value: []byte(value)}
			if !byValue {
				key, rev, _ := strings.Cut(a, "@")
				cond = Cond{Key: []byte(key), Rev: new(number(t, rev))}
			}
			req.If = append(req.If, cond)
		default:
			words := append(strings.Split(a, ":"), "")
			op := Op{Kind: Kind(words[0]), Key: []byte(words[1]), Value: []byte(words[2])}
			if op.Kind == Add {
				op.Delta, op.Value = int64(number(t, words[2])), nil
			}
			if part == "then" {
				req.Then = append(req.Then, op)
			} else {
				req.Else = append(req.Else, op)
			}
		}
	}
	require.Nil(t, req.check())
	return req
}

// change reads ADDR [replace=J] or J.
func change(t *testing.T, verb string, args []string) *Request {
	if verb != "member" {
		return &Request{Change: &Change{Kind: ChangeKind(verb), ID: number(t, args[0])}}
	}
	ch := &Change{Kind: AddMember, Addr: args[0]}
	if len(args) > 1 {
		ch.ID = number(t, strings.TrimPrefix(args[1], "replace="))
	}
	return &Request{Change: ch}
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
