package nemesis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Membership is a cluster that can lose a member for good, and takes its node back as a new one when that
// is started with an empty disk.
type Membership interface {
	Killer
	// Voters are the members that vote, as the leader tells: the node's name and its member's id.
	Voters(ctx context.Context) (map[string]string, error)
	// Remove has the leader remove the node from the members.
	Remove(ctx context.Context, node string) error
	// Wipe removes all that is on the disk of a node that is down.
	Wipe(ctx context.Context, node string) (files int, bytes int64, err error)
	// Joined returns nil once the node itself says that it votes.
	Joined(ctx context.Context, node string) error
}

// memberWait is how long the cluster may take until all nodes vote, and until one is removed.
const memberWait = 5 * time.Second

func member() Kind {
	alone := []Target{One, Leader, Leader}
	return Kind{
		Name: "member", Doc: "a member is lost for good, removed or with its disk; its node comes back empty and joins anew",
		Param: "how",
		Variants: []Variant{
			{Name: "remove", Targets: alone, Nodes: 3},
			{Name: "wipe", Targets: alone, Nodes: 3},
		},
		Min: 500 * time.Millisecond, Max: 2 * time.Second, Undo: 2 * time.Second,
		Needs: []Ability{TellLeader, Rejoin}, Alone: true,
		New: func(params map[string]string, _ *rand.Rand) Fault {
			if params["how"] == "wipe" {
				return &wipeFault{}
			}
			return &removeFault{}
		},
	}
}

// lostMember is a member that is lost for good, and its way back.
type lostMember struct {
	on     Membership
	node   string
	before map[string]string // the voters before

	lost  bool // it may be no member any more, or its disk be half gone: only a new member is safe
	empty bool // its disk is
	files int
	bytes int64
}

// choose takes the node once all nodes vote: with another one out, losing this one could lose a quorum.
func (m *lostMember) choose(ctx context.Context, c Cluster, on []string) error {
	all, ok := c.(Membership)
	if !ok {
		return errors.New("this cluster cannot lose a member")
	}
	if len(on) != 1 {
		return fmt.Errorf("it takes one node at a time, not %d", len(on))
	}
	m.on, m.node = all, on[0]
	ctx, cancel := context.WithTimeout(ctx, memberWait)
	defer cancel()
	return await(ctx, func(ctx context.Context) (err error) {
		if m.before, err = all.Voters(ctx); err != nil {
			return err
		}
		for _, n := range c.Nodes() {
			if m.before[n] == "" {
				return fmt.Errorf("%s does not vote", n)
			}
		}
		return nil
	})
}

// wipe kills the node if it is up, and empties its disk. It tries again only if the end of another fault has
// started the node in between: each fault does that once, and a schedule has only so many.
func (m *lostMember) wipe(ctx context.Context) error {
	for {
		if m.on.PID(m.node) != 0 {
			if err := m.on.Kill(ctx, m.node); err != nil && m.on.PID(m.node) != 0 {
				return err
			}
		}
		m.lost = true
		files, bytes, err := m.on.Wipe(ctx, m.node)
		m.files, m.bytes, m.empty = m.files+files, m.bytes+bytes, err == nil
		if err == nil || m.on.PID(m.node) == 0 || ctx.Err() != nil {
			return err
		}
	}
}

// comeBack starts the node, with an empty disk if it was lost, and waits until it votes again. That it runs
// is the harness's part, that it votes the system's: ErrNotJoined.
func (m *lostMember) comeBack(ctx context.Context) error {
	if m.lost && !m.empty {
		if err := m.wipe(ctx); err != nil {
			return err
		}
	}
	if err := startDown(ctx, m.on, m.node); err != nil || !m.lost {
		return err
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	err := await(ctx, func(ctx context.Context) error {
		if m.on.PID(m.node) == 0 {
			giveUp()
			return errors.New("it ended by itself")
		}
		return m.on.Joined(ctx, m.node)
	})
	if err != nil {
		return fmt.Errorf("%s: %w: %w", m.node, ErrNotJoined, err)
	}
	return nil
}

// list is members in few words: n1=1 n2=7.
func list(members map[string]string) string {
	var parts []string
	for _, n := range slices.Sorted(maps.Keys(members)) {
		parts = append(parts, n+"="+members[n])
	}
	return strings.Join(parts, " ")
}
