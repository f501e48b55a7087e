package nemesis

import (
	"context"
	"fmt"
)

// wipeFault kills a node and empties its disk: what a machine is like that was replaced overnight. It
// is started again with the same command, as if nothing had happened.
type wipeFault struct{ lostMember }

// Inject kills the node and removes all that it had stored.
func (f *wipeFault) Inject(ctx context.Context, c Cluster, on []string) (undo func(context.Context) error, err error) {
	undo = nothing
	defer caught(&err)
	if err := f.choose(ctx, c, on); err != nil {
		return undo, fmt.Errorf("member wipe: %w", err)
	}
	undo = f.comeBack
	if err := f.wipe(ctx); err != nil {
		return undo, fmt.Errorf("member wipe: %w", err)
	}
	return undo, nil
}

// Bit holds if something was lost.
func (f *wipeFault) Bit(context.Context) (Evidence, error) {
	return Evidence{
		Bit:  f.empty && f.bytes > 0,
		Text: fmt.Sprintf("%s (member %s) lost %d files, %d bytes", f.node, f.before[f.node], f.files, f.bytes),
	}, nil
}
