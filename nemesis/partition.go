package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Network is a cluster whose links can be cut. A pair {a, b} loses the packets from a to b only.
type Network interface {
	Cut(ctx context.Context, cut string, pairs [][2]string) error
	Heal(ctx context.Context, cut string) error
	// Dropped counts the packets that this cut has swallowed so far.
	Dropped(ctx context.Context, cut string) (uint64, error)
}

func partition() Kind {
	isolated := []Target{One, Leader, Leader, Minority}
	return Kind{
		Name: "partition", Doc: "packets between some nodes are dropped; clients still reach every node",
		Param: "shape",
		Variants: []Variant{
			{Name: "isolate", Targets: isolated, Nodes: 2},
			{Name: "one-way", Targets: isolated, Nodes: 2},
			{Name: "halves", Nodes: 2},
			{Name: "majority-minority", Nodes: 3},
			{Name: "majorities-ring", Nodes: 4},
			{Name: "bridge", Nodes: 3},
		},
		Min: 1500 * time.Millisecond, Max: 4 * time.Second,
		New: func(params map[string]string, r *rand.Rand) Fault {
			return &partitionFault{shape: params["shape"], rand: r, id: fmt.Sprintf("cut-%016x", r.Uint64())}
		},
	}
}

type partitionFault struct {
	shape string
	rand  *rand.Rand
	id    string
	on    Network
	cut   grudge
}

// Inject cuts the links that the shape begrudges, all at once.
func (f *partitionFault) Inject(ctx context.Context, c Cluster, on []string) (undo func(context.Context) error, err error) {
	n, ok := c.(Network)
	if !ok {
		return nothing, errors.New("partition: this cluster cannot cut links")
	}
	undo = func(ctx context.Context) error { return n.Heal(ctx, f.id) }
	defer caught(&err)
	leader := ""
	if f.shape == "bridge" {
		leader = c.Leader(ctx)
	}
	f.on, f.cut = n, newGrudge(f.shape, f.rand, c.Nodes(), on, leader)
	if len(f.cut.pairs) == 0 {
		return undo, fmt.Errorf("partition %s: no link to cut in a cluster of %d", f.shape, len(c.Nodes()))
	}
	if err := n.Cut(ctx, f.id, f.cut.pairs); err != nil {
		return undo, fmt.Errorf("partition %s: %w", f.shape, err)
	}
	return undo, nil
}

// Bit counts what the cut has swallowed.
func (f *partitionFault) Bit(ctx context.Context) (Evidence, error) {
	e := Evidence{Target: f.cut.target}
	dropped, err := f.on.Dropped(ctx, f.id)
	if err != nil {
		return e, fmt.Errorf("partition %s: %w", f.shape, err)
	}
	e.Bit, e.Text = dropped > 0, fmt.Sprintf("%s: %d packets dropped on %d one-way links", f.cut.text, dropped, len(f.cut.pairs))
	return e, nil
}
