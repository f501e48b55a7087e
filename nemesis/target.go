package nemesis

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// Target is the role that a fault aims at, resolved to nodes at the moment of injection.
type Target string

// The roles. A node's own name (n2) is a target too.
const (
	One      Target = "one"      // any node
	Leader   Target = "leader"   // the node that leads at that moment
	Minority Target = "minority" // the most nodes that leave a quorum untouched
	Majority Target = "majority" // the fewest nodes that make a quorum
	All      Target = "all"      // every node
)

var roles = []Target{One, Leader, Minority, Majority, All}

var nodeName = regexp.MustCompile(`^n[1-9][0-9]{0,3}$`)

// check reports a target that no cluster could resolve.
func (t Target) check() error {
	if slices.Contains(roles, t) || nodeName.MatchString(string(t)) {
		return nil
	}
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	return fmt.Errorf("unknown target %q (one of %s, or a node such as n2)", string(t), strings.Join(names, ", "))
}

// checkFor reports a target that a cluster of n nodes, called n1 to nN, does not have.
func (t Target) checkFor(n int) error {
	switch {
	case t == Minority && n < 3:
		return fmt.Errorf("target %q: a cluster of %d has no minority", string(t), n)
	case nodeName.MatchString(string(t)):
		var i int
		if _, err := fmt.Sscanf(string(t), "n%d", &i); err != nil || i > n {
			return fmt.Errorf("target %q: the cluster has only n1 to n%d", string(t), n)
		}
	}
	return nil
}

// resolve picks the nodes; leader is "" when none is known.
func (t Target) resolve(r *rand.Rand, nodes []string, leader string) ([]string, error) {
	shuffled := slices.Clone(nodes)
	r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	n := len(nodes)
	switch t {
	case One:
		return sorted(shuffled[:1]), nil
	case Minority:
		return sorted(shuffled[:(n-1)/2]), nil
	case Majority:
		return sorted(shuffled[:n/2+1]), nil
	case All:
		return sorted(shuffled), nil
	case Leader:
		if leader == "" {
			return nil, fmt.Errorf("target %q: no leader was known", string(t))
		}
		return []string{leader}, nil
	}
	if !slices.Contains(nodes, string(t)) {
		return nil, fmt.Errorf("target %q: no such node", string(t))
	}
	return []string{string(t)}, nil
}

func sorted(nodes []string) []string {
	slices.Sort(nodes)
	return nodes
}
