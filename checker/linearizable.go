package checker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ordeal/history"
	"ordeal/internal/words"
)

// Budget bounds what a check may spend. Zeros mean the defaults.
type Budget struct {
	Time    time.Duration // for the whole check, witnesses not included; 60 s
	KeyTime time.Duration // for the search of one key; 20 s
	Memory  int64         // bytes that all searches at a time may hold; 1 GiB
	Witness time.Duration // for cutting out the witness of one key, and as long again for Porcupine to confirm it; 2 s
	// CrossCheck is how far Porcupine judges beside the engines, in time of its own.
	CrossCheck CrossCheck
}

const (
	defaultTime    = 60 * time.Second
	defaultKeyTime = 20 * time.Second
	defaultMemory  = 1 << 30
	defaultWitness = 2 * time.Second
)

// Linearizable judges whether each key behaved like one copy of m that does one operation at a time,
// at a moment between the operation's call and its return (Herlihy & Wing, ACM TOPLAS 12(3), 1990).
//
// It goes key by key, since linearizability is local, on as many processors as there are. A key is decided by
// the first of its model's engines that covers its operations; a legal one by a linearization, which is replayed;
// an illegal one by a small part, which Porcupine confirms if it can. Porcupine also judges beside the engines what it can in
// a small budget. Where it comes to another answer, the verdict is Broken.
//
// Every key gets a verdict, and every key without a legal order becomes a finding. A key that is too hard for
// the budget is Unknown, with its size in the reason; before it gives up, it looks for violations
// among operations that are near each other. A history in which nothing succeeded is Unknown.
//
// What the searches hold is counted; the garbage collector may let the heap grow to twice what is
// held, so they share half of Budget.Memory among the processors, and a key that needs more is tried
// again alone with all of that half.
func Linearizable(m Model, b Budget) Checker {
	b.Time, b.KeyTime = cmp.Or(b.Time, defaultTime), cmp.Or(b.KeyTime, defaultKeyTime)
	b.Memory, b.Witness = cmp.Or(b.Memory, defaultMemory), cmp.Or(b.Witness, defaultWitness)
	return &linearizable{model: m, budget: b}
}

type linearizable struct {
	model  Model
	budget Budget
}

func (l *linearizable) Name() string { return "linearizable" }

// keyCheck is the work on one key.
type keyCheck struct {
	key     string
	ops     []*history.Op
	problem Problem
	result  result
	engine  string        // that decided, or was the last to try
	unfit   []string      // why the engines before it were
	err     error         // why problem is nil, or what is wrong with the checker
	part    Problem       // if illegal: a part that is
	known   Problem       // a smaller one, if the engine that decided the whole key told one
	spent   time.Duration // on the search
	finding *Finding
}

func (l *linearizable) Check(ctx context.Context, ops []history.Op) Verdict {
	start := time.Now()
	v := Verdict{Checker: l.Name()}
	keys := byKey(ops)
	timed, cancel := context.WithTimeout(ctx, l.budget.Time)
	l.decideAll(timed, keys)
	cancel()
	beside := l.beside(ctx, keys)
	l.explainAll(ctx, keys)
	v.Engine = engines(keys, beside)
	l.conclude(&v, keys)
	if v.Status == Valid && !slices.ContainsFunc(ops, func(op history.Op) bool { return op.Type == history.OK }) {
		v.Status, v.Reason = Unknown, fmt.Sprintf("none of %s succeeded, so there is nothing to judge", words.Count(len(ops), "operation"))
	}
	v.Elapsed = time.Since(start)
	return v
}

func byKey(ops []history.Op) []*keyCheck {
	at := map[string]int32{}
	var keys []*keyCheck
	var sizes []int
	of := make([]int32, len(ops)) // by operation: the place of its key
	for i := range ops {
		k, ok := at[ops[i].Key]
		if !ok {
			k = int32(len(keys))
			at[ops[i].Key] = k
			keys, sizes = append(keys, &keyCheck{key: ops[i].Key, result: outOfTime}), append(sizes, 0)
		}
		of[i] = k
		sizes[k]++
	}
	for i, k := range keys {
		k.ops = make([]*history.Op, 0, sizes[i])
	}
	for i, k := range of {
		keys[k].ops = append(keys[k].ops, &ops[i])
	}
	// The short ones first, so that a hard key costs no other its verdict.
	slices.SortStableFunc(keys, func(a, b *keyCheck) int { return cmp.Compare(len(a.ops), len(b.ops)) })
	return keys
}

func (l *linearizable) decideAll(ctx context.Context, keys []*keyCheck) {
	var pool errgroup.Group
	pool.SetLimit(runtime.GOMAXPROCS(0))
	for _, k := range keys {
		pool.Go(func() error {
			l.decideKey(ctx, k, l.share())
			return nil
		})
	}
	_ = pool.Wait() // no worker returns an error
	for _, k := range keys {
		if k.result == outOfMemory && l.share() < l.budget.Memory/2 && ctx.Err() == nil {
			runtime.GC() // what the last search held is not to stand beside what this one will
			l.decideKey(ctx, k, l.budget.Memory/2)
		}
	}
}

// share is what one of the searches that go on at a time may hold: see Linearizable.
func (l *linearizable) share() int64 { return l.budget.Memory / 2 / int64(runtime.GOMAXPROCS(0)) }

// decideKey gives k its result in what is left of its time, of which a quarter is kept for the local search.
func (l *linearizable) decideKey(ctx context.Context, k *keyCheck, memory int64) {
	if ctx.Err() != nil {
		return
	}
	start := time.Now()
	if k.problem == nil {
		if k.problem, k.err = l.model.Parse(k.ops); k.err != nil {
			return
		}
	}
	left := l.budget.KeyTime - k.spent
	whole, cancel := context.WithTimeout(ctx, left*3/4)
	d, err := decide(whole, k.problem, memory)
	cancel()
	k.result, k.engine, k.unfit, k.part, k.known = d.Result, d.engine, d.unfit, k.problem, d.Part
	if err != nil {
		k.err = &KeyError{k.key, err}
		return
	}
	if k.result == outOfTime || k.result == outOfMemory && memory == l.budget.Memory/2 { // with less it will be tried again
		rest, cancel := context.WithTimeout(ctx, left-time.Since(start))
		if part := local(rest, k.problem, memory); part != nil {
			k.result, k.part, k.engine = illegal, part, "neighbours"
		}
		cancel()
	}
	k.spent += time.Since(start)
}

// explainAll makes the findings of the illegal keys, the earliest keys first. Witnesses have their own
// time, because a conviction without one is of little use to anybody: as much again as the check. What was cut out by
// then may be confirmed a little later.
func (l *linearizable) explainAll(ctx context.Context, keys []*keyCheck) {
	confirming, cancel := context.WithTimeout(ctx, l.budget.Time+min(l.budget.Time/20, l.budget.Witness))
	defer cancel()
	ctx, cancel = context.WithTimeout(confirming, l.budget.Time)
	defer cancel()
	slices.SortStableFunc(keys, func(a, b *keyCheck) int { return cmp.Compare(a.ops[0].Index, b.ops[0].Index) })
	var pool errgroup.Group
	pool.SetLimit(runtime.GOMAXPROCS(0))
	for _, k := range keys {
		if k.result != illegal || k.err != nil {
			continue
		}
		pool.Go(func() error {
			timed, cancel := context.WithTimeout(ctx, l.budget.Witness)
			core := witness(timed, l.model, k, l.share())
			cancel()
			l.explainKey(confirming, k, core)
			return nil
		})
	}
	_ = pool.Wait() // no worker returns an error
}

// explainKey tells what is wrong with k by a part without a legal order, about which Porcupine is asked, without any
// simplification of ours.
func (l *linearizable) explainKey(ctx context.Context, k *keyCheck, core Problem) {
	timed, cancel := context.WithTimeout(ctx, l.budget.Witness)
	defer cancel()
	confirmed := search(timed, core, l.share())
	if confirmed == legal {
		k.err = disagrees(k, core)
		return
	}
	f := core.Explain(k.ops)
	switch {
	case confirmed == outOfMemory:
		f.Unconfirmed = fmt.Sprintf("Porcupine did not confirm it: %s are too many.", words.Count(core.Len(), "operation"))
	case confirmed == outOfTime && ctx.Err() != nil:
		f.Unconfirmed = "Porcupine did not confirm it: the time of the check was over."
	case confirmed == outOfTime:
		f.Unconfirmed = fmt.Sprintf("Porcupine did not confirm it within %v.", l.budget.Witness)
	}
	k.finding = &f
}

// conclude sums the keys up.
func (l *linearizable) conclude(v *Verdict, keys []*keyCheck) {
	var undecided []string
	for _, k := range keys {
		switch {
		case k.finding != nil:
			v.Findings = append(v.Findings, *k.finding)
		case k.err != nil:
			undecided = append(undecided, k.err.Error())
		case k.result != legal:
			undecided = append(undecided, l.why(k))
		}
	}
	for _, k := range keys {
		if _, broken := errors.AsType[*KeyError](k.err); broken {
			v.Broken = errors.Join(v.Broken, k.err)
		}
	}
	slices.SortStableFunc(v.Findings, func(a, b Finding) int { return cmp.Compare(a.To, b.To) })
	var reasons []string
	if len(v.Findings) > 0 {
		v.Status = Invalid
		reasons = append(reasons, fmt.Sprintf("%d of %s not linearizable", len(v.Findings), words.Count(len(keys), "key")))
	}
	if n := len(undecided); n > 0 {
		v.Status = max(v.Status, Unknown)
		const shown = 3
		text := fmt.Sprintf("%d of %s undecided: %s", n, words.Count(len(keys), "key"), strings.Join(undecided[:min(n, shown)], "; "))
		if n > shown {
			text += fmt.Sprintf("; and %d more", n-shown)
		}
		reasons = append(reasons, text)
	}
	v.Reason = strings.Join(reasons, "; ")
}

// why says what made a key too hard.
func (l *linearizable) why(k *keyCheck) string {
	unknown := 0
	for _, op := range k.ops {
		if op.Type == history.Info {
			unknown++
		}
	}
	budget := fmt.Sprintf("not finished after %s (a key may take %v, the check %v)", words.Span(k.spent), l.budget.KeyTime, l.budget.Time)
	switch {
	case k.problem == nil:
		budget = fmt.Sprintf("not begun when the check's %v were over", l.budget.Time)
	case k.result == outOfMemory:
		budget = fmt.Sprintf("out of memory after %s (a check may take %d MiB)", words.Span(k.spent), l.budget.Memory>>20)
	}
	size := fmt.Sprintf("key %q with %s, %d at once, %d of unknown outcome: %s",
		k.key, words.Count(len(k.ops), "operation"), concurrency(k.ops), unknown, budget)
	return strings.Join(append([]string{size}, k.unfit...), "; no ")
}

// concurrency is the largest number of operations that were open at one moment, where one of unknown
// outcome counts until its client gave up.
func concurrency(ops []*history.Op) int {
	type edge struct {
		at   time.Duration
		open int
	}
	edges := make([]edge, 0, 2*len(ops))
	for _, op := range ops {
		edges = append(edges, edge{op.Call, 1}, edge{op.Ended, -1})
	}
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(b.open, a.open)) })
	most, open := 0, 0
	for _, e := range edges {
		open += e.open
		most = max(most, open)
	}
	return most
}
