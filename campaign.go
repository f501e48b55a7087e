package ordeal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordeal/kv/bugs"
)

// Load is the length of the load of the trial that c describes, with what its bug's header names. The error is a
// *UsageError.
func (c Config) Load() (time.Duration, error) {
	p, err := c.plan()
	if err != nil {
		return 0, err
	}
	return p.Time, nil
}

// FindBug finds a planted bug by its id or the path of a diff, and checks that its header makes a trial and
// names checks that judge it. The error is a *UsageError.
func FindBug(idOrPath string) (bugs.Bug, error) {
	p, err := Config{Bug: idOrPath}.plan()
	if err != nil {
		return bugs.Bug{}, err
	}
	// The judge knows best what it asks: this is a case in which nothing happened.
	nothing := trialCase{manifest: p.manifest(nil), checkers: p.workload.Checkers}
	v, err := nothing.judge(context.Background(), runChecks)
	if err != nil {
		return bugs.Bug{}, &UsageError{err}
	}
	var known []string
	for _, row := range v.Checkers {
		if row.Name != "evidence" { // it never convicts
			known = append(known, row.Name)
		}
	}
	for _, name := range p.bug.Checks {
		if !slices.Contains(known, name) {
			return bugs.Bug{}, &UsageError{fmt.Errorf("%s: header check: unknown check %q (with %s there are %s)",
				idOrPath, name, p.Workload, strings.Join(known, ", "))}
		}
	}
	return *p.bug, nil
}
