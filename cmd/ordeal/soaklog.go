package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

type soakHeader struct {
	Soak uint64 `json:"soak"` // its seed
}

// openSoakLog opens the log in out, or begins one. A torn last line, left by a kill, is cut off: its
// trial is made again.
func openSoakLog(out string, seed uint64) (*soakLog, error) {
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
	if err := l.read(path, data, seed); err != nil {
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
		return l, l.append(soakHeader{seed})
	}
	return l, nil
}

func (l *soakLog) read(path string, data []byte, seed uint64) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, len(data)+1)
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			var h soakHeader
			if err := strict(lines.Bytes(), &h); err != nil {
				return fmt.Errorf("%s:1: %w", path, err)
			}
			if h.Soak != seed {
				return fmt.Errorf("%s is a soak with --seed %d, not %d", path, h.Soak, seed)
			}
			continue
		}
		var t soakTrial
		if err := strict(lines.Bytes(), &t); err != nil {
			return fmt.Errorf("%s:%d: %w", path, n, err)
		}
		l.trials = append(l.trials, t)
	}
	return nil
}

func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
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
