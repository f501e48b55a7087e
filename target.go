package ordeal

import (
	"context"
	"errors"
	"fmt"

	"ordeal/cluster"
	"ordeal/nemesis"
	"ordeal/systems"
)

// target is the cluster as the nemesis sees it: nemesis.Cluster and the capabilities of its faults.
type target struct {
	*cluster.Cluster
	trial *trial
}

var _ interface {
	nemesis.Elector
	nemesis.Pauser
	nemesis.Network
	nemesis.Transferrer
	nemesis.Membership
} = target{}

// abilities are what faults may ask of the system. All of them are asked of the leader.
func abilities(s systems.System) (can []nemesis.Ability) {
	if _, tells := s.(systems.Inspectable); !tells {
		return nil
	}
	can = append(can, nemesis.TellLeader)
	if _, ok := s.(systems.Transferrer); ok {
		can = append(can, nemesis.HandOver)
	}
	if _, ok := s.(systems.Reconfigurer); ok {
		can = append(can, nemesis.Rejoin)
	}
	return can
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
	leader, _ := c.Reign(ctx)
	return leader
}

// Reign is Leader with its term.
func (c target) Reign(ctx context.Context) (leader string, term uint64) {
	s := leaderOf(c.trial.statuses(ctx, statusTimeout))
	return s.Node, s.Term
}

// Term asks the node itself.
func (c target) Term(ctx context.Context, node string) (uint64, error) {
	s, ok := c.trial.System.(systems.Inspectable)
	if !ok {
		return 0, c.cannot(nemesis.TellLeader)
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	status, err := s.Status(ctx, c.spec(node))
	return status.Term, err
}

// Pause tells the nemesis in its own words of a node that another fault has paused.
func (c target) Pause(ctx context.Context, node string) error {
	err := c.Cluster.Pause(ctx, node)
	if errors.Is(err, cluster.ErrPaused) {
		return fmt.Errorf("%w: %w", nemesis.ErrAnothers, err)
	}
	return err
}

// Transfer has the system do it.
func (c target) Transfer(ctx context.Context, from, to string) error {
	s, ok := c.trial.System.(systems.Transferrer)
	if !ok {
		return c.cannot(nemesis.HandOver)
	}
	return s.Transfer(ctx, c.spec(from), c.spec(to))
}

// Voters asks the leader.
func (c target) Voters(ctx context.Context) (map[string]string, error) {
	s, leader, err := c.reconfigurer(ctx)
	if err != nil {
		return nil, err
	}
	return s.Voters(ctx, leader)
}

// Remove asks the leader.
func (c target) Remove(ctx context.Context, node string) error {
	s, leader, err := c.reconfigurer(ctx)
	if err != nil {
		return err
	}
	return s.Remove(ctx, leader, c.spec(node))
}

// Joined asks the node itself.
func (c target) Joined(ctx context.Context, node string) error {
	s, ok := c.trial.System.(systems.Reconfigurer)
	if !ok {
		return c.cannot(nemesis.Rejoin)
	}
	return s.Joined(ctx, c.spec(node))
}

// reconfigurer is the system, and the node that leads it now.
func (c target) reconfigurer(ctx context.Context) (systems.Reconfigurer, cluster.NodeSpec, error) {
	s, ok := c.trial.System.(systems.Reconfigurer)
	if !ok {
		return nil, cluster.NodeSpec{}, c.cannot(nemesis.Rejoin)
	}
	leader := c.Leader(ctx)
	if leader == "" {
		return nil, cluster.NodeSpec{}, errors.New("no leader is known")
	}
	return s, c.spec(leader), nil
}

func (c target) cannot(a nemesis.Ability) error {
	return fmt.Errorf("%s does not %s", c.trial.System.Name(), a)
}

// spec is the node called id; faults name only nodes that there are.
func (c target) spec(id string) (spec cluster.NodeSpec) {
	for _, s := range c.Specs() {
		if s.ID == id {
			spec = s
		}
	}
	return spec
}
