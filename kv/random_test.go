package kv

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"
	"go.etcd.io/raft/v3"
)

// run is a simulation in which anything may happen next, with clients that try until they succeed.
type run struct {
	*sim
	rng     *rand.Rand
	clients []*client
	written []string // appended and acknowledged
}

// client appends numbered words to one key, each until it is acknowledged, and reads what is there.
type client struct {
	name    string
	session uint64
	seq     uint64 // of the last command
	trying  bool
}

// TestRandomRuns plays many random runs and then mends everything: replicas agree, whatever was acknowledged is
// there once and in order, and reads saw all that was acknowledged before them.
func TestRandomRuns(t *testing.T) {
	runs := 300
	if testing.Short() {
		runs = 50
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { randomRun(t, uint64(seed)) })
	}
}

func randomRun(t *testing.T, seed uint64) {
	cryptotest.SetGlobalRandom(t, seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	r := &run{sim: newSim(t, 1+2*rng.IntN(3), 4+rng.Uint64N(20)), rng: rng}
	defer func() {
		if t.Failed() {
			r.status()
			r.members()
			t.Log(r.out.String())
		}
	}()
	for i := range 3 {
		r.clients = append(r.clients, &client{name: fmt.Sprint("c", i)})
	}
	for range 1500 {
		r.step()
	}
	r.mend()
	r.check()
}

// pick gives the number of a node; one that is up, if there is one and the caller wants it.
func (r *run) pick(up bool) uint64 {
	ids := r.ids()
	if running := r.running(); up && len(running) > 0 {
		ids = running
	}
	return ids[r.rng.IntN(len(ids))]
}

func (r *run) running() []uint64 {
	return slices.DeleteFunc(r.ids(), func(id uint64) bool { return r.replicas[id].core == nil })
}

// step does one thing.
func (r *run) step() {
	chance := r.rng.IntN(1000)
	switch {
	case chance < 450:
		r.message()
	case chance < 600:
		r.save(r.pick(true))
	case chance < 800:
		r.tick(r.pick(true), 1+r.rng.IntN(3))
	case chance < 830:
		r.settle()
	case chance < 960:
		if c := r.clients[r.rng.IntN(len(r.clients))]; r.rng.IntN(3) == 0 {
			r.read(c)
		} else {
			r.write(c)
		}
	case chance < 966:
		r.crashAt(r.pick(true))
	case chance < 980:
		if id := r.pick(false); r.replicas[id].core == nil {
			r.start(id)
		}
	case chance < 984:
		r.cut[r.pick(true)] = true
	case chance < 990:
		clear(r.cut)
	default:
		r.changeMembers()
	}
}

// message delivers, loses or repeats a message: often the oldest, else any.
func (r *run) message() {
	if len(r.network) == 0 {
		return
	}
	i := 0
	if r.rng.IntN(4) == 0 {
		i = r.rng.IntN(len(r.network))
	}
	m := r.network[i]
	switch r.rng.IntN(20) {
	case 0:
		r.lose(m)
	case 1:
		r.hand(m)
		return
	default:
		defer r.hand(m)
	}
	r.network = slices.Delete(r.network, i, i+1)
}

// crashAt crashes a node, with its write under way on disk or not.
func (r *run) crashAt(id uint64) {
	if node := r.replicas[id]; node.pending != nil && r.rng.IntN(2) == 0 {
		node.disk.write(node.pending)
	}
	r.crash(id)
}

// ask submits a request at a node that is up.
func (r *run) ask(id uint64, req *Request, done func(Response)) {
	node := r.replicas[id]
	if node.core == nil {
		return
	}
	what, _ := json.Marshal([]any{req.Command, req.Change})
	req.Deadline, req.Done = r.now.Add(2e9), func(res Response) {
		r.log("%d: %s: %v %s", id, what, res.Err, describe(res))
		done(res)
	}
	node.core.Submit(req)
	r.process(node)
}

// write sends a client's command, again if it may have been sent already. A client without a session opens one.
func (r *run) write(c *client) {
	if c.session == 0 {
		r.ask(r.pick(true), request(r.t, "open", []string{""}), func(res Response) {
			if res.Err == nil && c.session == 0 {
				c.session = res.Results[0].Rev
			}
		})
		return
	}
	if !c.trying {
		c.seq, c.trying = c.seq+1, true
	}
	session, seq := c.session, c.seq
	word := fmt.Sprintf("%s.%d.%d;", c.name, session, seq)
	req := request(r.t, "append", []string{"log", word, fmt.Sprintf("session=%d,%d", session, seq)})
	r.ask(r.pick(true), req, func(res Response) {
		switch {
		case session != c.session || seq != c.seq || !c.trying: // an earlier attempt's
		case res.Err == nil:
			c.trying = false
			r.written = append(r.written, word)
		case res.Err.Code == CodeNoSession, res.Err.Code == CodeStaleSequence, res.Err.Code == CodeBadRequest:
			r.t.Errorf("%s: %v", word, res.Err)
		}
	})
}

// read checks that a client sees all that was acknowledged before it asked.
func (r *run) read(c *client) {
	before := slices.Clone(r.written)
	mode := []string{"mode=linearizable", "mode=local"}[r.rng.IntN(2)]
	r.ask(r.pick(true), request(r.t, "get", []string{"log", mode}), func(res Response) {
		if mode == "mode=local" || res.Err != nil {
			return
		}
		for _, word := range before {
			if !strings.Contains(string(res.Results[0].Value), word) {
				r.t.Errorf("%s read %q, without %s", c.name, res.Results[0].Value, word)
			}
		}
	})
}

// changeMembers asks for a change that may make sense or not.
func (r *run) changeMembers() {
	ch := &Change{Kind: Transfer, ID: r.pick(false)}
	switch n := r.rng.IntN(6); {
	case n < 2 && len(r.ids()) < 9:
		ch = &Change{Kind: AddMember, Addr: fmt.Sprintf("host%d:1", len(r.ids())+1)}
		if n == 1 {
			ch.ID = r.pick(false)
		}
	case n == 2:
		ch.Kind = RemoveMember
	case n == 3:
		ch.Kind = PromoteMember
	}
	for _, id := range r.running() {
		// Of two voters the leader must not leave: if the other does not hear that the change is committed it
		// never will, because it would need the vote of the one that has left.
		last := ch.ID == id && len(r.replicas[id].core.conf.GetVoters()) == 2
		if r.replicas[id].core.role == raft.StateLeader && !last {
			r.ask(id, &Request{Change: ch}, func(res Response) {
				if res.Err == nil && ch.Kind == AddMember && r.replicas[res.ID] == nil {
					r.join(res.ID)
				}
			})
		}
	}
}

// mend ends all faults and goes on until the clients have what they want.
func (r *run) mend() {
	clear(r.cut)
	for _, id := range r.ids() {
		if r.replicas[id].core == nil {
			r.start(id)
		}
	}
	for turn := 0; ; turn++ {
		if turn > 500 {
			r.status()
			r.members()
			r.t.Fatal("it does not come to rest")
		}
		for _, id := range r.ids() {
			r.tick(id, 1)
			r.settle()
			r.joinMissing()
		}
		busy := false
		for _, c := range r.clients {
			if c.trying {
				busy = true
				r.write(c)
				r.settle()
			}
		}
		if !busy && turn > 80 {
			return
		}
	}
}

// joinMissing starts members whose addition was never answered.
func (r *run) joinMissing() {
	for _, node := range slices.Collect(maps.Values(r.replicas)) {
		for id := range node.members.Addrs {
			if r.replicas[id] == nil {
				r.join(id)
			}
		}
	}
}

// check compares the replicas of members with each other, and with what the clients know.
func (r *run) check() {
	var newest *Core
	for _, id := range r.running() {
		if c := r.replicas[id].core; !c.removed && (newest == nil || c.applied > newest.applied) {
			newest = c
		}
	}
	require.NotNil(r.t, newest)
	require.Empty(r.t, newest.conf.GetLearners())
	for _, id := range newest.conf.GetVoters() {
		c := r.replicas[id].core
		require.Equal(r.t, newest.applied, c.applied, "node %d", id)
		require.Equal(r.t, newest.state.hash, c.state.hash, "node %d", id)
	}
	text := string(newest.state.items["log"].value)
	at := -1
	last := map[string]int{}
	for _, word := range strings.SplitAfter(text, ";") {
		if at++; word != "" {
			require.NotContains(r.t, last, word, "applied twice")
			last[word] = at
		}
	}
	for _, word := range r.written {
		require.Contains(r.t, last, word, "acknowledged and lost")
	}
}
