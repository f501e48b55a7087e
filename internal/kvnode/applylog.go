package kvnode

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
)

// ApplyLog is a kv.Journal in a file, one JSON object a line. Replicas agree if their logs do: the same
// term and digest at the same index, each index once in each life, no gaps, one leader a term.
//
//	{"boot":1,"from":F}                    a start from the snapshot at F; F+1 is applied next
//	{"index":I,"term":T,"digest":"16 hex"} entry I was applied; the digest is of its data alone
//	{"restore":I,"term":T}                 a snapshot from the leader replaced the state
//	{"leader":true,"term":T}               this node leads term T
//
// Lines are buffered, for one tick at most: the file is for judging, not for recovery.
type ApplyLog struct {
	file *os.File
	buf  *bufio.Writer // keeps its first error, for Flush
}

// OpenApplyLog opens a file for appending; an empty path means that no log is wanted. The torn last line
// that a killed process may have left is cut off.
func OpenApplyLog(path string) (*ApplyLog, error) {
	if path == "" {
		return &ApplyLog{buf: bufio.NewWriter(io.Discard)}, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := cutTornLine(f); err != nil {
		return nil, errors.Join(fmt.Errorf("cut off the torn line of %s: %w", path, err), f.Close())
	}
	return &ApplyLog{file: f, buf: bufio.NewWriterSize(f, 64<<10)}, nil
}

// cutTornLine ends a file after its last newline, and moves there. No line is as long as the part of the
// file that it looks at.
func cutTornLine(f *os.File) error {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	tail := make([]byte, min(end, 4096))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil {
		return err
	}
	end -= int64(len(tail) - bytes.LastIndexByte(tail, '\n') - 1)
	if err := f.Truncate(end); err != nil {
		return err
	}
	_, err = f.Seek(end, io.SeekStart)
	return err
}

// Boot implements kv.Journal.
func (l *ApplyLog) Boot(from uint64) { l.line(`{"boot":1,"from":%d}`, from) }

// Apply implements kv.Journal.
func (l *ApplyLog) Apply(index, term uint64, data []byte) {
	if l.file == nil {
		return // nobody looks at it
	}
	sum := sha256.Sum256(data)
	l.line(`{"index":%d,"term":%d,"digest":"%x"}`, index, term, sum[:8])
}

// Restore implements kv.Journal.
func (l *ApplyLog) Restore(index, term uint64) { l.line(`{"restore":%d,"term":%d}`, index, term) }

// Leader implements kv.Journal. It is written through: two leaders of one term must not go unseen because
// one of them was killed.
func (l *ApplyLog) Leader(term uint64) {
	l.line(`{"leader":true,"term":%d}`, term)
	_ = l.Flush()
}

func (l *ApplyLog) line(format string, a ...any) { _, _ = fmt.Fprintf(l.buf, format+"\n", a...) }

// Flush implements kv.Journal.
func (l *ApplyLog) Flush() error { return l.buf.Flush() }

// Close flushes and closes the file.
func (l *ApplyLog) Close() error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.Flush(), l.file.Close())
}
