package checker

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"ordeal/internal/words"
)

// CrossCheck says how far Porcupine judges beside the engines. It always confirms the parts that convict.
type CrossCheck uint8

// How far: what Porcupine can do in 50 ms and 64 MiB a key and 2 s in all; every key, as far as the check's own
// budget goes; nothing.
const (
	CrossCheckSample CrossCheck = iota
	CrossCheckAll
	CrossCheckOff
)

var crossCheckNames = [...]string{"sample", "all", "off"}

// CrossChecks are the words for it, the default first.
func CrossChecks() []string { return crossCheckNames[:] }

func (c CrossCheck) String() string { return crossCheckNames[c] }

// Set reads all, sample or off; with String and Type it makes a flag.
func (c *CrossCheck) Set(word string) error {
	i := slices.Index(crossCheckNames[:], word)
	if i < 0 {
		return fmt.Errorf("%q is none of all, sample, off", word)
	}
	*c = CrossCheck(i)
	return nil
}

// Type is how help texts call the flag's value.
func (c *CrossCheck) Type() string { return "all|sample|off" }

// crossBudget is what Porcupine may spend on one key, and on all together.
type crossBudget struct {
	key, all time.Duration
	memory   int64 // of one key
}

func (l *linearizable) crossBudget() crossBudget {
	if l.budget.CrossCheck == CrossCheckAll {
		return crossBudget{l.budget.KeyTime, l.budget.Time, l.share()}
	}
	return crossBudget{50 * time.Millisecond, 2 * time.Second, min(64<<20, l.share())}
}

// beside lets Porcupine judge the decided keys, as they are, without anything of ours but the model. It returns how
// many it judged; where it came to another answer, the key's err says so.
func (l *linearizable) beside(ctx context.Context, keys []*keyCheck) int {
	if l.budget.CrossCheck == CrossCheckOff {
		return 0
	}
	budget := l.crossBudget()
	ctx, cancel := context.WithTimeout(ctx, budget.all)
	defer cancel()
	var agreed atomic.Int64
	var pool errgroup.Group
	pool.SetLimit(runtime.GOMAXPROCS(0))
	for _, k := range keys {
		if k.result > illegal || k.err != nil {
			continue
		}
		pool.Go(func() error {
			timed, cancel := context.WithTimeout(ctx, budget.key)
			defer cancel()
			switch search(timed, k.problem, budget.memory) {
			case k.result:
				agreed.Add(1)
			case legal, illegal:
				k.err = disagrees(k, k.problem)
			}
			return nil
		})
	}
	_ = pool.Wait() // no worker returns an error
	return int(agreed.Load())
}

func disagrees(k *keyCheck, p Problem) error {
	return &KeyError{k.key, fmt.Errorf("%s disagrees with Porcupine about %s, which is a bug in the checker",
		k.engine, words.Count(p.Len(), "operation"))}
}

// KeyError says what the checker did wrong with a key, whose history is the evidence.
type KeyError struct {
	Key string
	Err error
}

func (e *KeyError) Error() string { return fmt.Sprintf("key %q: %v", e.Key, e.Err) }

// Unwrap tells what it is.
func (e *KeyError) Unwrap() error { return e.Err }

// engines sums up who decided how many keys, with a reason why none before it did:
// `search 2 (no zones: 5 was written more than once and found), zones 158, porcupine beside 160`.
func engines(keys []*keyCheck, beside int) string {
	decided, why := map[string]int{}, map[string]string{}
	for _, k := range keys {
		if k.problem != nil && k.result <= illegal {
			decided[k.engine]++
			if n := len(k.unfit); n > 0 && why[k.engine] == "" {
				why[k.engine] = fmt.Sprintf(" (no %s)", k.unfit[n-1])
			}
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(decided)) {
		parts = append(parts, fmt.Sprintf("%s %d%s", name, decided[name], why[name]))
	}
	return strings.Join(append(parts, fmt.Sprintf("porcupine beside %d", beside)), ", ")
}
