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

// seen is what the monitor saw while the run went on, or "".
func (c *trialCase) seen() string {
	e, ok := c.saw(history.SawViolation)
	if !ok {
		return ""
	}
	return fmt.Sprintf("event %s had made the history of key %s impossible, as far as was seen while the run went on", e.Value, history.Word(e.Key))
}

// confirmed is operations, held against what was seen while the run went on: if all that judge call the history
// valid, then they are wrong or what was seen is. If they cannot tell, it is all that there is to go by.
func confirmed(ctx context.Context, c *trialCase) ([]checker.Verdict, error) {
	rows, err := operations(ctx, c)
	e, ok := c.saw(history.SawViolation)
	if err != nil || !ok || slices.ContainsFunc(rows, func(v checker.Verdict) bool { return v.Status == checker.Invalid }) {
		return rows, err
	}
	doubt := slices.IndexFunc(rows, func(v checker.Verdict) bool { return v.Status == checker.Unknown })
	if doubt < 0 {
		err := fmt.Errorf("event %s was taken for a violation while the run went on, and is none, which is a bug in the checker", e.Value)
		return nil, &checker.KeyError{Key: e.Key, Err: err}
	}
	rows[doubt].Reason += "; " + c.seen()
	return rows, nil
}
