package history

import "fmt"

// Pair makes operations of events, in the order of their invocations. It skips what Nemesis and
// Observer say. Operations that are still open at the end are Info.
//
// A history in which a process is not what it should be, one line of thought, is refused, since any
// verdict about it would be worthless: a completion without an invocation, or with another f or key
// (an answer to an earlier request taken for a later one), two operations open at once, a completion
// before its invocation, a process that goes on after an unknown outcome. The error names the event
// and the process.
func Pair(events []Event) ([]Op, error) {
	p := pairing{open: map[int]int{}}
	for _, e := range events {
		if e.Process == Nemesis || e.Process == Observer {
			continue
		}
		var err error
		if e.Type == Invoke {
			err = p.invoke(e)
		} else {
			err = p.complete(e)
		}
		if err != nil {
			return nil, fmt.Errorf("event %d: process %d %w", e.Index, e.Process, err)
		}
	}
	return p.ops, nil
}

// lost is the place of a process whose last operation has an unknown outcome.
const lost = -1

type pairing struct {
	ops  []Op
	open map[int]int // process → its place in ops, or lost
}

func (p *pairing) invoke(e Event) error {
	if at, busy := p.open[e.Process]; busy && at == lost {
		return fmt.Errorf("invokes %s after an operation of unknown outcome; it should have a new id", e.F)
	} else if busy {
		return fmt.Errorf("invokes %s while its %s of event %d is open", e.F, p.ops[at].F, p.ops[at].Index)
	}
	p.open[e.Process] = len(p.ops)
	p.ops = append(p.ops, Op{
		Index: e.Index, Process: e.Process, F: e.F, Key: e.Key, Input: e.Value,
		Type: Info, Call: e.Time, Return: Never, Ended: Never, Node: e.Node, Err: e.Err,
	})
	return nil
}

func (p *pairing) complete(e Event) error {
	at, busy := p.open[e.Process]
	if !busy || at == lost {
		return fmt.Errorf("completes %s without an invocation", e.F)
	}
	op := &p.ops[at]
	switch {
	case e.F != op.F:
		return fmt.Errorf("completes %s, but event %d had invoked %s", e.F, op.Index, op.F)
	case e.Key != op.Key:
		return fmt.Errorf("completes %s of key %q, but event %d had invoked it on key %q", e.F, e.Key, op.Index, op.Key)
	case e.Time < op.Call:
		return fmt.Errorf("completes %s at %v, before event %d invoked it at %v", e.F, e.Time, op.Index, op.Call)
	case e.Type != OK && e.Type != Fail && e.Type != Info:
		return fmt.Errorf("has no event type %d", uint8(e.Type))
	}
	op.Type, op.Output, op.Ended = e.Type, e.Value, e.Time
	op.Term, op.Revision, op.Err = e.Term, e.Revision, e.Err
	if e.Node != "" {
		op.Node = e.Node
	}
	if e.Type == Info {
		p.open[e.Process] = lost
		return nil
	}
	op.Return = e.Time
	delete(p.open, e.Process)
	return nil
}
