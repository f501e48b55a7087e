package results

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// logLine is one line of a node's log.
type logLine struct {
	Time   time.Duration
	Node   string
	Stream string // out, err, or --- for what the harness did to the node
	Text   string // as it came: hostile
}

// logQuery asks for a stretch of the logs, and says which part of it matters most.
type logQuery struct{ Of, Focus stretch }

// logRange is the part of the nodes' logs that a query asked for.
type logRange struct {
	Lines []logLine // merged by time
	Left  int       // lines that did not fit into memory
	size  int       // bytes of text
}

// rangeLimit bounds, in bytes of text, what is kept of one node's log for one query.
const rangeLimit = 256 << 10

// readLogs reads the nodes' logs once and answers all queries.
func (d *Dir) readLogs(queries []logQuery) ([]logRange, error) {
	ranges := make([]logRange, len(queries))
	if len(queries) == 0 {
		return ranges, nil
	}
	paths, err := filepath.Glob(filepath.Join(globQuote(d.Nodes()), "*.log"))
	if err != nil {
		return nil, fmt.Errorf("find logs in %s: %w", d.Nodes(), err)
	}
	var failed []error
	for _, path := range paths {
		found, err := readLog(path, queries)
		if err != nil {
			failed = append(failed, fmt.Errorf("read %s: %w", path, bare(err)))
		}
		for i, f := range found {
			ranges[i].Lines = append(ranges[i].Lines, f.Lines...)
			ranges[i].Left += f.Left
		}
	}
	for i := range ranges {
		slices.SortStableFunc(ranges[i].Lines, func(a, b logLine) int { return cmp.Compare(a.Time, b.Time) })
	}
	return ranges, errors.Join(failed...)
}

// globQuote keeps Glob from reading a directory's name as a pattern.
func globQuote(path string) string {
	return strings.NewReplacer(`*`, `\*`, `?`, `\?`, `[`, `\[`, `\`, `\\`).Replace(path)
}

func readLog(path string, queries []logQuery) ([]logRange, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	found := make([]logRange, len(queries))
	last := logLine{Node: strings.TrimSuffix(filepath.Base(path), ".log")}
	for r := bufio.NewReaderSize(file, 64<<10); ; {
		text, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		last = parseLogLine(text, last)
		for i, q := range queries {
			if q.Of.From <= last.Time && last.Time <= q.Of.To {
				found[i].add(last, q.Focus)
			}
		}
	}
}

// add keeps a line. What comes before the focus may take half of the room, its latest lines; the focus
// takes more if it needs it, and what comes after it the rest.
func (r *logRange) add(line logLine, focus stretch) {
	r.Lines = append(r.Lines, line)
	r.size += line.size()
	limit := rangeLimit
	if line.Time < focus.From {
		limit /= 2
	}
	for r.size > limit && line.Time <= focus.To && r.Lines[0].Time < focus.From {
		r.size -= r.Lines[0].size()
		r.Lines = r.Lines[1:]
		r.Left++
	}
	if r.size > limit {
		r.size -= line.size()
		r.Lines = r.Lines[:len(r.Lines)-1]
		r.Left++
	}
}

// size is what a line takes in memory, more or less.
func (l logLine) size() int { return len(l.Text) + 80 }

// readLine reads one line of any length, of which it keeps no more than the reader's buffer. What it
// returns is valid until the next call.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line = bytes.Clone(line)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = r.ReadSlice('\n')
		}
	}
	if len(line) > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return bytes.TrimRight(line, "\r\n"), err
}

// parseLogLine reads `   12.403512 err text`. A line without that prefix belongs to the one before.
func parseLogLine(line []byte, before logLine) logLine {
	at, rest, ok := strings.Cut(strings.TrimLeft(string(line), " "), " ")
	seconds, err := strconv.ParseFloat(at, 64)
	if !ok || err != nil || len(rest) < 3 || !(0 <= seconds && seconds <= 1e9) {
		before.Text = string(line)
		return before
	}
	before.Time = time.Duration(seconds * float64(time.Second))
	before.Stream, before.Text = rest[:3], strings.TrimPrefix(rest[3:], " ")
	return before
}
