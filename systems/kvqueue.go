package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ordeal/history"
)

// outrun is what a dequeue finds when the queue has changed since it looked.
const outrun = found("the queue has changed")

// dequeueMin is what must be left of the operation's time to begin anew: an attempt that is begun too late ends unknown.
const dequeueMin = 4 * kvAttemptMin

// dequeue takes the first element of a list: it looks at the list, and then writes what is left of it on condition
// that it has not changed since. If it has, the answer tells what is there now, and all begins anew with that.
//
// Of its attempts all but the last have ended with "changed", in a session, so they will never take effect: what
// becomes of the last becomes of the operation. Empty is an answer only if the look that showed it was
// linearizable, which both ways of looking are, whatever mode reads are in.
//
// What is no list (kv has lost or garbled it) is handed out as if it were an element; nobody put it in.
func dequeue(ctx context.Context, c *kvClient, op history.Event) (history.Event, error) {
	now, err := once(get(""), value)(ctx, c, op)
	if err != nil {
		return unanswered(op, fmt.Errorf("%w: look at the queue: %w", history.ErrNotApplied, err))
	}
	for attempt := 1; ; attempt++ {
		var list []json.RawMessage
		if isList := json.Unmarshal(now.Value, &list) == nil; !isList || len(list) == 0 {
			return now, nil
		}
		command := takeFirst(op.Key, now.Revision, list)
		request := func(history.Event) (kvRequest, error) { return command.request() }
		done, err := repeated(request, func(op history.Event, a answer) (history.Event, error) {
			results, held, err := kvResults(a, 1)
			switch {
			case err != nil:
				return unanswered(op, err)
			case !held:
				op.Value, op.Revision = results[0].stored(), results[0].Rev
				return op, outrun
			}
			op.Value, op.Revision = list[0], results[0].Rev
			return op, nil
		})(ctx, c, op)
		switch {
		case !errors.Is(err, outrun):
			return done, err
		case !timeLeft(ctx, dequeueMin):
			return unanswered(op, fmt.Errorf("%w: others were faster, %d times", history.ErrNotApplied, attempt))
		}
		now = done
	}
}

// timeLeft tells whether ctx goes on for d.
func timeLeft(ctx context.Context, d time.Duration) bool {
	end, limited := ctx.Deadline()
	return ctx.Err() == nil && (!limited || time.Until(end) >= d)
}

// takeFirst is a command that leaves all but the first element of a list that was last changed by entry rev.
func takeFirst(name string, rev uint64, list []json.RawMessage) kvCommand {
	key := []byte(name)
	change := kvOp{Op: "delete", Key: key}
	if len(list) > 1 {
		change.Op = "put"
		for _, e := range list[1:] {
			change.Value = append(change.Value, element(e)...)
		}
	}
	return kvCommand{If: []kvCond{{key, rev}}, Then: []kvOp{change}, Else: []kvOp{{Op: "get", Key: key}}}
}
