package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// lineMax is the longest line of a log in bytes, without prefix; longer ones are split, so that a
// node that never ends its line cannot fill the harness's memory.
const lineMax = 64 << 10

// The streams of a log. All have the same width.
const (
	streamOut  = "out" // the node's standard output
	streamErr  = "err" // the node's standard error
	streamNote = "---" // the harness's own remarks
)

// nodeLog is one node's log. Every line begins with its arrival time in seconds of the run and its
// stream: "   12.403512 err text". A line has arrived when its end has. The node's bytes are kept
// as they are, valid UTF-8 or not: they are hostile text.
type nodeLog struct {
	elapsed func() time.Duration

	mu   sync.Mutex
	file *os.File
	err  error // the first failure to write; what comes later is lost
}

// openLog opens the log for appending: a node that is started again goes on in the same file.
func openLog(path string, elapsed func() time.Duration) (*nodeLog, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	return &nodeLog{elapsed: elapsed, file: file}, nil
}

// note writes a remark of the harness.
func (l *nodeLog) note(format string, args ...any) {
	l.write(streamNote, [][]byte{fmt.Appendf(nil, format, args...)})
}

// write writes lines that arrive now, in one piece.
func (l *nodeLog) write(stream string, lines [][]byte) {
	if len(lines) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	prefix := fmt.Appendf(nil, "%12.6f %s ", l.elapsed().Seconds(), stream)
	var text []byte
	for _, line := range lines {
		text = append(text, prefix...)
		text = append(text, line...)
		text = append(text, '\n')
	}
	if l.err == nil {
		_, l.err = l.file.Write(text)
	}
}

// close closes the file and returns the first thing that went wrong with it.
func (l *nodeLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.file.Close()
	if l.err == nil {
		l.err = errors.New("the log is closed") // for what might still be written
		return err
	}
	return l.err
}

// copyLines writes a stream into the log line by line, until its end or a deadline. It always
// reads on, also when the log cannot be written: a full pipe would stop the node.
func (l *nodeLog) copyLines(stream string, from io.Reader) {
	buf := make([]byte, 32<<10)
	var rest []byte // the beginning of a line whose end has not come
	for {
		n, err := from.Read(buf)
		rest = append(rest, buf[:n]...)
		var lines [][]byte
		lines, rest = splitLines(rest)
		l.write(stream, lines)
		if err != nil {
			break
		}
		rest = bytes.Clone(rest) // the lines' memory goes
	}
	if len(rest) > 0 {
		l.write(stream, [][]byte{rest})
	}
}

// splitLines cuts data into lines without their ends, none longer than lineMax, and returns what
// is left of an unfinished last one.
func splitLines(data []byte) (lines [][]byte, rest []byte) {
	for {
		end := bytes.IndexByte(data[:min(len(data), lineMax+1)], '\n')
		switch {
		case end >= 0:
			lines = append(lines, data[:end])
			data = data[end+1:]
		case len(data) > lineMax:
			lines = append(lines, data[:lineMax])
			data = data[lineMax:]
		default:
			return lines, data
		}
	}
}
