package kv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
)

// disk is what a replica keeps: one file, kv.log, to whose end every write is appended and synced, once. A
// write with a snapshot begins the file anew.
type disk struct {
	dir  *os.File // its lock keeps other processes away; the file cannot: it is replaced
	file *os.File
	end  int64  // of the last record
	size int64  // of the file; zeros follow the last record
	img  Image  // what the file amounts to; raft holds the same entries
	buf  []byte // of the record
	err  error  // of the write that failed
}

// step is by how much the file grows at a time, with zeros. Syncing what overwrites them is faster than
// syncing a file's new size with it.
const step = 1

// createDisk makes the log of a new replica in dir, which must not have one: another would have forgotten its
// promises. After a crash it is complete or absent.
func createDisk(dir string, img *Image) (err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	d, err := lockDisk(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if _, err := os.Stat(d.path()); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fmt.Errorf("create %s: %w", d.path(), os.ErrExist), err)
	}
	d.img = *img
	if err := d.rewrite(); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(filepath.Clean(dir)))
	if err != nil {
		return err
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// openDisk opens the log in dir and loads it. If there is none, everything is nil.
func openDisk(dir string) (*disk, *Image, error) {
	d, err := lockDisk(dir)
	if err == nil {
		err = d.load()
	}
	if err == nil {
		img := d.img
		img.Entries = slices.Clone(img.Entries)
		return d, &img, nil
	}
	if d != nil {
		err = errors.Join(err, d.close())
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return nil, nil, err
}

// lockDisk waits a moment for the lock, which an earlier process of this node may still be letting go.
func lockDisk(dir string) (*disk, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &disk{dir: f}, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
		}
	}
}

// load reads the file and cuts off a torn record, for good before another is written in its place: what is
// left of the torn one would follow a shorter one.
func (d *disk) load() (err error) {
	if err := os.RemoveAll(d.path() + ".new"); err != nil {
		return err
	}
	if d.file, err = os.OpenFile(d.path(), os.O_RDWR, 0); err != nil {
		return err
	}
	log, err := io.ReadAll(d.file)
	if err != nil {
		return err
	}
	img, end, err := readLog(log)
	if err != nil {
		return fmt.Errorf("%s: %w", d.path(), err)
	}
	d.img, d.end, d.size = *img, int64(end), int64(end)
	return errors.Join(d.file.Truncate(d.end), d.file.Sync())
}

func (d *disk) path() string { return filepath.Join(d.dir.Name(), logName) }

func (d *disk) close() error {
	if d == nil { // never opened
		return nil
	}
	if d.file == nil {
		return d.dir.Close()
	}
	return errors.Join(d.file.Close(), d.dir.Close())
}

// write carries out one Write and syncs it. After an error nobody knows what is in the file: there is no
// second try, here or by a later write.
func (d *disk) write(w *Write) error {
	if d.err == nil {
		d.err = d.append(w)
	}
	return d.err
}

func (d *disk) append(w *Write) (err error) {
	if err := d.img.apply(w); err != nil {
		return err
	}
	m, anew := d.img.message(), w.Snapshot != nil
	for _, a := range w.Appends {
		anew = anew || a.GetSnapshot() != nil
		m.Entries = append(m.Entries, a.GetEntries()...)
	}
	if anew {
		return d.rewrite()
	}
	if d.buf, err = appendRecord(d.buf[:0], d.end, m); err != nil {
		return err
	}
	at := d.end
	d.end += int64(len(d.buf))
	if d.end > d.size {
		d.size = d.end
		d.buf = append(d.buf, make([]byte, d.size-d.end)...)
	}
	if _, err := d.file.WriteAt(d.buf, at); err != nil {
		return err
	}
	return syncData(d.file)
}

// rewrite begins the log anew, under another name until all of it is on disk.
func (d *disk) rewrite() error {
	m := d.img.message()
	m.To, m.Snapshot, m.Entries = &d.img.ID, d.img.Snapshot, d.img.Entries
	b, err := appendRecord([]byte(magic), int64(len(magic)), m)
	if err != nil {
		return err
	}
	fresh, err := os.OpenFile(d.path()+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	old := d.file
	d.file, d.end, d.size = fresh, int64(len(b)), int64(len(b))
	if _, err = fresh.Write(b); err == nil {
		err = fresh.Sync()
	}
	if err == nil {
		err = os.Rename(fresh.Name(), d.path())
	}
	if err == nil {
		err = d.dir.Sync()
	}
	if old != nil {
		err = errors.Join(err, old.Close())
	}
	return err
}

// message is a record without entries.
func (img *Image) message() *pb.Message {
	return &pb.Message{Term: img.Hard.Term, Vote: img.Hard.Vote, Commit: img.Hard.Commit}
}

// apply does to an image what a write does to a disk. Of the log before the snapshot nothing stays: only a
// running node keeps it, for slow followers.
func (img *Image) apply(w *Write) error {
	img.Hard = w.Hard
	if w.Snapshot != nil {
		gone := w.Snapshot.GetMetadata().GetIndex() - img.Snapshot.GetMetadata().GetIndex()
		if gone > uint64(len(img.Entries)) {
			return fmt.Errorf("snapshot %d is not of the log", w.Snapshot.GetMetadata().GetIndex())
		}
		img.Snapshot, img.Entries = w.Snapshot, slices.Clone(img.Entries[gone:])
	}
	for _, m := range w.Appends {
		if m.GetSnapshot() != nil {
			img.Snapshot, img.Entries = m.GetSnapshot(), nil
		}
		for _, e := range m.GetEntries() { // it voids what an earlier leader wrote at and after its index
			at := e.GetIndex() - img.Snapshot.GetMetadata().GetIndex() - 1
			if at > uint64(len(img.Entries)) {
				return fmt.Errorf("entry %d after %d of snapshot %d", e.GetIndex(), len(img.Entries), img.Snapshot.GetMetadata().GetIndex())
			}
			img.Entries = append(img.Entries[:at], e)
		}
	}
	return nil
}
