package nemesis

import (
	"context"
	"fmt"
)

// removeFault takes a node out of the cluster while it runs, as an operator does. Afterwards it is killed,
// its disk is emptied, and it is started again.
type removeFault struct {
	lostMember
	after map[string]string // the voters when it was gone; nil before
}

// Inject removes the node and returns when the leader tells of members without it.
func (f *removeFault) Inject(ctx context.Context, c Cluster, on []string) (undo func(context.Context) error, err error) {
	undo = nothing
	defer caught(&err)
	if err := f.choose(ctx, c, on); err != nil {
		return undo, fmt.Errorf("member remove: %w", err)
	}
	undo = f.comeBack
	f.lost = true // first: a removal that reports an error may have been one
	ctx, cancel := context.WithTimeout(ctx, memberWait)
	defer cancel()
	err = await(ctx, func(ctx context.Context) error {
		failed := f.on.Remove(ctx, f.node)
		voters, err := f.on.Voters(ctx)
		switch {
		case err != nil && failed != nil:
			return failed
		case err != nil:
			return err
		case voters[f.node] == "":
			f.after = voters
			return nil
		case failed != nil:
			return failed
		}
		return fmt.Errorf("it still votes as %s", voters[f.node])
	})
	if err != nil {
		return undo, fmt.Errorf("member remove %s: %w", f.node, err)
	}
	return undo, nil
}

// Bit holds if the node was a member, and then the leader told of members without it.
func (f *removeFault) Bit(context.Context) (Evidence, error) {
	return Evidence{
		Bit:  f.before[f.node] != "" && f.after != nil && f.after[f.node] == "",
		Text: fmt.Sprintf("%s (member %s) removed: voters %s before, %s after", f.node, f.before[f.node], list(f.before), list(f.after)),
	}, nil
}
