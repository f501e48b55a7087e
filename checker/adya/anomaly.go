package adya

import "slices"

// The rules that transactions over lists can break without a cycle. G0, G1a and G1b are Adya's names (Weak
// Consistency, MIT 1999, section 3); the others are Elle's (Kingsbury & Alvaro, PVLDB 14(3), 2020).
const (
	ruleStrange      = "impossible answer"
	rulePhantom      = "phantom element"
	ruleAborted      = "aborted read (G1a)"
	ruleDirtyUpdate  = "dirty update (G1a)"
	ruleIntermediate = "intermediate read (G1b)"
	ruleDirtyWrite   = "dirty write (G0)"
	ruleDuplicate    = "duplicate element"
	ruleInternal     = "internal inconsistency"
	ruleReordered    = "reordered appends"
	ruleIncompatible = "incompatible order"
	ruleLostUpdate   = "lost update"
)

// anomaly is something that no serial order of transactions allows. The transactions that it names allow none by
// themselves, even if all others, and what those appended, are struck from the history. Of a cycle of more than 64
// it names the first 64 (toldMax): these are examples, and the whole cycle is the proof.
type anomaly struct {
	rule    string
	key     int32 // of one that is about one key; others have a cycle
	txns    []int32
	aborted []int32   // transactions that failed and have to do with it
	writers []int32   // of an element that is shown too often: those that appended it, as often as they did
	about   []element // elements that its sentence speaks of
	reads   []*micro  // reads that its sentence speaks of
	base    int32     // of a lost update: the length of the list that both found
	cycle   []step
	longer  []step  // a cycle without real time, if the one that is told has it and is shorter
	keys    []int32 // that the cycle goes through
}

// add names one more transaction, if it is not named yet.
func (a *anomaly) add(t int32) {
	if !slices.Contains(a.txns, t) {
		a.txns = append(a.txns, t)
	}
}

// concerns are the keys that the anomaly is about.
func (a *anomaly) concerns() []int32 {
	if a.cycle == nil {
		return []int32{a.key}
	}
	return a.keys
}
