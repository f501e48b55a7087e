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

// Transferrer is an Inspectable System whose leader hands over when it is asked to. Optional: without it there is
// no transfer fault.
type Transferrer interface {
	// Transfer asks leader, which leads, to hand over to another voter. It counts if that one leads the next
	// term while the old leader lives.
	Transfer(ctx context.Context, leader, to cluster.NodeSpec) error
}

// Reconfigurer is an Inspectable System that survives the loss of a member: its node, started as ever but
// with an empty disk, joins as a new one by itself, also when it was removed. Optional: without it
// there are no member faults.
type Reconfigurer interface {
	// Voters are the members that vote, as leader tells: the node's name and the system's id of the member.
	Voters(ctx context.Context, leader cluster.NodeSpec) (map[string]string, error)
	// Remove asks leader, which leads, to remove n from the members.
	Remove(ctx context.Context, leader, n cluster.NodeSpec) error
	// Joined returns nil once n itself says that it votes, and an error that says why not.
	Joined(ctx context.Context, n cluster.NodeSpec) error
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
		{"kv-lease", "the same KV; the leader answers reads on its lease, which lasts only while nothing pauses and nobody else is elected", NewKVLease},
		{"kv-local", "the same KV; each node answers reads with what it has, which is old at times, and after a restart older than before", NewKVLocal},
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
