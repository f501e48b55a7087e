package nemesis

import (
	"context"
	"fmt"
	"time"
)

// How often a condition is looked at, and how long one look may take.
const (
	lookEvery = 20 * time.Millisecond
	lookMax   = 2 * time.Second
)

// leaderWait is how long the nemesis waits for a leader to aim at.
const leaderWait = 3 * time.Second

// awaitLeader returns "" if no leader is known for long.
func awaitLeader(ctx context.Context, c Cluster) string {
	ctx, cancel := context.WithTimeout(ctx, leaderWait)
	defer cancel()
	for {
		if leader := c.Leader(ctx); leader != "" || !sleepUntil(ctx, lookEvery) {
			return leader
		}
	}
}

// await looks again and again until ok returns nil, or ctx ends; then the error is what ok last said.
func await(ctx context.Context, ok func(context.Context) error) error {
	for {
		err := look(ctx, ok)
		if err == nil {
			return nil
		}
		if !sleepUntil(ctx, lookEvery) {
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
	}
}

func look(ctx context.Context, ok func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, lookMax)
	defer cancel()
	return ok(ctx)
}
