// Package adya judges transactions over lists: whether they have a serial order that keeps to real time (strict
// serializability), in about linear time.
//
// It finds the order of the appends to each key in the reads, makes a graph of who must come before whom, and looks
// for cycles, as Elle does (Kingsbury & Alvaro, PVLDB 14(3), 2020), naming what it finds after Adya (Weak
// Consistency, MIT 1999). Both verdicts are proved, by code that knows nothing of graphs. Without a cycle, an order of
// all transactions is done one by one, and must give every answer. Of a cycle each step is checked by what clients were
// answered, however long it is. Besides, each anomaly is cut out with the few transactions that show it, and Porcupine
// is asked for an order of them; the verdict says of how many anomalies it could not tell in the time for witnesses, or
// was not asked since they are cycles of more than 64.
//
// Elements must be unique within a key; where two transactions appended what somebody saw, the verdict is Unknown.
// It does not know nodes, faults or files.
package adya

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordeal/checker"
	"ordeal/history"
	"ordeal/internal/words"
)

// Transactions is the checker. Operations are "txn"s, whose value is a list of Jepsen's micro-operations: ["append",k,e]
// and ["r",k,null]; when ok the reads show lists, or null for an absent key, which is the empty list. One that
// failed did not happen, so that nobody may see its appends; one of unknown outcome did if somebody did. Elements are
// the same if they are written alike, however strings are escaped: who appends 1 and reads 1.0 has read a phantom.
//
// Of the budget it keeps to Time, Memory and Witness. Porcupine judges beside it what has an order and few
// transactions: 50 ms of Time, or with CrossCheckAll what is left of it.
func Transactions(b checker.Budget) checker.Checker {
	b.Time, b.Memory, b.Witness = cmp.Or(b.Time, time.Minute), cmp.Or(b.Memory, 1<<30), cmp.Or(b.Witness, 2*time.Second)
	return transactions{budget: b}
}

type transactions struct{ budget checker.Budget }

func (transactions) Name() string { return "transactions" }

// findingsMax bounds the findings of one check; all are counted.
const findingsMax = 20

func (c transactions) Check(ctx context.Context, ops []history.Op) checker.Verdict {
	start := time.Now()
	timed, cancel := context.WithTimeout(ctx, c.budget.Time)
	defer cancel()
	j := judgement{budget: c.budget, stop: func() bool { return timed.Err() != nil }}
	v, order := j.judge(ctx, ops)
	if v.Status == checker.Valid {
		v = j.agreed(timed, order)
	}
	v.Checker, v.Elapsed = c.Name(), time.Since(start)
	v.Engine = cmp.Or(v.Engine, "cycles")
	return v
}

// judgement is one check.
type judgement struct {
	*records
	budget    checker.Budget
	stop      func() bool // tells whether Time is over
	keys      []versions
	anomalies []anomaly
	ambiguous []ambiguity
	graph     *graph
}

// judge comes to a verdict before stop. If that is Valid there is a serial order. ctx is that of witnesses, which have
// time of their own.
func (j *judgement) judge(ctx context.Context, ops []history.Op) (v checker.Verdict, order []int32) {
	var err error
	switch j.records, err = parse(ops, j.budget.Memory, j.stop); {
	case errors.Is(err, errMemory):
		return unknown(fmt.Sprintf("%s would take more to judge than the %d MiB that the check may take", counted(len(ops)), j.budget.Memory>>20)), nil
	case err != nil:
		return unknown(err.Error()), nil
	case j.stop():
		return j.late(), nil // what was not parsed may have appended what others show
	}
	j.resolve()
	j.graph = newGraph(j.records, j.keys)
	all := j.graph.components(only(ww, wr, rw, rt), j.stop)
	order = slices.Clone(all.order)
	slices.Reverse(order)
	if components := all.cyclic(j.graph.txns); len(components) > 0 && !j.stop() {
		if err := j.cycles(all, components); err != nil {
			return broken(err), nil
		}
	}
	switch {
	case len(j.anomalies) > 0:
		return j.invalid(ctx), nil
	case j.stop():
		return j.late(), nil
	case len(j.ambiguous) > 0:
		return unknown(j.doubt(j.ambiguous[0])), nil
	case !slices.ContainsFunc(j.txns, func(t txn) bool { return t.outcome == history.OK }):
		return unknown("no transaction succeeded, so there is nothing to judge"), nil
	}
	if err := replay(j.records, order); err != nil {
		return broken(fmt.Errorf("the order of %s that the graph gives is none, which is a bug in the checker: %w", counted(len(order)), err)), nil
	}
	return checker.Verdict{}, order
}

// agreed is the verdict on what has an order, if Porcupine does not say otherwise.
func (j *judgement) agreed(ctx context.Context, order []int32) checker.Verdict {
	n, ok := j.beside(ctx, order)
	if !ok {
		return broken(fmt.Errorf("the checker disagrees with Porcupine about %s, which is a bug in the checker", counted(len(order))))
	}
	return checker.Verdict{Engine: fmt.Sprintf("cycles, porcupine beside %d", n)}
}

// late is the verdict when the time was over.
func (j *judgement) late() checker.Verdict {
	return unknown(fmt.Sprintf("%s not finished (the check may take %v)", counted(len(j.ops)), j.budget.Time))
}

func unknown(reason string) checker.Verdict {
	return checker.Verdict{Status: checker.Unknown, Reason: reason}
}

// broken is the verdict of a checker that has caught itself.
func broken(err error) checker.Verdict {
	return checker.Verdict{Status: checker.Unknown, Reason: err.Error(), Broken: err}
}

// resolve finds the versions of all keys and what is wrong with them, and the answers that are none.
func (j *judgement) resolve() {
	for t := range j.txns {
		if j.txns[t].strange {
			j.anomalies = append(j.anomalies, anomaly{rule: ruleStrange, txns: []int32{int32(t)}})
		}
	}
	v := resolver{records: j.records, anomalies: j.anomalies}
	j.keys = make([]versions, len(j.records.keys))
	work := 0
	for k := range j.keys {
		j.keys[k] = v.resolve(int32(k))
		if work += len(j.on(int32(k))); work >= 1<<16 {
			if work = 0; j.stop() {
				break
			}
		}
	}
	j.anomalies, j.ambiguous = v.anomalies, v.ambiguous
}

// cycleMax is the longest cycle that is told if real time gives a shorter one.
const cycleMax = 4

// cycles finds an anomaly in every component. A component that is one without real time is a violation whatever
// the clocks say, so these come first; one that needs real time is told where it has none of these. Of more
// components than are told no cycle is looked for.
func (j *judgement) cycles(all *components, strict [][]int32) error {
	timeless := j.graph.components(only(ww, wr, rw), j.stop)
	told := map[int32]bool{}
	left := j.budget.Memory - j.bytes()
	plain := newCycleSearch(j.graph, j.txns, timeless.of, left, j.stop)
	timed := newCycleSearch(j.graph, j.txns, all.of, left, j.stop)
	for _, c := range timeless.cyclic(j.graph.txns) {
		told[all.of[c[0]]] = true
		err := j.tell(func() (cycle, longer []step) {
			if cycle = plain.find(c, classes()[:4]); len(cycle) <= cycleMax {
				return cycle, nil
			}
			if other := timed.find(c, classes()[4:]); other != nil && len(other) < len(cycle) {
				return other, cycle
			}
			return cycle, nil
		})
		if err != nil {
			return err
		}
	}
	for _, c := range strict {
		if told[all.of[c[0]]] {
			continue
		}
		if err := j.tell(func() (cycle, longer []step) { return timed.find(c, classes()[4:]), nil }); err != nil {
			return err
		}
	}
	return nil
}

// tell adds the anomaly of one component, unless the time is over.
func (j *judgement) tell(find func() (cycle, longer []step)) error {
	a := anomaly{}
	if len(j.anomalies) < findingsMax {
		cycle, longer := find()
		switch {
		case cycle == nil && j.stop():
			return nil
		case cycle == nil:
			return errors.New("a component has no cycle, which is a bug in the checker")
		}
		a = j.cyclic(cycle)
		a.longer = longer
	}
	j.anomalies = append(j.anomalies, a)
	return nil
}

// invalid confirms the anomalies and tells them.
func (j *judgement) invalid(ctx context.Context) checker.Verdict {
	v := checker.Verdict{Status: checker.Invalid}
	shown := j.anomalies[:min(len(j.anomalies), findingsMax)]
	unsure := 0
	for i := range shown {
		a := &shown[i]
		timed, cancel := context.WithTimeout(ctx, j.budget.Witness/time.Duration(len(shown)))
		ok, sure := j.confirm(timed, a)
		cancel()
		f := j.explain(a)
		if !ok {
			return broken(fmt.Errorf("what convicts %s does not hold, which is a bug in the checker: %s", counted(len(f.Ops)), f.Text))
		}
		if !sure {
			unsure++
		}
		v.Findings = append(v.Findings, f)
	}
	slices.SortStableFunc(v.Findings, func(a, b checker.Finding) int { return cmp.Compare(a.To, b.To) })
	reasons := []string{fmt.Sprintf("%s not strictly serializable: %s", counted(len(j.ops)), words.Plural(len(j.anomalies), "anomaly", "anomalies"))}
	if n := len(j.anomalies); n > len(shown) {
		reasons = append(reasons, fmt.Sprintf("%d of them shown", len(shown)))
	}
	if unsure > 0 {
		reasons = append(reasons, fmt.Sprintf("%d too hard for Porcupine to confirm", unsure))
	}
	v.Reason = strings.Join(reasons, ", ")
	return v
}
