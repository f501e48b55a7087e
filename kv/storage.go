package kv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/raft/v3/raftpb"
)

// disk is what a replica keeps, in one bbolt file. Every record carries a checksum.
//
//	log   index, big-endian: Entry
//	meta  "hard": HardState; "snapshot": Snapshot (index, term, membership, state);
//	      "owner": whose directory this is, as the data of an Entry
type disk struct{ db *bbolt.DB }

// openDisk opens the database in dir and loads it. If there is none, this is the replica's first start,
// and the only time that it is told its cluster's membership. A directory that belongs to another replica
// is an error: to take up its log is to break promises that it made.
func openDisk(dir string, id uint64, voters []uint64) (*disk, Image, error) {
	path, owner := filepath.Join(dir, "kv.db"), fmt.Sprintf("node %d of %d", id, voters)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := createDatabase(dir, path, owner, voters); err != nil {
			return nil, Image{}, fmt.Errorf("create %s: %w", path, err)
		}
	}
	db, img, err := loadDatabase(path, owner)
	if err != nil {
		return nil, Image{}, fmt.Errorf("open %s: %w", path, err)
	}
	return &disk{db: db}, img, nil
}

// createDatabase makes the database under another name and renames it, so that a crash leaves a complete
// one or none: a half-made one would be that of a replica which has forgotten its promises.
//
// A cluster is born with a snapshot at index 1 that holds the membership. A node that joins later cannot
// replay the log from its start, and so cannot miss it.
func createDatabase(dir, path, owner string, voters []uint64) error {
	fresh := path + ".new"
	if err := errors.Join(os.MkdirAll(dir, 0o750), os.RemoveAll(fresh)); err != nil {
		return err
	}
	db, err := openBolt(fresh, false)
	if err != nil {
		return err
	}
	one := uint64(1)
	birth := &pb.Snapshot{Data: newState().encode(), Metadata: &pb.SnapshotMetadata{
		Index: &one, Term: &one, ConfState: &pb.ConfState{Voters: voters},
	}}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{"log", "meta"} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		return errors.Join(
			put(tx, "meta", []byte("owner"), &pb.Entry{Data: []byte(owner)}),
			put(tx, "meta", []byte("hard"), &pb.HardState{Term: &one, Commit: &one}),
			put(tx, "meta", []byte("snapshot"), birth),
		)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openBolt waits a moment for the file's lock, which an earlier process of this node may still be
// letting go. The freelist is not stored but found again at open: one page less for every sync.
func openBolt(path string, readOnly bool) (*bbolt.DB, error) {
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, ReadOnly: readOnly,
	})
}

// loadDatabase reads everything. bbolt meets a damaged page with a panic, or with a fault in its memory
// map; both become errors here. It opens the file for reading first: opened for writing, bbolt looks for
// free pages in a goroutine of its own, whose panic nobody can catch.
func loadDatabase(path, owner string) (db *bbolt.DB, img Image, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("corrupt: %v", p)
		}
		if err != nil && db != nil {
			err = errors.Join(err, db.Close()) // lets go of the lock; closing twice does no harm
		}
	}()
	if db, err = openBolt(path, true); err != nil {
		return nil, img, err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		img, err = load(tx, owner)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, img, err
	}
	db, err = openBolt(path, false)
	return db, img, err
}

func load(tx *bbolt.Tx, owner string) (Image, error) {
	img, found := Image{Hard: new(pb.HardState), Snapshot: new(pb.Snapshot)}, new(pb.Entry)
	if err := get(tx, "meta", []byte("owner"), found); err != nil {
		return img, err
	}
	if string(found.GetData()) != owner {
		return img, fmt.Errorf("this is the data of %s, not of %s", found.GetData(), owner)
	}
	if err := get(tx, "meta", []byte("hard"), img.Hard); err != nil {
		return img, err
	}
	if err := get(tx, "meta", []byte("snapshot"), img.Snapshot); err != nil {
		return img, err
	}
	first := img.Snapshot.GetMetadata().GetIndex()
	last := first
	cur := tx.Bucket([]byte("log")).Cursor()
	for k, _ := cur.First(); k != nil; k, _ = cur.Next() {
		e := new(pb.Entry)
		if err := get(tx, "log", k, e); err != nil {
			return img, err
		}
		if e.GetIndex() <= first {
			continue // the snapshot has it; a running node keeps it for slow followers
		}
		if last++; e.GetIndex() != last {
			return img, fmt.Errorf("log: entry %d where %d should be", e.GetIndex(), last)
		}
		img.Entries = append(img.Entries, e)
	}
	if c := img.Hard.GetCommit(); c < first || c > last {
		return img, fmt.Errorf("commit index %d is outside of the log, %d to %d", c, first, last)
	}
	return img, nil
}

// write carries out one Write and syncs it.
func (d *disk) write(w *Write) error {
	return d.db.Update(func(tx *bbolt.Tx) error {
		if w.Snapshot != nil {
			if err := putSnapshot(tx, w.Snapshot, w.Drop); err != nil {
				return err
			}
		}
		for _, m := range w.Appends {
			if m.GetSnapshot() != nil {
				if err := putSnapshot(tx, m.GetSnapshot(), ^uint64(0)); err != nil {
					return err
				}
			}
			if err := putEntries(tx, m.GetEntries()); err != nil {
				return err
			}
		}
		return put(tx, "meta", []byte("hard"), w.Hard)
	})
}

// putSnapshot stores a snapshot and deletes the log up to drop.
func putSnapshot(tx *bbolt.Tx, snap *pb.Snapshot, drop uint64) error {
	if err := put(tx, "meta", []byte("snapshot"), snap); err != nil {
		return err
	}
	return deleteLog(tx, 0, drop)
}

// putEntries stores entries; what an earlier leader wrote at and after them is void.
func putEntries(tx *bbolt.Tx, entries []*pb.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		if err := put(tx, "log", indexKey(e.GetIndex()), e); err != nil {
			return err
		}
	}
	return deleteLog(tx, entries[len(entries)-1].GetIndex()+1, ^uint64(0))
}

// deleteLog removes the entries from first to last, both included.
func deleteLog(tx *bbolt.Tx, first, last uint64) error {
	cur := tx.Bucket([]byte("log")).Cursor()
	for k, _ := cur.Seek(indexKey(first)); k != nil; k, _ = cur.Seek(indexKey(first)) {
		if binary.BigEndian.Uint64(k) > last {
			return nil
		}
		if err := cur.Delete(); err != nil {
			return err
		}
	}
	return nil
}

func indexKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func put(tx *bbolt.Tx, bucket string, key []byte, m proto.Message) error {
	data, err := proto.Marshal(m)
	if err != nil {
		return err
	}
	b := tx.Bucket([]byte(bucket))
	b.FillPercent = 0.95 // the log only ever grows at its end: a page split in halves is never filled
	return b.Put(key, seal(key, data))
}

func get(tx *bbolt.Tx, bucket string, key []byte, m proto.Message) error {
	b := tx.Bucket([]byte(bucket))
	if b == nil {
		return fmt.Errorf("no bucket %s", bucket)
	}
	data, err := unseal(key, b.Get(key))
	if err != nil {
		return fmt.Errorf("%s %q: %w", bucket, key, err)
	}
	return proto.Unmarshal(data, m)
}
