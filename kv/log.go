package kv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	pb "go.etcd.io/raft/v3/raftpb"
)

// The file kv.log is magic, then records; each is one write, and the first is all that came before.
//
//	length    8 bytes, of the payload
//	checksum  4 bytes, of the payload
//	checksum  4 bytes, of the record's offset in the file and the twelve bytes before
//	payload   a raft message of the kind MsgStorageAppend: Term, Vote and Commit, and the Entries to be
//	          appended; in the first record also To, the node's ID, and the Snapshot
//
// Numbers are big-endian. After the last record there may be zeros. The offset is in the checksum so that no
// copy of a record counts as one, not even a whole log that a client has stored as a value.
const (
	logName    = "kv.log"
	magic      = "kv log 1"
	headerSize = 16
)

var (
	errTruncated   = errors.New("truncated")
	errBadChecksum = errors.New("checksum mismatch")
)

// appendRecord appends to b the record of m that begins at an offset in the file.
func appendRecord(b []byte, offset int64, m *pb.Message) ([]byte, error) {
	start := len(b)
	b, err := proto.MarshalOptions{}.MarshalAppend(append(b, make([]byte, headerSize)...), m)
	if err != nil {
		return nil, err
	}
	header, payload := b[start:start+headerSize], b[start+headerSize:]
	binary.BigEndian.PutUint64(header, uint64(len(payload)))
	binary.BigEndian.PutUint32(header[8:], checksum(nil, payload))
	binary.BigEndian.PutUint32(header[12:], headerChecksum(offset, header))
	return b, nil
}

func headerChecksum(offset int64, header []byte) uint32 {
	return checksum(binary.BigEndian.AppendUint64(nil, uint64(offset)), header[:12])
}

// readRecord returns the payload of the record at an offset of log, and where the record ends. With an
// error too it says where, unless the header is damaged: then the end is 0.
func readRecord(log []byte, offset int) (payload []byte, end int, err error) {
	if len(log)-offset < headerSize {
		return nil, 0, errTruncated
	}
	header, rest := log[offset:offset+headerSize], log[offset+headerSize:]
	if binary.BigEndian.Uint32(header[12:]) != headerChecksum(int64(offset), header) {
		return nil, 0, errBadChecksum
	}
	length := binary.BigEndian.Uint64(header)
	if length > uint64(len(rest)) {
		return nil, len(log), errTruncated
	}
	payload, end = rest[:length], len(log)-len(rest)+int(length)
	if binary.BigEndian.Uint32(header[8:]) != checksum(nil, payload) {
		return nil, end, errBadChecksum
	}
	return payload, end, nil
}

// readLog returns the image that a log amounts to, and the end of its last record. A record that a crash tore
// is left out: its write was never acknowledged. Only the last can be torn; any other that is bad is damaged.
func readLog(log []byte) (img *Image, end int, err error) {
	if !bytes.HasPrefix(log, []byte(magic)) {
		return nil, 0, errors.New("not a log of this version")
	}
	img, end = &Image{}, len(magic)
	for filled := len(bytes.TrimRight(log, "\x00")); end < filled; {
		payload, next, err := readRecord(log, end)
		if err != nil && img.Snapshot != nil && torn(log[:filled], end, next) {
			break
		}
		m := new(pb.Message)
		if err == nil {
			err = proto.Unmarshal(payload, m)
		}
		if err == nil {
			err = img.replay(m)
		}
		if err != nil {
			return nil, 0, fmt.Errorf("record at offset %d: %w", end, err)
		}
		end = next
	}
	if img.Snapshot == nil {
		return nil, 0, errors.New("empty")
	}
	if first, c := img.Snapshot.GetMetadata().GetIndex(), img.Hard.GetCommit(); c < first || c > first+uint64(len(img.Entries)) {
		return nil, 0, fmt.Errorf("commit index %d is outside of the log, %d and %d entries", c, first, len(img.Entries))
	}
	return img, end, nil
}

// torn says whether nothing follows a bad record, which ends at end: not a byte, or, if its header is bad and
// nobody knows its end, no good record.
func torn(log []byte, offset, end int) bool {
	if end > 0 {
		return end >= len(log)
	}
	for at := offset + 1; at < len(log); at++ {
		if _, _, err := readRecord(log, at); err == nil {
			return false
		}
	}
	return true
}

// replay does what a record says. The first one, and no other, holds an image.
func (img *Image) replay(m *pb.Message) error {
	if first := img.Snapshot == nil; first != (m.GetSnapshot() != nil) || first != (m.GetTo() != 0) {
		return errors.New("an image where none should be, or none where one should")
	}
	img.ID += m.GetTo()
	return img.apply(&Write{
		Hard:    &pb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit},
		Appends: []*pb.Message{m},
	})
}

func checksum(key, data []byte) uint32 {
	t := crc32.MakeTable(crc32.Castagnoli) // one table for all, made once
	return crc32.Update(crc32.Checksum(key, t), t, data)
}
