// Package systems is the table of systems under test: how a node of each is started, when it is
// ready, and how a client talks to it. One file a system.
//
// It does not know faults or checkers.
package systems

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ordeal/cluster"
	"ordeal/workloads"
)

// System is a replicated system that Ordeal can put on trial.
type System interface {
	Name() string
	// Command says how a node is started; it is asked at every start.
	Command(n cluster.NodeSpec) (cluster.Command, error)
	// Ready returns nil once the node answers and knows a leader, and an error that says why not.
	Ready(ctx context.Context, n cluster.NodeSpec) error
	// Dial makes a client of one node. It need not connect: the node may be down.
	Dial(ctx context.Context, n cluster.NodeSpec) (workloads.Client, error)
}

// Status is what a node says of itself.
type Status struct {
	Node    string // its name
	Leader  string // name of the leader it follows, its own if it leads, "" if it knows none
	Term    uint64
	Applied uint64 // index of the last entry that its state contains
	Hash    string // of its state at Applied; equal states have equal hashes
}

// Inspectable is a System whose nodes tell who leads and what they have applied. Optional: without it there are
// no faults on the leader, and replicas are not compared.
type Inspectable interface {
	Status(ctx context.Context, n cluster.NodeSpec) (Status, error)
}

// ApplyLogger is a System whose nodes write what they apply to the ApplyLog of their NodeSpec, as package
// history reads it. Optional: without it the replicas' logs are not compared.
type ApplyLogger interface {
	WritesApplyLog()
}

// Kind is a row of the table of systems.
type Kind struct {
	Name string
	Doc  string // one line for listings
	New  func(Options) System
}

// Options are what the command line can say about a system.
type Options struct {
	Binary string // program to run as a node instead of the built-in one; "" for the built-in
}

// Kinds is the table of systems; the first is the default.
func Kinds() []Kind {
	return []Kind{
		{"kv", "the reference KV of this repository, on go.etcd.io/raft/v3", NewKV},
	}
}

// New makes the system called name.
func New(name string, o Options) (System, error) {
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		var known []string
		for _, k := range kinds {
			known = append(known, k.Name)
		}
		return nil, fmt.Errorf("unknown system %q (known: %s)", name, strings.Join(known, ", "))
	}
	return kinds[i].New(o), nil
}
