package ordeal

import (
	"context"
	"fmt"
	"slices"

	"ordeal/checker"
	"ordeal/history"
)

// take is called for each event in the order of the history. The first response that makes the history impossible
// is recorded, and ends the run unless it is to go on; more than one would tell the judge nothing.
func (t *trial) take(e history.Event) {
	t.tally.take(e)
	if t.online == nil || !t.online.Take(e) {
		return
	}
	t.online = nil
	t.tally.violates(e)
	t.observe(history.Event{F: history.SawViolation, Key: e.Key, Value: fmt.Append(nil, e.Index)})
	if !t.KeepGoing {
		t.violate()
	}
}

// violates notes the first violation.
func (t *tally) violates(e history.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.violation = fmt.Sprintf("%s at %.1fs", history.Word(e.Key), e.Time.Seconds())
}

// confirmed is operations, held against what was seen while the run went on: if all that judge call the history
// valid, then they are wrong or what was seen is.
func confirmed(ctx context.Context, c *trialCase) ([]checker.Verdict, error) {
	rows, err := operations(ctx, c)
	seen, ok := c.saw(history.SawViolation)
	if err != nil || !ok || slices.ContainsFunc(rows, func(v checker.Verdict) bool { return v.Status != checker.Valid }) {
		return rows, err
	}
	return nil, fmt.Errorf("key %q: event %s was taken for a violation while the run went on, and is none, which is a bug in the checker", seen.Key, seen.Value)
}
