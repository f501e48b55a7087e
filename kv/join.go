package kv

import (
	"crypto/rand"
	"encoding/json"
	"errors"
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
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		known, err := os.ReadFile(path) // cut short by a crash it is nobody's: that node has to join anew
		return string(known), err
	}
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(disk)
	return disk, errors.Join(err, f.Sync(), f.Close(), syncDir(n.cfg.Dir))
}

// serveBirth notes a node's disk, or says that the node was born with another.
func (n *Node) serveBirth(w http.ResponseWriter, r *http.Request) {
	id, _ := strconv.ParseUint(r.FormValue("id"), 10, 64)
	if n.cfg.Peers[id] == "" || len(r.FormValue("disk")) > 64 {
		n.refuse(w, refusal(CodeBadRequest, "no node of this cluster"))
		return
	}
	switch known, err := n.noteDisk(id, r.FormValue("disk")); {
	case err != nil:
		n.refuse(w, refusal(CodeStopping, err.Error()))
	case known != r.FormValue("disk"):
		n.refuse(w, refusal(CodeBusy, "it was born with another disk"))
	}
}

// begin makes the disk of a node that has none.
func (n *Node) begin() (img *Image, err error) {
	if n.cfg.ID == 0 {
		img, err = n.join()
	} else {
		img, err = n.beBorn()
	}
	if err == nil {
		err = createDisk(n.cfg.Dir, img)
	}
	if err == nil {
		n.disk, img, err = openDisk(n.cfg.Dir)
	}
	return img, err
}

// beBorn gives the first image of a node: the cluster's first snapshot, which holds the membership, if all
// others agree that the node is new; otherwise what join gives.
func (n *Node) beBorn() (*Image, error) {
	disk, err := n.noteDisk(n.cfg.ID, rand.Text())
	if err != nil {
		return nil, err
	}
	form := url.Values{"id": {strconv.FormatUint(n.cfg.ID, 10)}, "disk": {disk}}.Encode()
	for open := maps.Clone(n.cfg.Peers); len(open) > 0; {
		for id, addr := range open {
			code := http.StatusOK
			if id != n.cfg.ID {
				code = n.ask(http.MethodPost, "http://"+addr+"/birth?"+form, nil)
			}
			switch code {
			case http.StatusOK:
				delete(open, id)
			case http.StatusConflict:
				n.cfg.Logger.Warningf("this node had another disk once; it joins as a new one")
				return n.join()
			}
		}
		if err := n.pause(); err != nil {
			return nil, err
		}
	}
	one, ids := uint64(1), slices.Sorted(maps.Keys(n.cfg.Peers))
	st := newState()
	st.members = Members{Addrs: n.cfg.Peers, Last: ids[len(ids)-1]}
	return &Image{
		ID: n.cfg.ID, Hard: &pb.HardState{Term: &one, Commit: &one},
		Snapshot: &pb.Snapshot{Data: st.encode(), Metadata: &pb.SnapshotMetadata{
			Index: &one, Term: &one, ConfState: &pb.ConfState{Voters: ids},
		}},
	}, nil
}

// join has the leader make this node a learner with a new number, in the place of the member that had its
// address, if there is one.
func (n *Node) join() (*Image, error) {
	for {
		for _, contact := range n.cfg.Peers {
			var st Status
			if n.ask(http.MethodGet, "http://"+contact+"/status", &st) != http.StatusOK {
				continue
			}
			form := url.Values{"addr": {n.cfg.Advertise}}
			for id, addr := range st.Members {
				if addr == n.cfg.Advertise {
					form.Set("replace", strconv.FormatUint(id, 10))
				}
			}
			var added struct {
				ID      uint64
				Members map[uint64]string
			}
			if n.ask(http.MethodPost, "http://"+st.Members[st.Leader]+"/members?"+form.Encode(), &added) != http.StatusOK {
				continue
			}
			fresh := newState()
			fresh.members = Members{Addrs: added.Members, Last: added.ID}
			return &Image{
				ID: added.ID, Hard: new(pb.HardState),
				Snapshot: &pb.Snapshot{Data: fresh.encode(), Metadata: new(pb.SnapshotMetadata)},
			}, nil
		}
		if err := n.pause(); err != nil {
			return nil, err
		}
	}
}

// pause waits a little, or returns an error because the node stops.
func (n *Node) pause() error {
	select {
	case <-time.After(askEvery):
		return nil
	case <-n.ctx.Done():
		return n.ctx.Err()
	}
}

// ask sends a request to another node and returns the status of the answer, 0 if there was none.
func (n *Node) ask(method, target string, out any) (status int) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: askWait}
	req, err := http.NewRequestWithContext(n.ctx, method, target, nil)
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
