// Package bugs holds the bugs that are planted in kv, each a small diff with a header that says where it
// happened and what convicts it, and builds nodes that have one. It knows nothing of the harness.
package bugs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Bug is one planted bug.
type Bug struct {
	ID       string
	Title    string
	Origin   string   // where it happened in earnest
	Faults   []string // that reveal it, in the harness's notation; empty: none needed
	Workload string
	Check    string // that must convict it
	Tier     string // A, B or C; see the table of planted bugs
	Story    string
	Diff     []byte // unified, against kv/
}

//go:embed *.diff
var diffs embed.FS

// All gives the bugs that come with kv, by id.
func All() ([]Bug, error) {
	names, err := fs.Glob(diffs, "*.diff") // sorted
	if err != nil {
		return nil, err
	}
	var all []Bug
	for _, name := range names {
		text, err := fs.ReadFile(diffs, name)
		if err != nil {
			return nil, err
		}
		b, err := parse(name, text)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// Find gives the bug with an id, or the one in a diff file.
func Find(idOrPath string) (Bug, error) {
	all, err := All()
	if err != nil {
		return Bug{}, err
	}
	var known []string
	for _, b := range all {
		if b.ID == idOrPath {
			return b, nil
		}
		known = append(known, b.ID)
	}
	if !strings.HasSuffix(idOrPath, ".diff") {
		return Bug{}, fmt.Errorf("no planted bug %q; there are %s", idOrPath, strings.Join(known, ", "))
	}
	text, err := os.ReadFile(idOrPath)
	if err != nil {
		return Bug{}, err
	}
	return parse(idOrPath, text)
}

// parse reads a diff file. In a file of somebody's own every header may be left out: the id is then the
// file's name.
func parse(path string, text []byte) (Bug, error) {
	b := Bug{ID: strings.TrimSuffix(filepath.Base(path), ".diff"), Diff: text}
	var faults string
	fields := map[string]*string{
		"id": &b.ID, "title": &b.Title, "origin": &b.Origin, "faults": &faults,
		"workload": &b.Workload, "check": &b.Check, "tier": &b.Tier, "story": &b.Story,
	}
	var last *string
	for line := range strings.Lines(string(text)) {
		line, comment := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "#")
		if !comment {
			break
		}
		if strings.HasPrefix(line, "   ") && last != nil {
			*last += " " + strings.TrimSpace(line)
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if last = fields[key]; last == nil {
			return b, fmt.Errorf("%s: unknown header %q", path, key)
		}
		*last = strings.TrimSpace(value)
	}
	if b.ID == "" {
		return b, errors.New(path + ": empty id")
	}
	if faults != "" && faults != "none" {
		for f := range strings.SplitSeq(faults, ",") {
			b.Faults = append(b.Faults, strings.TrimSpace(f))
		}
	}
	return b, nil
}
