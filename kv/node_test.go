package kv

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCluster goes through the life of three nodes: writes everywhere, reads everywhere, a follower that
// misses so much that it needs a snapshot, a leader that goes, a restart of all.
func TestCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotEvery = 20 })
	for i := range 9 {
		c.must(http.StatusOK, uint64(i%3+1), "PUT", fmt.Sprintf("/kv/k%d", i), "v")
	}
	for id := range c.peers {
		_, value := c.must(http.StatusOK, id, "GET", "/kv/k8", "")
		require.Equal(t, "v", value)
	}

	leader := c.leader()
	follower := leader%3 + 1
	c.stop(follower)
	for i := range 60 {
		c.must(http.StatusOK, leader, "PUT", "/kv/many", strconv.Itoa(i))
	}
	require.Greater(t, c.status(leader).First, uint64(40))
	c.start(follower)
	_, value := c.must(http.StatusOK, follower, "GET", "/kv/many", "")
	require.Equal(t, "59", value)

	c.stop(leader)
	c.must(http.StatusOK, follower, "PUT", "/kv/after", "change")
	c.start(leader)
	_, value = c.must(http.StatusOK, leader, "GET", "/kv/after", "")
	require.Equal(t, "change", value)

	for id := range c.peers {
		c.stop(id)
	}
	for id := range c.peers {
		c.start(id)
	}
	c.must(http.StatusOK, 1, "GET", "/kv/after", "")
	c.agree(1, 2, 3)
}

// TestNoQuorum: without a majority nothing succeeds, errors of reads are definite, and a write that was
// proposed is not.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, func(cfg *Config) { cfg.RequestTimeout = 300 * time.Millisecond })
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	leader := c.leader()
	for id := range c.peers {
		if id != leader {
			c.stop(id)
		}
	}
	code, _, body := c.do(leader, "PUT", "/kv/k", "w")
	require.GreaterOrEqual(t, code, 500)
	require.Contains(t, body, `"definite":false`)
	code, _, body = c.do(leader, "GET", "/kv/k", "")
	require.GreaterOrEqual(t, code, 500)
	require.Contains(t, body, `"definite":true`)
	_, body = c.must(http.StatusServiceUnavailable, leader, "PUT", "/kv/k", "x") // once it has stepped down
	require.Contains(t, body, `"definite"`)
}

// open opens a session.
func (c *cluster) open(id uint64) string {
	_, body := c.must(http.StatusOK, id, "POST", "/txn", `{"then":[{"op":"open"}]}`)
	var answer struct{ Results []Result }
	require.NoError(c.t, json.Unmarshal([]byte(body), &answer))
	return strconv.FormatUint(answer.Results[0].Rev, 10)
}

// TestSessionElsewhere: a client that does not know whether its write was carried out sends it again, to other nodes,
// to other leaders, after restarts.
func TestSessionElsewhere(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	session := c.open(1)
	again := func(id uint64) string {
		h, body := c.must(http.StatusOK, id, "POST", "/kv/n?add=5", "", "Kv-Session", session, "Kv-Sequence", "1")
		require.Equal(t, "5", body)
		return h.Get("Kv-Revision")
	}
	rev := again(1)
	for _, id := range []uint64{1, 2, 3} {
		require.Equal(t, rev, again(id))
	}
	c.stop(c.leader())
	c.start(slices.DeleteFunc([]uint64{1, 2, 3}, func(id uint64) bool { return c.nodes[id] != nil })[0])
	for _, id := range []uint64{1, 2, 3} {
		require.Equal(t, rev, again(id))
	}
	c.must(http.StatusOK, 2, "POST", "/kv/n?add=1", "", "Kv-Session", session, "Kv-Sequence", "2")
	_, body := c.must(http.StatusConflict, 3, "POST", "/kv/n?add=5", "", "Kv-Session", session, "Kv-Sequence", "1")
	require.Contains(t, body, CodeStaleSequence)
	_, body = c.must(http.StatusOK, 3, "GET", "/kv/n", "")
	require.Equal(t, "6", body)
}

// TestTransfer: leadership goes to the voter that is asked for.
func TestTransfer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	for _, to := range []uint64{1, 2, 3, 1} {
		c.atLeader(http.StatusOK, "POST", fmt.Sprintf("/leader/%d", to))
		c.until(to, func(s Status) bool { return s.Leader == to })
	}
	c.must(http.StatusOK, 3, "PUT", "/kv/k", "w")
	_, body := c.must(http.StatusMisdirectedRequest, 3, "POST", "/leader/2", "")
	require.Contains(t, body, `"definite":true`)
}

// TestWipedDisk: a node that has lost its disk comes back under another number, and counts again, by itself.
func TestWipedDisk(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	for i := range 3 {
		c.must(http.StatusOK, 1, "PUT", fmt.Sprint("/kv/", i), "v")
	}
	wiped := c.leader()
	c.stop(wiped)
	c.wipe(wiped)
	c.start(wiped)
	s := c.until(wiped, func(s Status) bool { return len(s.Voters) == 3 && slices.Contains(s.Voters, s.ID) })
	require.Greater(t, s.ID, uint64(3))
	require.Empty(t, s.Learners)
	require.NotContains(t, s.Members, wiped)
	require.Equal(t, c.peers[wiped], s.Members[s.ID])
	c.must(http.StatusOK, wiped, "GET", "/kv/2", "")
	c.agree(1, 2, 3)

	// It remembers its number, and once more is no more difficult than once.
	c.stop(wiped)
	c.start(wiped)
	require.Equal(t, s.ID, c.until(wiped, func(s Status) bool { return s.Leader != 0 }).ID)
	c.stop(wiped)
	c.wipe(wiped)
	c.start(wiped)
	again := c.until(wiped, func(s Status) bool { return len(s.Voters) == 3 && slices.Contains(s.Voters, s.ID) })
	require.Greater(t, again.ID, s.ID)
	c.must(http.StatusOK, wiped, "PUT", "/kv/2", "w")
	c.agree(1, 2, 3)
}

// TestRemovedNode: a member that is removed says so to everybody, also after a restart, and is added again when it
// starts on an empty disk.
func TestRemovedNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	c.atLeader(http.StatusOK, "POST", "/leader/1")
	c.until(1, func(s Status) bool { return s.Role == "leader" })
	c.atLeader(http.StatusOK, "DELETE", "/members/3")
	gone := func() {
		for _, path := range []string{"/kv/k", "/kv/k?mode=local"} {
			_, body := c.must(http.StatusGone, 3, "GET", path, "")
			require.Contains(t, body, `"code":"removed","definite":true`)
		}
		require.True(t, c.status(3).Removed)
	}
	gone()
	c.stop(3)
	c.start(3)
	gone()
	require.Equal(t, []uint64{1, 2}, c.status(1).Voters)
	require.NotContains(t, c.status(1).Members, uint64(3))

	c.stop(3)
	c.wipe(3)
	c.start(3)
	s := c.until(3, func(s Status) bool { return len(s.Voters) == 3 })
	require.Equal(t, uint64(4), s.ID)
	c.agree(1, 2, 3)
}

// TestFourthNode: a node that is told where the others are, and has no number, is given one.
func TestFourthNode(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	contacts := maps.Clone(c.peers)
	c.peers[4] = freeAddr(t)
	cfg := c.config(4)
	cfg.ID, cfg.Peers = 0, contacts
	c.nodes[4] = launch(cfg)
	s := c.until(4, func(s Status) bool { return len(s.Voters) == 4 })
	require.Equal(t, uint64(4), s.ID)
	_, value := c.must(http.StatusOK, 4, "GET", "/kv/k", "")
	require.Equal(t, "v", value)
	c.stop(1)
	c.must(http.StatusOK, 4, "PUT", "/kv/k", "w")
}

// noted says whether a node has noted the disk of another.
func (c *cluster) noted(at, of uint64) bool {
	_, err := os.Lstat(filepath.Join(c.disk(at), fmt.Sprint("born.", of)))
	return err == nil
}

// meet waits until two nodes have noted each other's disks.
func (c *cluster) meet(a, b uint64) {
	c.eventually(func() bool { return c.noted(a, b) && c.noted(b, a) }, func() string { return "they do not meet" })
}

// TestBirth: a cluster is born when all its nodes are there, not when most are.
func TestBirth(t *testing.T) {
	t.Parallel()
	c := newPeers(t, 3, nil)
	c.start(1)
	c.eventually(func() bool { return c.noted(1, 1) }, func() string { return "it does not start" })
	c.stop(1) // nobody knows of it: an empty disk is as good as this one
	c.wipe(1)
	c.start(1)
	c.start(2)
	_, body := c.must(http.StatusServiceUnavailable, 1, "PUT", "/kv/k", "v")
	require.Contains(t, body, `"code":"joining","definite":true`)
	c.meet(1, 2)
	c.stop(2) // it keeps its disk
	c.start(2)
	require.NoFileExists(t, filepath.Join(c.disk(1), "kv.log"))
	c.start(3)
	for id := range c.peers {
		c.must(http.StatusOK, id, "PUT", "/kv/k", "v")
		require.Equal(t, id, c.status(id).ID)
	}
	require.Equal(t, []uint64{1, 2, 3}, c.status(1).Voters)
}

// TestBadBirth: nobody is noted who is no member, nor under another disk than the first.
func TestBadBirth(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	for path, code := range map[string]int{
		"/birth":             http.StatusBadRequest,
		"/birth?id=x&disk=d": http.StatusBadRequest,
		"/birth?id=2&disk=d": http.StatusBadRequest,
		"/birth?id=1&disk=d": http.StatusConflict,
		"/birth?id=1&disk=" + strings.Repeat("d", 65): http.StatusBadRequest,
	} {
		got, _, text := c.do(1, "POST", path, "")
		require.Equal(t, code, got, "%s: %s", path, text)
		require.Contains(t, text, `"definite":true`)
	}
}

// TestBadDisk: a node that cannot have its disk, or trust it, ends and says which file it is about.
func TestBadDisk(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	second := c.config(1)
	second.Listen = "127.0.0.1:0"
	require.ErrorContains(t, Run(t.Context(), second), "lock "+c.disk(1))
	third := c.config(1)
	third.Dir = t.TempDir()
	require.ErrorContains(t, Run(t.Context(), third), "address already in use")
	c.stop(1)

	path := filepath.Join(c.disk(1), "kv.log")
	log, err := os.ReadFile(path)
	require.NoError(t, err)
	log[len(magic)+headerSize+1] ^= 1
	require.NoError(t, os.WriteFile(path, log, 0o600))
	require.ErrorContains(t, Run(t.Context(), c.config(1)), path+": record at offset 8: checksum mismatch")
	require.NoError(t, os.WriteFile(path, []byte("not a log"), 0o600))
	require.ErrorContains(t, Run(t.Context(), c.config(1)), path+": not a log of this version")

	file := c.config(1)
	file.Dir = path
	require.ErrorContains(t, Run(t.Context(), file), path)
}

// TestDiskFails: a node whose disk fails ends; others are not told that it has what it has not.
func TestDiskFails(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1, func(cfg *Config) { cfg.SnapshotEvery = 10 })
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	inTheWay := filepath.Join(c.disk(1), "kv.log.new")
	require.NoError(t, os.Mkdir(inTheWay, 0o750))
	last := -1
	for i := range 100 {
		if code, _, _ := c.do(1, "PUT", "/kv/k", strconv.Itoa(i)); code != http.StatusOK {
			break
		}
		last = i
	}
	require.ErrorContains(t, <-c.nodes[1].err, "save: open "+inTheWay)
	require.NoError(t, os.Remove(inTheWay))
	c.start(1)
	_, value := c.must(http.StatusOK, 1, "GET", "/kv/k", "")
	now, err := strconv.Atoi(value)
	require.NoError(t, err)
	require.GreaterOrEqual(t, now, last)
}
