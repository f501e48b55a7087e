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
)

// What Porcupine may spend beside the engines: on one key, and on all together.
const (
	besideKeyTime   = 50 * time.Millisecond
	besideKeyMemory = 64 << 20
	besideTime      = 2 * time.Second
)

// beside lets Porcupine judge the keys that it can within a small budget, as they are, without anything of ours but
// the model. It returns how many it decided; where it came to another answer, the key's err says so.
func (l *linearizable) beside(ctx context.Context, keys []*keyCheck) int {
	ctx, cancel := context.WithTimeout(ctx, besideTime)
	defer cancel()
	var agreed atomic.Int64
	var pool errgroup.Group
	pool.SetLimit(runtime.GOMAXPROCS(0))
	for _, k := range keys {
		if k.result > illegal || k.err != nil {
			continue
		}
		pool.Go(func() error {
			timed, cancel := context.WithTimeout(ctx, besideKeyTime)
			defer cancel()
			switch search(timed, k.problem, min(besideKeyMemory, l.share())) {
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
	return fmt.Errorf("key %q: %s disagrees with Porcupine about %s, which is a bug in the checker",
		k.key, k.engine, count(len(p.Operations()), "operation"))
}

// engines sums up who decided how many keys: "zones 158, search 2, porcupine beside 160".
func engines(keys []*keyCheck, beside int) string {
	decided := map[string]int{}
	for _, k := range keys {
		if k.problem != nil && k.result <= illegal {
			decided[k.engine]++
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(decided)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, decided[name]))
	}
	return strings.Join(append(parts, fmt.Sprintf("porcupine beside %d", beside)), ", ")
}
