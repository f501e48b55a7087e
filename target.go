package ordeal

import (
	"context"

	"ordeal/cluster"
)

// target is the cluster as the nemesis sees it: nemesis.Cluster and the capabilities of its faults.
type target struct {
	*cluster.Cluster
	trial *trial
}

// Nodes are the nodes' names, in order.
func (c target) Nodes() []string {
	var ids []string
	for _, s := range c.Specs() {
		ids = append(ids, s.ID)
	}
	return ids
}

// Leader asks every node and believes the one that claims to lead in the highest term.
func (c target) Leader(ctx context.Context) string {
	return leaderOf(c.trial.statuses(ctx, statusTimeout)).Node
}
