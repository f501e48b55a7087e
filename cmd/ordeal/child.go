package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"ordeal/internal/sandbox"
)

// child is one trial in a process of its own, so that one that breaks or leaks takes nothing along. Its
// methods are called from a locked thread: the trial dies with it.
type child struct {
	stop     <-chan os.Signal   // interrupts to pass on
	patience time.Duration      // after which it is killed
	watch    func(progressLine) // is told how it goes; may be nil

	interrupted bool   // an interrupt was passed on
	dir         string // the run's, as soon as it is known
}

// hangs is how long a trial may take beyond its load before it is killed and counts as broken.
const hangs = 15 * time.Minute

// run runs the trial that the arguments of ordeal run describe. The error says why there is no verdict.
func (c *child) run(ctx context.Context, args []string) (*verdictLine, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, append([]string{"run", "--json"}, args...)...)
	var complaint bytes.Buffer
	cmd.Stderr = &tail{buf: &complaint}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	sandbox.DieWithParent(cmd) // and in a group of its own: a terminal's interrupt must reach it once
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	done, forwarded := make(chan struct{}), make(chan bool)
	go func() { forwarded <- c.forward(cmd.Process, done) }()
	last := c.read(stdout)
	err = cmd.Wait()
	close(done)
	c.interrupted = <-forwarded
	if last == nil {
		return nil, fmt.Errorf("no verdict (%v): %s", err, strings.TrimSpace(complaint.String())) //nolint:errorlint // an exit code is nothing to unwrap
	}
	return last, nil
}

// forward passes the interrupts that reach us on to a trial until done is closed, and tells whether there
// were any.
func (c *child) forward(p *os.Process, done <-chan struct{}) (interrupted bool) {
	for {
		select {
		case <-c.stop:
			interrupted = true
			_ = p.Signal(syscall.SIGINT) // it may have ended by itself
		case <-done:
			return interrupted
		}
	}
}

// read reads the JSON lines of run --json to their end; nil if no verdict is among them.
func (c *child) read(r io.Reader) (last *verdictLine) {
	lines := bufio.NewReader(r)
	for {
		data, err := lines.ReadBytes('\n')
		var p progressLine
		var v verdictLine
		switch {
		case json.Unmarshal(data, &p) == nil && p.Event == "progress":
			c.dir = p.Dir
			if c.watch != nil {
				c.watch(p)
			}
		case json.Unmarshal(data, &v) == nil && v.Event == "verdict":
			last, c.dir = &v, v.Dir
		}
		if err != nil {
			return last
		}
	}
}

// tail keeps the last 4 KiB.
type tail struct{ buf *bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if over := t.buf.Len() - 4096; over > 0 {
		t.buf.Next(over)
	}
	return len(p), nil
}

// derive makes the nth seed of a series of trials: splitmix64 (Steele, Lea and Flood, OOPSLA 2014), cut to 32 bits to
// stay readable.
func derive(seed, n uint64) uint64 {
	z := seed + (n+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return max(1, (z^z>>31)&0xffffffff)
}
