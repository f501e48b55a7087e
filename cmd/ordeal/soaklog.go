package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ordeal/checker"
)

// soakLog is a soak's memory: soak.jsonl, a header line with the seed and a line for each trial.
type soakLog struct {
	*os.File
	out    string
	trials []soakTrial
}

// soakHeader says what all trials have in common. A soak goes on only with the same.
type soakHeader struct {
	Soak  uint64   `json:"soak"`  // its seed
	Trial []string `json:"trial"` // arguments of each trial's run
}

// openSoakLog opens the log in out, or begins one. A torn last line, left by a kill, is cut off: its
// trial is made again.
func openSoakLog(out string, h soakHeader) (*soakLog, error) {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, fmt.Errorf("make soak directory: %w", err)
	}
	path := filepath.Join(out, "soak.jsonl")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read soak: %w", err)
	}
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	l := &soakLog{out: out}
	if err := l.read(path, data, h); err != nil {
		return nil, err
	}
	if l.File, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, fmt.Errorf("open soak log: %w", err)
	}
	if err := l.Truncate(int64(len(data))); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := l.Seek(0, 2); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) == 0 {
		return l, l.append(h)
	}
	return l, nil
}

func (l *soakLog) read(path string, data []byte, h soakHeader) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			var was soakHeader
			if err := strict(lines.Bytes(), &was); err != nil {
				return fmt.Errorf("%s:1: %w", path, err)
			}
			if was.Soak != h.Soak || !slices.Equal(was.Trial, h.Trial) {
				return fmt.Errorf("%s is another soak: --seed %d %q, not --seed %d %q", path, was.Soak, was.Trial, h.Soak, h.Trial)
			}
			continue
		}
		var t soakTrial
		if err := strict(lines.Bytes(), &t); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if t.N != n-1 || t.Elapsed <= 0 || !bytes.Contains(lines.Bytes(), []byte(`"status"`)) {
			return fmt.Errorf("%s:%d: n must be %d, elapsed positive and status given", path, n, n-1)
		}
		l.trials = append(l.trials, t)
	}
	return nil
}

func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func (l *soakLog) append(line any) error {
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("soak log: %w", err)
	}
	if _, err := l.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("soak log: %w", err)
	}
	return nil
}

func (l *soakLog) add(t soakTrial) error {
	l.trials = append(l.trials, t)
	return l.append(t)
}

// elapsed is how long all trials took together.
func (l *soakLog) elapsed() (sum time.Duration) {
	for _, t := range l.trials {
		sum += t.Elapsed
	}
	return sum
}

// worst is Unknown for a soak without a trial.
func (l *soakLog) worst() checker.Status {
	if len(l.trials) == 0 {
		return checker.Unknown
	}
	worst := checker.Valid
	for _, t := range l.trials {
		worst = max(worst, t.Status)
	}
	return worst
}

func (l *soakLog) counts() string {
	n := map[checker.Status]int{}
	ops := 0
	for _, t := range l.trials {
		n[t.Status]++
		ops += t.OK
	}
	return fmt.Sprintf("%d trials: %d valid, %d unknown, %d invalid; %s ok operations in %v", len(l.trials),
		n[checker.Valid], n[checker.Unknown], n[checker.Invalid], thousands(ops), l.elapsed().Round(time.Second))
}

// summarize writes summary.md: the counts, and every trial that was not valid.
func (l *soakLog) summarize() error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Soak: %s\n\n%s.\n\n", l.worst(), l.counts())
	for _, t := range l.trials {
		if t.Status != checker.Valid {
			fmt.Fprintf(&b, "    %s\n", t.line())
		}
	}
	path := filepath.Join(l.out, "summary.md")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write soak summary: %w", err)
	}
	return nil
}
