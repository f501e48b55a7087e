// Package bugs holds the bugs that are planted in kv, each a small diff with a header that says where it
// happened and what convicts it, and builds nodes that have one. It knows nothing of the harness.
//
// Two bugs of the table that these come from are not planted, since kv has nothing to plant them in:
//   - newest-snapshot-file: the log is one file that a rename replaces, snapshot included. There is no separate
//     snapshot file that could be newer than the record of it.
//   - lock-without-lease-check: kv has no locks with leases. It waits for the lock workload.
package bugs

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Bug is one planted bug.
type Bug struct {
	ID          string
	Title       string
	Origin      string        // where it happened in earnest
	Faults      string        // that reveal it, a list in the harness's notation; "none"; "" if the header does not say
	Workload    string        //
	Time        time.Duration // length of the load
	Nodes       int           // of the cluster; 0 is as many as the harness likes
	Concurrency int           // clients at a time; 0 is as many as the harness likes
	Checks      []string      // any of which convicts it
	Tier        string        // A, B or C, how reliably it is convicted; see the table of planted bugs
	Needs       string        // what the harness must have before it can reveal the bug; "" for nothing more
	Story       string
	Diff        []byte // unified, against kv/, with the header
}

// Convicts tells whether a check that found something convicts the bug: one that the header names, or any if it names
// none.
func (b Bug) Convicts(check string) bool {
	return len(b.Checks) == 0 || slices.Contains(b.Checks, check)
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
		if b.ID+".diff" != name {
			return nil, fmt.Errorf("%s: header id: %q is not the file's name", name, b.ID)
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
