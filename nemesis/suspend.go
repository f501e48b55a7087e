package nemesis

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// stillDeaf is how long a suspended machine hears nobody after it has gone on: until then it believes what
// it believed before. It is longer than the election timeouts that Raft's authors recommend (150 to 300
// ms), after which a leader that hears nobody gives up: at the first word of a newer term it would at once.
const stillDeaf = 400 * time.Millisecond

// suspendFault stops a machine, as a host does with a virtual one: nothing runs, and what is sent to
// it is lost, not kept for later.
type suspendFault struct {
	pauseFault
	id    string
	net   Network
	links int
}

// Inject cuts the nodes off from everybody, then stops them; undo continues them, and heals a moment later.
func (f *suspendFault) Inject(ctx context.Context, c Cluster, on []string) (undo func(context.Context) error, err error) {
	n, ok := c.(Network)
	if !ok {
		return nothing, errors.New("pause machine: this cluster cannot cut links")
	}
	f.net = n
	resume := nothing
	undo = func(ctx context.Context) error {
		err := resume(ctx)
		sleepUntil(ctx, stillDeaf)
		return errors.Join(err, n.Heal(ctx, f.id))
	}
	defer caught(&err)
	others := without(c.Nodes(), on)
	cut := append(append(links(on, others), links(others, on)...), among(on)...)
	f.links = len(cut)
	if err := n.Cut(ctx, f.id, cut); err != nil {
		return undo, fmt.Errorf("pause machine: %w", err)
	}
	resume, err = f.pauseFault.Inject(ctx, c, on)
	return undo, err
}

// Bit holds if the nodes stood still and something was sent to them in vain.
func (f *suspendFault) Bit(ctx context.Context) (Evidence, error) {
	e, err := f.pauseFault.Bit(ctx)
	if err != nil {
		return e, err
	}
	dropped, err := f.net.Dropped(ctx, f.id)
	if err != nil {
		return Evidence{}, fmt.Errorf("pause machine: %w", err)
	}
	e.Bit = e.Bit && dropped > 0
	e.Text += fmt.Sprintf("; %d packets dropped on %d one-way links", dropped, f.links)
	return e, nil
}

// among are all links between the nodes of one group.
func among(nodes []string) (pairs [][2]string) {
	for _, n := range nodes {
		pairs = append(pairs, links([]string{n}, without(nodes, []string{n}))...)
	}
	return pairs
}
