package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ordeal/checker"
)

// State is how far a run came: its verdict, or why there is none.
type State string

// The states of a run. A run is unfinished while it has no verdict, and broken when what is there
// cannot be read.
const (
	IsValid    State = "valid"
	IsUnknown  State = "unknown"
	IsInvalid  State = "invalid"
	Unfinished State = "unfinished"
	Broken     State = "broken"
)

// Summary is one run as a list shows it.
type Summary struct {
	Dir      *Dir
	State    State
	Manifest Manifest // zero if it cannot be read
	Verdict  Verdict  // zero if unfinished or broken
	Err      error    // why it is broken
}

// runName is the beginning of the names that Create gives.
var runName = regexp.MustCompile(`^\d{8}T\d{6}Z-`)

// IsRunName tells whether a name is one that Create gives to a run's directory.
func IsRunName(name string) bool { return runName.MatchString(name) }

// List finds the runs in out, newest first. A directory that is not there has none.
func List(out string) ([]Summary, error) {
	entries, err := os.ReadDir(out)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs in %s: %w", out, bare(err))
	}
	var runs []Summary
	for _, e := range entries {
		d := &Dir{filepath.Join(out, e.Name())}
		if e.IsDir() && (runName.MatchString(e.Name()) || exists(d.Manifest())) {
			runs = append(runs, summarise(d))
		}
	}
	slices.SortFunc(runs, func(a, b Summary) int { return strings.Compare(b.Dir.Name(), a.Dir.Name()) })
	return runs, nil
}

func summarise(d *Dir) Summary {
	s := Summary{Dir: d}
	var manifest, verdict error
	s.Manifest, manifest = d.ReadManifest()
	s.Verdict, verdict = d.ReadVerdict()
	absent := errors.Is(verdict, fs.ErrNotExist)
	switch {
	case manifest != nil && !errors.Is(manifest, fs.ErrNotExist):
		s.State, s.Err = Broken, manifest
	case verdict != nil && !absent:
		s.State, s.Err = Broken, verdict
	case absent:
		s.State = Unfinished
	default:
		s.State = stateOf(s.Verdict.Status)
	}
	return s
}

func stateOf(s checker.Status) State {
	switch s {
	case checker.Valid:
		return IsValid
	case checker.Invalid:
		return IsInvalid
	default:
		return IsUnknown
	}
}
