// Package nemesis plans faults, injects them on time, proves that they took effect and undoes them.
//
// It does not know which system is under test, nor how a node is run: what a fault needs of a cluster
// is an interface in that fault's own file, so a cluster that cannot pause can still be cut.
package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Cluster is what every fault needs: names to aim at.
type Cluster interface {
	// Nodes are the names of all nodes, in a fixed order.
	Nodes() []string
	// Leader is the node that leads now, or "" when none is known to.
	Leader(ctx context.Context) string
}

// Evidence says whether a fault took effect, and how one can tell.
type Evidence struct {
	Bit    bool
	Text   string   // e.g. "312 packets dropped"
	Target []string // whom it hit, if the fault chose its own nodes
}

// Fault is one injection of one fault: made for a step, used once, by one goroutine.
type Fault interface {
	// Inject makes the fault. undo is never nil, may be called after an error too, and then takes
	// back whatever had been done by half. A panic below it must come out as an error: see caught.
	Inject(ctx context.Context, c Cluster, on []string) (undo func(context.Context) error, err error)
	// Bit is asked once, after the fault was active and before it is undone.
	Bit(ctx context.Context) (Evidence, error)
}

// Kind is a row of the table of faults.
type Kind struct {
	Name string
	Doc  string // one line for listings
	// Param is the parameter that NAME:VALUE sets; "" for a kind without variants.
	Param    string
	Variants []Variant
	// Default is the variant of a step that names none; "" if it must name one.
	Default string
	// Min and Max bound the length of a drawn window.
	Min, Max time.Duration
	// Undo is how long undoing usually takes; a drawn schedule leaves it free.
	Undo  time.Duration
	Needs []Ability // of the system under test
	// Alone is for faults that cost the cluster a member: they take one node at a time, and the next of
	// them waits until the last is undone. Two at once could take a quorum's disks.
	Alone bool
	// New makes the fault of a step; params are known to be a variant of this kind.
	New func(params map[string]string, r *rand.Rand) Fault
}

// Variant is one form of a kind of fault.
type Variant struct {
	Name string // the value of Param; "" for the one of steps that give no value
	// Targets are drawn from, an entry listed twice twice as often. None: the variant picks its own
	// nodes and takes no target.
	Targets []Target
	Nodes   int       // the smallest cluster that it makes sense in
	Needs   []Ability // besides those of the kind
}

// Kinds is the table of faults.
func Kinds() []Kind {
	return []Kind{kill(), pause(), partition(), transfer(), member()}
}

// caught turns a panic into the error of the function that defers it, so that its undo is not lost.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v", p)
	}
}

// nothing is the undo of a fault that did nothing.
func nothing(context.Context) error { return nil }

// kindOf finds the row called name.
func kindOf(name string) (Kind, bool) {
	kinds := Kinds()
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return kinds[i], true
}

// variant finds the form that params name.
func (k Kind) variant(params map[string]string) (Variant, bool) {
	name, given := params[k.Param]
	if !given {
		name = k.Default
	}
	i := slices.IndexFunc(k.Variants, func(v Variant) bool { return v.Name == name })
	if i < 0 {
		return Variant{}, false
	}
	return k.Variants[i], true
}

// takes reports a target that this variant of the kind cannot have.
func (k Kind) takes(v Variant, t Target) error {
	switch {
	case len(v.Targets) == 0 && t != "":
		return errors.New("it chooses its own nodes and takes no target")
	case k.Alone && (t == Minority || t == Majority || t == All):
		return fmt.Errorf("it takes one node at a time, not target %q", string(t))
	}
	return nil
}
