package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"syscall"
	"time"

	pb "go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// disk is what a replica keeps: the file kv.log, to whose end each write is appended, and synced once. A
// write with a snapshot begins the file anew.
type disk struct {
	id   uint64 // the replica's
	path string
	dir  *os.File // its lock keeps other processes away; the file's would be replaced with the file
	file *os.File
	end  int   // of the last record
	size int   // of the file
	err  error // of the write that failed
}

// growBytes is by how much the file grows, filled with zeros: to sync what overwrites them takes 40 % less
// time than to sync what makes the file longer.
const growBytes = 1 << 20

// openDisk loads the log in a directory, or, if there is none, takes what begin gives, and writes it anew: of
// what it read nobody knows whether it is on disk, since a write that failed stays in the kernel's memory.
func openDisk(dir string, begin func() (*Image, error)) (*disk, *Image, error) {
	d, err := lockDisk(dir)
	if err != nil {
		return nil, nil, err
	}
	img, err := d.load()
	if errors.Is(err, os.ErrNotExist) {
		img, err = begin()
	}
	if err == nil {
		d.id = img.ID
		err = errors.Join(d.rewrite(&Write{Hard: img.Hard, Snapshot: img.Snapshot, Entries: img.Entries}), syncDir(filepath.Dir(filepath.Clean(dir))))
	}
	if err != nil {
		return nil, nil, errors.Join(err, d.close())
	}
	return d, img, nil
}

// lockDisk waits a moment for an earlier process of this node, which may still be letting go of the lock.
func lockDisk(dir string) (*disk, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return &disk{path: filepath.Join(dir, "kv.log"), dir: f}, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), f.Close())
		}
	}
}

// load reads the file.
func (d *disk) load() (*Image, error) {
	log, err := os.ReadFile(d.path)
	if err != nil {
		return nil, err
	}
	img, err := readLog(log)
	if err != nil {
		err = fmt.Errorf("%s: %w", d.path, err)
	}
	return img, err
}

func (d *disk) close() error {
	err := d.dir.Close()
	if d.file != nil {
		err = errors.Join(d.file.Close(), err)
	}
	return err
}

// write carries out one Write and syncs it. After an error nobody knows what is in the file: no later write
// tries again.
func (d *disk) write(w *Write) error {
	switch {
	case d.err != nil:
	case w.Snapshot != nil:
		d.err = d.rewrite(w)
	default:
		d.err = d.append(w)
	}
	return d.err
}

func (d *disk) append(w *Write) error {
	b, err := appendRecord(nil, d.end, w.message())
	if err != nil {
		return err
	}
	at := int64(d.end)
	if d.end += len(b); d.end > d.size {
		d.size = (d.end/growBytes + 1) * growBytes
		b = append(b, make([]byte, d.size-d.end)...)
	}
	if _, err := d.file.WriteAt(b, at); err != nil {
		return err
	}
	return syncData(d.file)
}

// rewrite begins the log anew, under another name until all of it is on disk.
func (d *disk) rewrite(w *Write) error {
	m := w.message()
	m.To = &d.id
	b, err := appendRecord([]byte(magic), len(magic), m)
	if err != nil {
		return err
	}
	fresh, err := os.OpenFile(d.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_ = d.file.Close() // all in it is synced, if there is one
	d.file, d.end, d.size = fresh, len(b), len(b)
	if _, err = fresh.Write(b); err == nil {
		err = fresh.Sync()
	}
	if err == nil {
		err = os.Rename(fresh.Name(), d.path)
	}
	if err == nil {
		err = d.dir.Sync()
	}
	return err
}

// message is a write as the log has it.
func (w *Write) message() *pb.Message {
	h := w.Hard
	return &pb.Message{Term: h.Term, Vote: h.Vote, Commit: h.Commit, Snapshot: w.Snapshot, Entries: w.Entries}
}

// A log is magic, then records, then perhaps zeros. The first record is an Image, any other a Write without a
// snapshot. In big-endian:
//
//	length    8 bytes, of the payload
//	checksum  4 bytes, of the payload
//	checksum  4 bytes, of the record's twelve bytes before and its offset: no copy of a record counts as one,
//	          not even a whole log that a client has stored as a value
//	payload   a Message with HardState and Entries; an image's has the Snapshot too, and the ID as To
const (
	magic      = "kv log 1"
	headerSize = 16
)

var errBadChecksum = errors.New("checksum mismatch")

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

func headerChecksum(offset int, header []byte) uint32 {
	return checksum(binary.BigEndian.AppendUint64(header[:12:12], uint64(offset)))
}

// appendRecord appends to b a record that is to stand at an offset of the log.
func appendRecord(b []byte, offset int, m *pb.Message) ([]byte, error) {
	start := len(b)
	b, err := proto.MarshalOptions{}.MarshalAppend(append(b, make([]byte, headerSize)...), m)
	header, payload := b[start:], b[start+headerSize:]
	binary.BigEndian.PutUint64(header, uint64(len(payload)))
	binary.BigEndian.PutUint32(header[8:], checksum(payload))
	binary.BigEndian.PutUint32(header[12:], headerChecksum(offset, header))
	return b, err
}

// readRecord returns what is in the record at an offset, where it ends (0: its header is bad, nobody knows),
// and whether it is good.
func readRecord(log []byte, offset int) (payload []byte, end int, good bool) {
	header := log[offset:]
	if len(header) < headerSize || binary.BigEndian.Uint32(header[12:]) != headerChecksum(offset, header) {
		return nil, 0, false
	}
	length := binary.BigEndian.Uint64(header)
	if length > uint64(len(header)-headerSize) {
		return nil, len(log), false
	}
	payload, end = header[headerSize:][:length], offset+headerSize+int(length)
	return payload, end, binary.BigEndian.Uint32(header[8:]) == checksum(payload)
}

// readLog returns what a log amounts to. A crash can tear the last one, whose
// write nobody was promised: it is left out. A bad one with something behind it is damaged, or a bad first.
func readLog(log []byte) (*Image, error) {
	if !bytes.HasPrefix(log, []byte(magic)) {
		return nil, errors.New("not a log of this version")
	}
	img, end := &Image{}, len(magic)
	for filled := len(bytes.TrimRight(log, "\x00")); end < filled || img.Snapshot == nil; {
		payload, next, good := readRecord(log, end)
		for at := end + 1; next == 0 && at < filled; at++ {
			if _, _, good := readRecord(log, at); good {
				next = at
			}
		}
		if !good && img.Snapshot != nil && (next == 0 || next >= filled) {
			break
		}
		err := errBadChecksum
		if good {
			err = img.replay(payload)
		}
		if err != nil {
			return nil, fmt.Errorf("record at offset %d: %w", end, err)
		}
		end = next
	}
	first := img.Snapshot.GetMetadata().GetIndex()
	if c := img.Hard.GetCommit(); c < first || c > first+uint64(len(img.Entries)) {
		return nil, fmt.Errorf("commit index %d is outside of the log, %d and %d entries", c, first, len(img.Entries))
	}
	return img, nil
}

// replay does what a record says: an entry takes the place of all that an earlier leader wrote from there on.
func (img *Image) replay(payload []byte) error {
	m := new(pb.Message)
	if err := proto.Unmarshal(payload, m); err != nil {
		return err
	}
	if first := img.Snapshot == nil; first != (m.GetSnapshot() != nil) || first != (m.GetTo() != 0) {
		return errors.New("a log begins with an image and has no other")
	}
	img.Hard = &pb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
	if m.GetSnapshot() != nil {
		img.ID, img.Snapshot = m.GetTo(), m.GetSnapshot()
	}
	first := img.Snapshot.GetMetadata().GetIndex() + 1
	for _, e := range m.GetEntries() {
		at := e.GetIndex() - first
		if at > uint64(len(img.Entries)) {
			return fmt.Errorf("entry %d where the log is of %d entries from %d on", e.GetIndex(), len(img.Entries), first)
		}
		img.Entries = append(img.Entries[:at], e)
	}
	return nil
}
