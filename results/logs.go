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

// logRange is the part of the nodes' logs in one stretch of time.
type logRange struct {
	Lines []logLine // merged by time
	Left  int       // lines that did not fit into memory
}

// rangeLimit bounds, in bytes of text, what is kept of one range and one node.
const rangeLimit = 256 << 10

// readLogs reads the nodes' logs once and keeps the lines of each of the stretches.
func (d *Dir) readLogs(stretches []stretch) ([]logRange, error) {
	ranges := make([]logRange, len(stretches))
	if len(stretches) == 0 {
		return ranges, nil
	}
	paths, err := filepath.Glob(filepath.Join(globQuote(d.Nodes()), "*.log"))
	if err != nil {
		return nil, fmt.Errorf("find logs in %s: %w", d.Nodes(), err)
	}
	var failed []error
	for _, path := range paths {
		if err := readLog(path, stretches, ranges); err != nil {
			failed = append(failed, fmt.Errorf("read %s: %w", path, bare(err)))
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

func readLog(path string, stretches []stretch, ranges []logRange) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	node := strings.TrimSuffix(filepath.Base(path), ".log")
	kept := make([]int, len(ranges))
	last := logLine{Node: node}
	for r := bufio.NewReaderSize(file, 64<<10); ; {
		text, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		last = parseLogLine(text, last)
		for i, s := range stretches {
			switch {
			case last.Time < s.From || last.Time > s.To:
			case kept[i]+len(text) > rangeLimit:
				ranges[i].Left++
			default:
				kept[i] += len(text)
				line := last
				line.Text = strings.Clone(last.Text)
				ranges[i].Lines = append(ranges[i].Lines, line)
			}
		}
	}
}

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
