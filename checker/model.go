package checker

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
)

// Model is the sequential specification that a history is held against, one key at a time: what a
// key would answer if operations came one after the other.
type Model struct {
	Name string
	// Parse reads the operations of one key, in the order of their invocations. What says nothing
	// about the key's history is left out: operations that definitely did not happen, reads without
	// an answer. An *OpError names an operation that cannot be read.
	Parse func(ops []*history.Op) (Problem, error)
}

// Models is the table of models, by the names that --model takes; the first is the default.
func Models() []Model {
	return []Model{Register(), KV(), List(), Text(), Set(), Counter(), Queue(), Lock(), Bank()}
}

// Problem is what the operations of one key mean to a model: find an order of them that the model
// allows and that keeps every operation within its interval. Problems do not change.
//
// Keep and Weaken make problems that demand less: if the whole has a legal order, so has the result.
// That is what lets a witness be cut out of a long history without convicting the innocent.
type Problem interface {
	// Machine is the model for Porcupine.
	Machine() Machine
	// Operations are Machine's inputs. ClientId is the history's Op.Index; Call and Return are its
	// times, where an operation of unknown outcome returns at history.Never. Intervals are closed:
	// operations that share one moment are concurrent, and Porcupine sorts calls before returns.
	Operations() []porcupine.Operation
	// Len is how many Operations there are.
	Len() int
	// Engines are the ways to decide it, in the order in which they are to be asked.
	Engines() []Engine
	// Replay carries operations out in the given order, by their places in Operations. It is an error if that
	// is no linearization: one that must have happened is missing, one is there twice, one was not possible in its
	// place, or one had ended before another began that comes earlier.
	Replay(order []int32) error
	// Groups is the number of sets of operations that can be left out as a whole, in the order of
	// their first calls.
	Groups() int
	// Keep leaves out the groups for which keep is false.
	Keep(keep func(group int) bool) Problem
	// Size is how many bytes Keep may take, with what it knows of the groups.
	Size() int64
	// Weaken leaves out operation i, or some of what it demands; ok is false if it must stay as it is.
	Weaken(i int) (weaker Problem, ok bool)
	// Explain says which rule a small problem without a legal order breaks, and shows that it does.
	// ops are all operations of the key.
	Explain(ops []*history.Op) Finding
}

// Machine is a model for Porcupine: Init, Step, Equal and Hash; all pure.
type Machine struct {
	porcupine.Model
	Adds func(input, next any) int64 // what next points to, in bytes, that the state before input did not
}

// parseCalls reads each operation by read: keep is false if it says nothing, and reason is why it cannot be read.
func parseCalls[C any](ops []*history.Op, read func(op *history.Op) (c C, keep bool, reason string)) ([]C, error) {
	calls := make([]C, 0, len(ops))
	for _, op := range ops {
		c, keep, reason := read(op)
		if reason != "" {
			return nil, &OpError{Op: *op, Reason: reason}
		}
		if keep {
			calls = append(calls, c)
		}
	}
	return calls, nil
}

// OpError is an operation that a model cannot read.
type OpError struct {
	Op     history.Op
	Reason string
}

func (e *OpError) Error() string {
	return fmt.Sprintf("operation %d of key %q (%s by p%d): %s", e.Op.Index, e.Op.Key, e.Op.Label(), e.Op.Process, e.Reason)
}
