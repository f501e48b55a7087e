package kv

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// status asks until a node answers.
func (c *cluster) status(id uint64) (s Status) {
	_, body := c.must(http.StatusOK, id, "GET", "/status", "")
	require.NoError(c.t, json.Unmarshal([]byte(body), &s))
	return s
}

// TestCluster goes through the life of three nodes: writes everywhere, reads everywhere, a follower that
// misses so much that it needs a snapshot, a leader that goes, a restart of all.
func TestCluster(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.SnapshotEvery = 20 })
	for i := range 9 {
		c.must(http.StatusOK, uint64(i%3+1), "PUT", fmt.Sprintf("/kv/k%d", i), "v")
	}
	for id := range c.peers {
		_, value := c.must(http.StatusOK, id, "GET", "/kv/k8", "")
		require.Equal(t, "v", value)
	}

	leader := c.status(1).Leader
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
	c.requireAgreement()
}

// requireAgreement waits until all nodes are at one index, and compares their states and their apply logs.
func (c *cluster) requireAgreement() {
	var first Status
	require.Eventually(c.t, func() bool {
		first = c.status(1)
		for id := range c.peers {
			if c.status(id).Applied != first.Applied {
				return false
			}
		}
		return true
	}, 20*time.Second, 10*time.Millisecond)
	for id := range c.peers {
		require.Equal(c.t, first.Hash, c.status(id).Hash, "node %d", id)
		c.stop(id)
	}
	digests := make(map[uint64]string)
	for id := range c.peers {
		f, err := os.Open(filepath.Join(c.dir, fmt.Sprintf("%d.apply.jsonl", id)))
		require.NoError(c.t, err)
		next := uint64(0)
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var l struct {
				Boot, From, Index, Term, Restore uint64
				Digest                           string
			}
			require.NoError(c.t, json.Unmarshal(lines.Bytes(), &l), lines.Text())
			switch {
			case l.Boot != 0:
				next = l.From + 1
			case l.Restore != 0:
				next = l.Restore + 1
			case l.Index != 0:
				require.Equal(c.t, next, l.Index)
				require.Contains(c.t, []string{"", l.Digest}, digests[l.Index])
				digests[l.Index] = l.Digest
				next++
			}
		}
		require.NoError(c.t, f.Close())
	}
}

// TestNoQuorum: without a majority nothing succeeds, errors of reads are definite, and a write that was
// proposed is not.
func TestNoQuorum(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) { cfg.RequestTimeout = 300 * time.Millisecond })
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	leader := c.status(1).Leader
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

func TestFlags(t *testing.T) {
	dir := t.TempDir()
	good := []string{"--id", "1", "--peers", "1=127.0.0.1:1,2=127.0.0.1:2", "--dir", dir}
	for problem, args := range map[string][]string{
		"--peers is missing":              {"--id", "1"},
		"not of the form":                 {"--peers", "x"},
		"node 1: address":                 {"--peers", "1=nonsense"},
		"appears twice":                   {"--peers", "1=a:1,1=b:1"},
		"--id is missing":                 {"--peers", "1=a:1"},
		"not among":                       append(good[2:], "--id", "3"),
		"--dir is missing":                good[:4],
		"flag provided but not defined":   {"--what"},
		"unexpected argument \"surplus\"": append(good, "surplus"),
		"--tick":                          append(good, "--tick", "0s"),
		"--heartbeat-ticks":               append(good, "--heartbeat-ticks", "-1"),
		"--election-ticks":                append(good, "--election-ticks", "2"),
		"--snapshot-every":                append(good, "--snapshot-every", "0"),
		"--request-timeout":               append(good, "--request-timeout", "-1s"),
		"--listen":                        append(good, "--listen", "nowhere"),
	} {
		var out, problems strings.Builder
		require.Equal(t, 2, Main(args, &out, &problems), args)
		require.Contains(t, problems.String(), problem)
		require.Equal(t, 1, strings.Count(problems.String(), "\n"), "one line")
	}
	var out, problems strings.Builder
	require.Equal(t, 0, Main([]string{"-h"}, &out, &problems))
	require.Contains(t, out.String(), "snapshot-every")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "kv.db"), []byte("not a database"), 0o600))
	require.Equal(t, 1, Main(good, &out, &problems))
	require.Contains(t, problems.String(), "kv.db")
}
