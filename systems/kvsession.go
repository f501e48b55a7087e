package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ordeal/history"
)

// Whatever changes lists, counters, locks and accounts goes through a session: each carries the session's number and a sequence that rises
// from 1, and kv promises that what comes again under the sequence it had last is not applied again but gets the
// same answer. So when nobody knows what became of an attempt, the same request is sent again, to
// the next node, as kv's own protocol has it.
//
// That is none of the retries behind our back that a trial must not have. There is one operation in the
// history, from the first attempt to the last, and the promise that it happens once is on trial like every
// other: if it is broken an element is there twice. Operations on registers have no such promise and are
// sent once.
const (
	kvPause      = 20 * time.Millisecond // before the next attempt
	kvAttemptMin = 50 * time.Millisecond // that an attempt may take at least; the first takes half of the time
)

// errSessionOver is kv's word that a session has ended or has gone on; it says nothing about what was
// sent in it earlier, and no attempt will ever learn that.
var errSessionOver = errors.New("the session is over")

// invokeInSession sends an operation until an attempt is answered, it is refused, or ctx ends.
//
// A definite refusal counts only if it answers the first attempt: a later one speaks for itself alone,
// and an earlier one may still be on its way into the log. From there on the outcome is open until an attempt
// tells what came of the operation: that it is done, or what it found.
func (c *kvClient) invokeInSession(ctx context.Context, op history.Event, r kvRequest, answered kvAnswered) (history.Event, error) {
	if c.session == 0 {
		if err := c.open(ctx); err != nil { // so op was not sent
			return unanswered(op, fmt.Errorf("%w: open a session: %w", history.ErrNotApplied, err))
		}
	}
	c.sequence++
	r.headers = []string{fmt.Sprintf("Kv-Session: %d", c.session), fmt.Sprintf("Kv-Sequence: %d", c.sequence)}
	var unknown error // what left the outcome open
	for attempt := 0; ; attempt++ {
		done, err := c.attempt(ctx, attempt, op, r, answered)
		if errors.Is(err, errSessionOver) {
			c.session, c.sequence = 0, 0
		}
		switch {
		case err == nil && attempt > 0:
			done.Err = fmt.Sprintf("answered at attempt %d", attempt+1)
			return done, nil
		case err == nil, errors.As(err, new(found)), attempt == 0 && errors.Is(err, history.ErrNotApplied):
			return done, err
		case unknown == nil:
			unknown = err
		}
		if c.session == 0 || !pause(ctx, kvPause) {
			return done, fmt.Errorf("%w (after %d attempts)", unknown, attempt+1)
		}
	}
}

// attempt sends a request once, within a part of the time that is left.
func (c *kvClient) attempt(ctx context.Context, n int, op history.Event, r kvRequest, answered kvAnswered) (history.Event, error) {
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(time.Until(end)/2, kvAttemptMin))
		defer cancel()
	}
	return c.nodes[n%len(c.nodes)].invoke(ctx, op, r, answered)
}

func (c *kvClient) open(ctx context.Context) error {
	a, err := c.nodes[0].conn.do(ctx, http.MethodPost, "/sessions", nil)
	if err != nil {
		return err
	}
	if a.status != http.StatusOK {
		return kvError(a)
	}
	var body struct{ Session uint64 }
	if err := json.Unmarshal(a.body, &body); err != nil || body.Session == 0 {
		return fmt.Errorf("the answer %.40q names no session", a.body)
	}
	c.session, c.sequence = body.Session, 0
	return nil
}

// pause waits for d and tells whether ctx is still going on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
