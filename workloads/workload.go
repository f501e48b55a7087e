// Package workloads says what clients do to a system, and which checkers may judge it.
//
// It does not know how nodes are run or which faults strike them.
package workloads

import (
	"context"
	"iter"
	"math/rand/v2"

	"ordeal/checker"
	"ordeal/history"
)

// Client is one connection to one node. It is used by one goroutine at a time.
type Client interface {
	// Invoke performs the invocation op and returns its completion: op with Value, Node, Term and
	// Revision of the answer filled in. The error decides the outcome: nil is ok, one that wraps
	// history.ErrNotApplied is fail (Value may still carry what the system answered), every other is
	// info. It must return soon after ctx is done, and must not send op again, unless the system's own
	// protocol promises that op is applied once however often it is sent.
	Invoke(ctx context.Context, op history.Event) (history.Event, error)
	Close() error
}

// Workload is a kind of load with the checks that fit it. It belongs to one run.
type Workload struct {
	Name string
	// Ops yields the invocations of one client, endlessly: F, Key and Value are set, the rest is the
	// runner's. client counts from 0. All randomness comes from the given source. Several clients'
	// sequences are drawn at the same time.
	Ops func(r *rand.Rand, client int) iter.Seq[history.Event]
	// Done, if it is not nil, is told every completion, by the client that has it and before that client's next
	// operation is drawn. For operations that need what an earlier one was answered.
	Done func(client int, done history.Event)
	// Checkers judge the client operations of a run with this workload.
	Checkers []checker.Checker
	// Online makes what follows a run of so many clients while it goes on; nil if nothing does.
	Online func(clients int) *checker.Online
}
