package workloads

import (
	"fmt"
	"slices"
	"strings"

	"ordeal/checker"
)

// Options shape any workload.
type Options struct {
	Keys   int            // in use at a time
	Budget checker.Budget // of its checkers
}

// Kind is a row of the table of workloads.
type Kind struct {
	Name string
	Doc  string // one line for listings
	New  func(Options) Workload
}

// Kinds is the table of workloads; the first is the default.
func Kinds() []Kind {
	return []Kind{
		{"register", "reads, writes of unique values and compare-and-set on a rotating set of keys", Register},
		{"append", "appends of unique elements to lists, and reads of whole lists, on a rotating set of keys", Append},
		{"counter", "additions to counters that answer with the sum, and reads, on a rotating set of keys", Counter},
		{"kv", "reads, writes of unique values, compare-and-set and deletions on a rotating set of keys", KV},
		{"set", "insertions of unique elements into sets, and reads of whole sets, on a rotating set of keys", Set},
		{"queue", "unique elements that go through first-in first-out queues, on a rotating set of keys", Queue},
		{"lock", "locks with fencing tokens, which are acquired and released, on a rotating set of keys", Lock},
		{"bank", "transfers between the accounts of banks, and reads of all accounts, on a rotating set of keys", Bank},
		{"txn", "transactions that append unique elements to some lists and read some, on a rotating set of keys", Txn},
		{"session", "the operations of register, judged for what each client sees alone: for reads in a weaker mode", Session},
	}
}

// New makes the workload called name.
func New(name string, o Options) (Workload, error) {
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		var known []string
		for _, k := range kinds {
			known = append(known, k.Name)
		}
		return Workload{}, fmt.Errorf("unknown workload %q (known: %s)", name, strings.Join(known, ", "))
	}
	return kinds[i].New(o), nil
}
