package kv

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// How often a node that is no member yet asks the others, and how long it waits for an answer.
const (
	askEvery = 50 * time.Millisecond
	askWait  = 2 * time.Second
)

// noteDisk remembers for ever which disk the node with a number was born with, and returns its name, which
// is random: the one that was noted first. A node makes no promise before all others have noted its disk.
// So one that has lost it, and with it what it promised, finds somebody who knows it by another disk.
func (n *Node) noteDisk(id uint64, disk string) (string, error) {
	path := filepath.Join(n.cfg.Dir, "born."+strconv.FormatUint(id, 10))
	err := os.Symlink(disk, path) // to nothing: it is there with its content, or not at all
	if errors.Is(err, fs.ErrExist) {
		disk, err = os.Readlink(path)
	}
	return disk, errors.Join(err, syncDir(n.cfg.Dir))
}

// serveBirth notes a node's disk, or says that the node was born with another.
func (n *Node) serveBirth(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseUint(r.URL.Query().Get("id"), 10, 64)
	disk := r.URL.Query().Get("disk")
	if n.cfg.Peers[id] == "" || disk == "" || len(disk) > 64 {
		n.refuse(w, refusal(CodeBadRequest, "no node of this cluster"))
		return
	}
	switch known, err := n.noteDisk(id, disk); {
	case err != nil:
		n.refuse(w, refusal(CodeStopping, err.Error()))
	case known != disk || n.cfg.ID == 0: // one that has joined knows nothing of births
		n.refuse(w, refusal(CodeBusy, "it was born with another disk"))
	}
}

// begin gives the first image of a node: the cluster's first snapshot, which holds the membership, if all
// others agree that the node is new; otherwise what join gives.
func (n *Node) begin() (*Image, error) {
	if n.cfg.ID == 0 {
		return n.join()
	}
	disk, err := n.noteDisk(n.cfg.ID, rand.Text())
	if err != nil {
		return nil, err
	}
	open := maps.Clone(n.cfg.Peers)
	delete(open, n.cfg.ID)
	for len(open) > 0 && n.pause() {
		for id, addr := range open {
			switch n.ask(http.MethodPost, fmt.Sprintf("%s/birth?id=%d&disk=%s", addr, n.cfg.ID, disk), nil) {
			case http.StatusOK:
				delete(open, id)
			case http.StatusConflict:
				n.cfg.Logger.Warningf("this node had another disk once; it joins as a new one")
				img, err := n.join()
				for other := range n.cfg.Peers { // they may lose their notes with their disks: none is born any more
					_, noted := n.noteDisk(other, "-")
					err = errors.Join(err, noted)
				}
				return img, err
			}
		}
	}
	ids := slices.Sorted(maps.Keys(n.cfg.Peers))
	return firstImage(n.cfg.ID, 1, Members{Addrs: n.cfg.Peers, Last: ids[len(ids)-1]}, ids), n.ctx.Err()
}

// join has the leader make this node a learner with a new number, in the place of the member that had its
// address, if there is one.
func (n *Node) join() (*Image, error) {
	for n.pause() {
		for _, contact := range n.cfg.Peers {
			var st Status
			n.ask(http.MethodGet, contact+"/status", &st)
			request, replace := st.Members[st.Leader]+"/members?addr="+url.QueryEscape(n.cfg.Advertise), ""
			for id, addr := range st.Members {
				if addr == n.cfg.Advertise {
					replace = fmt.Sprintf("&replace=%d", id)
				}
			}
			var added Status // what is answered has the ID and the members, as a status has
			if n.ask(http.MethodPost, request+replace, &added) == http.StatusOK {
				return firstImage(added.ID, 0, Members{Addrs: added.Members, Last: added.ID}, nil), nil
			}
		}
	}
	return nil, n.ctx.Err()
}

// firstImage is of a node that has a snapshot at index, or, if that is 0, waits for one.
func firstImage(id, index uint64, m Members, voters []uint64) *Image {
	st := newState()
	st.members = m
	meta := &pb.SnapshotMetadata{Index: &index, Term: &index, ConfState: &pb.ConfState{Voters: voters}}
	return &Image{
		ID: id, Hard: &pb.HardState{Term: &index, Commit: &index},
		Snapshot: &pb.Snapshot{Data: st.encode(), Metadata: meta},
	}
}

// pause waits a little and tells whether the node still lives.
func (n *Node) pause() bool {
	select {
	case <-time.After(askEvery):
		return true
	case <-n.ctx.Done():
		return false
	}
}

// ask sends a request to another node and returns the status of the answer, 0 if there was none.
func (n *Node) ask(method, target string, out any) (status int) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: askWait}
	req, err := http.NewRequestWithContext(n.ctx, method, "http://"+target, nil)
	if err != nil {
		return 0
	}
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }() // only read from
	if out != nil && json.NewDecoder(io.LimitReader(res.Body, MaxTxnBytes)).Decode(out) != nil {
		return 0
	}
	return res.StatusCode
}

// syncDir makes the names in a directory last.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
