package kv

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cluster is some nodes in this process, on loopback, with their disks in a test's directory. It knows them by the
// numbers of their birth, also those that have another number since, or none.
type cluster struct {
	t      testing.TB
	dir    string
	peers  map[uint64]string
	nodes  map[uint64]*running
	tune   func(*Config)
	client *http.Client
	boots  uint64
}

// running is a node that runs.
type running struct {
	stop context.CancelFunc
	err  chan error // of Run
}

func (r *running) end() error {
	r.stop()
	return <-r.err
}

// noJournal is a Journal that nobody reads.
type noJournal struct{}

func (noJournal) Boot(uint64)                 {}
func (noJournal) Apply(_, _ uint64, _ []byte) {}
func (noJournal) Restore(_, _ uint64)         {}
func (noJournal) Leader(uint64)               {}
func (noJournal) Flush() error                { return nil }

// newPeers is a cluster that has yet to be started.
func newPeers(t testing.TB, size int, tune func(*Config)) *cluster {
	c := &cluster{
		t: t, dir: t.TempDir(), peers: make(map[uint64]string), nodes: make(map[uint64]*running), tune: tune,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second},
	}
	for id := range uint64(size) {
		c.peers[id+1] = freeAddr(t)
	}
	t.Cleanup(func() {
		c.client.CloseIdleConnections()
		for id := range c.nodes {
			c.stop(id)
		}
	})
	return c
}

func newCluster(t testing.TB, size int, tune func(*Config)) *cluster {
	c := newPeers(t, size, tune)
	for id := range c.peers {
		c.start(id)
	}
	return c
}

// freeAddr is an address that nobody listens on.
func freeAddr(t testing.TB) string {
	l := listen(t, "127.0.0.1:0")
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func listen(t testing.TB, addr string) net.Listener {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (c *cluster) config(id uint64) Config {
	c.boots++
	cfg := Config{
		CoreConfig: CoreConfig{
			ID: id, Boot: c.boots, HeartbeatTicks: 2, ElectionTicks: 12, SnapshotEvery: 10_000,
			Logger: discard(), Journal: noJournal{},
		},
		Peers: c.peers, Listen: c.peers[id], Advertise: c.peers[id], Dir: c.disk(id),
		Tick: 10 * time.Millisecond, RequestTimeout: 2 * time.Second,
	}
	if c.tune != nil {
		c.tune(&cfg)
	}
	return cfg
}

func (c *cluster) disk(id uint64) string { return filepath.Join(c.dir, strconv.FormatUint(id, 10)) }

func (c *cluster) start(id uint64) { c.nodes[id] = launch(c.config(id)) }

// launch starts a node.
func launch(cfg Config) *running {
	ctx, stop := context.WithCancel(context.Background())
	r := &running{stop: stop, err: make(chan error, 1)}
	go func() { r.err <- Run(ctx, cfg) }()
	return r
}

func (c *cluster) stop(id uint64) {
	require.NoError(c.t, c.nodes[id].end())
	delete(c.nodes, id)
}

func (c *cluster) wipe(id uint64) { require.NoError(c.t, os.RemoveAll(c.disk(id))) }

// do sends one request to a node: the status code, the headers and the body. Code 0 is no answer.
func (c *cluster) do(id uint64, method, path, body string, headers ...string) (int, http.Header, string) {
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.peers[id]+path, strings.NewReader(body))
	require.NoError(c.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.client.Do(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, err.Error()
	}
	return res.StatusCode, res.Header, string(text)
}

// must repeats a request until it is answered with the code.
func (c *cluster) must(code int, id uint64, method, path, body string, headers ...string) (http.Header, string) {
	c.t.Helper()
	var h http.Header
	var got int
	var text string
	c.eventually(func() bool {
		got, h, text = c.do(id, method, path, body, headers...)
		return got == code
	}, func() string { return fmt.Sprintf("%s %s at node %d: %d %s", method, path, id, got, text) })
	return h, text
}

// eventually waits for a condition; what describes how it is otherwise.
func (c *cluster) eventually(ok func() bool, what func() string) {
	c.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			c.t.Fatal(what())
		}
	}
}

// status asks until a node answers.
func (c *cluster) status(id uint64) (s Status) {
	c.t.Helper()
	_, body := c.must(http.StatusOK, id, "GET", "/status", "")
	require.NoError(c.t, json.Unmarshal([]byte(body), &s))
	return s
}

// until waits for a node's status to be as it should.
func (c *cluster) until(id uint64, ok func(Status) bool) (s Status) {
	c.t.Helper()
	c.eventually(func() bool {
		s = c.status(id)
		return ok(s)
	}, func() string { return fmt.Sprintf("node %d: %+v", id, s) })
	return s
}

// leader gives the number, of its birth, of the node that leads.
func (c *cluster) leader() (leader uint64) {
	c.t.Helper()
	c.eventually(func() bool {
		for id := range c.nodes {
			var s Status
			if code, _, body := c.do(id, "GET", "/status", ""); code != http.StatusOK || json.Unmarshal([]byte(body), &s) != nil {
				continue
			}
			if s.Role == "leader" {
				leader = id
			}
		}
		return leader != 0
	}, func() string { return "nobody leads" })
	return leader
}

// atLeader repeats a request at whoever leads until it is answered with the code.
func (c *cluster) atLeader(code int, method, path string) (text string) {
	c.t.Helper()
	var got int
	c.eventually(func() bool {
		got, _, text = c.do(c.leader(), method, path, "")
		return got == code
	}, func() string { return fmt.Sprintf("%s %s: %d %s", method, path, got, text) })
	return text
}

// agree waits until these nodes have the same state.
func (c *cluster) agree(ids ...uint64) {
	c.t.Helper()
	var all []Status
	c.eventually(func() bool {
		all = nil
		same := true
		for _, id := range ids {
			s := c.status(id)
			all = append(all, s)
			same = same && s.Applied == all[0].Applied
		}
		return same
	}, func() string { return fmt.Sprintf("%+v", all) })
	for _, s := range all {
		require.Equal(c.t, all[0].Hash, s.Hash, "%+v", all)
	}
}
