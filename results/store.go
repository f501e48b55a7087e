package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// DefaultOut is where runs are kept when nobody says otherwise. Its newest run is results/latest.
const DefaultOut = "results/_runs"

// Dir is the directory of one run, as DESIGN.md §6 lays it out.
type Dir struct{ path string }

// Create makes the directory of a new run in out, with an empty nodes/ in it, and points latest at
// it. The name is the time, the workload and the seed; a run that begins in the same second as its
// twin gets a number behind that.
func Create(out, workload string, seed uint64, started time.Time) (*Dir, error) {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return nil, unwritable(out, err)
	}
	name := fmt.Sprintf("%s-%s-%d", started.UTC().Format("20060102T150405Z"), fileName(workload), seed)
	d := &Dir{filepath.Join(out, name)}
	for n := 2; ; n++ {
		err := os.Mkdir(d.path, 0o777)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return nil, unwritable(out, err)
		}
		d.path = filepath.Join(out, name+"-"+strconv.Itoa(n))
	}
	if err := os.Mkdir(d.Nodes(), 0o777); err != nil {
		return nil, unwritable(out, err)
	}
	if err := pointLatest(d.path); err != nil {
		return nil, errors.Join(err, os.RemoveAll(d.path))
	}
	return d, nil
}

// Open finds an existing run: its directory, or a symlink to one such as results/latest.
func Open(path string) (*Dir, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("no run at %s: %w", path, bare(err))
	}
	info, err := os.Stat(target)
	if err != nil {
		return nil, fmt.Errorf("no run at %s: %w", path, bare(err))
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("no run at %s: not a directory", path)
	}
	d := &Dir{target}
	if !exists(d.Manifest()) && !exists(d.History()) {
		return nil, fmt.Errorf("no run at %s: neither manifest.json nor history.jsonl in it", path)
	}
	return d, nil
}

// Latest is where the symlink to the newest run of out is kept: results/latest for results/_runs,
// and OUT/latest everywhere else.
func Latest(out string) string {
	if filepath.Base(out) == "_runs" {
		return filepath.Join(filepath.Dir(out), "latest")
	}
	return filepath.Join(out, "latest")
}

// pointLatest makes latest a relative symlink to run. Whoever looks sees the old one or the new one.
func pointLatest(run string) error {
	link := Latest(filepath.Dir(run))
	if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%s is in the way: the symlink to the newest run goes there", link)
	}
	target, err := filepath.Rel(filepath.Dir(link), run)
	if err != nil {
		return fmt.Errorf("point %s at %s: %w", link, run, err)
	}
	temp := filepath.Join(filepath.Dir(link), ".latest-"+filepath.Base(run))
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("point %s at %s: %w", link, run, bare(err))
	}
	if err := os.Rename(temp, link); err != nil {
		return fmt.Errorf("point %s at %s: %w", link, run, errors.Join(bare(err), os.Remove(temp)))
	}
	return nil
}

// Path is the directory itself.
func (d *Dir) Path() string { return d.path }

// Name is the last element of the path; it tells one run from another.
func (d *Dir) Name() string { return filepath.Base(d.path) }

// Nodes is the directory of what the nodes wrote.
func (d *Dir) Nodes() string { return d.file("nodes") }

// NodeLog is what a node said on stdout and stderr, a line each, with arrival times.
func (d *Dir) NodeLog(id string) string { return filepath.Join(d.Nodes(), fileName(id)+".log") }

// ApplyLog is what a node's state machine applied, a JSON line each.
func (d *Dir) ApplyLog(id string) string {
	return filepath.Join(d.Nodes(), fileName(id)+".apply.jsonl")
}

// Manifest is manifest.json: what was run and how to run it again.
func (d *Dir) Manifest() string { return d.file("manifest.json") }

// Schedule is schedule.json: the faults as they were planned.
func (d *Dir) Schedule() string { return d.file("schedule.json") }

// History is history.jsonl: every event, written as the run goes.
func (d *Dir) History() string { return d.file("history.jsonl") }

// Verdict is verdict.json: what the checkers said.
func (d *Dir) Verdict() string { return d.file("verdict.json") }

// Index is index.html, the page of the run.
func (d *Dir) Index() string { return d.file("index.html") }

// Violation is the page of the nth finding, counted from 1.
func (d *Dir) Violation(n int) string { return d.file(violationName(n) + ".html") }

// ViolationText is the nth finding as text, counted from 1.
func (d *Dir) ViolationText(n int) string { return d.file(violationName(n) + ".txt") }

// JUnit is junit.xml, for every CI that reads it.
func (d *Dir) JUnit() string { return d.file("junit.xml") }

// StepSummary is summary.md, at most 64 KiB, for GitHub's step summary.
func (d *Dir) StepSummary() string { return d.file("summary.md") }

// BrokenKey is the history of a key about which the checker is wrong.
func (d *Dir) BrokenKey() string { return d.file("broken-key.jsonl") }

func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

func violationName(n int) string { return fmt.Sprintf("violation-%02d", n) }

// fileName makes one harmless path element of any string.
func fileName(s string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
			return r
		}
		return '_'
	}, s)
	if len(name) > 64 {
		name = name[:64]
	}
	if strings.Trim(name, ".") == "" {
		return "_"
	}
	return name
}

func unwritable(out string, err error) error {
	return fmt.Errorf("no run can be stored in %s: %w", out, bare(err))
}

// bare drops the operation and the path that the os package puts before an error, for messages that
// have already named what matters.
func bare(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
