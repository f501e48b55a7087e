package nemesis

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// grudge is who does not hear whom.
type grudge struct {
	pairs  [][2]string // one-way links {from, to} that are cut
	target []string    // whom it hits most, for a window's target
	text   string      // who sees whom: {n1,n4}|{n2,n3,n5}
}

// newGrudge draws the grudge of a shape. Shapes and names follow Jepsen's nemesis (isolate one, halves,
// majorities-ring, bridge). leader is "" if none is known.
func newGrudge(shape string, r *rand.Rand, nodes, on []string, leader string) grudge {
	order := slices.Clone(nodes)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	n := len(order)
	switch shape {
	case "isolate":
		return apart(on, without(nodes, on))
	case "one-way":
		if r.IntN(2) == 0 {
			return deaf(on, without(nodes, on), on)
		}
		return deaf(without(nodes, on), on, on)
	case "halves":
		return apart(order[:n/2], order[n/2:])
	case "majority-minority":
		k := 1 + r.IntN((n-1)/2)
		return apart(order[:k], order[k:])
	case "majorities-ring":
		return ring(order)
	case "bridge":
		return bridge(order, leader)
	}
	return grudge{}
}

// links are all links from one group to another.
func links(from, to []string) [][2]string {
	var pairs [][2]string
	for _, a := range from {
		for _, b := range to {
			pairs = append(pairs, [2]string{a, b})
		}
	}
	return pairs
}

// apart cuts two groups off from each other.
func apart(a, b []string) grudge {
	return grudge{append(links(a, b), links(b, a)...), sorted(slices.Clone(a)), group(a) + "|" + group(b)}
}

// deaf keeps what one group sends from another.
func deaf(from, to, target []string) grudge {
	return grudge{links(from, to), target, group(from) + " not heard by " + group(to)}
}

// bridge leaves one node that sees both halves, and these do not see each other. It is not the leader:
// followers have nothing to say to one another, so a leader on the bridge would feel no fault.
func bridge(order []string, leader string) grudge {
	middle := (len(order) - 1) / 2
	if order[middle] == leader {
		order[middle], order[0] = order[0], order[middle]
	}
	g := apart(order[:middle], order[middle+1:])
	g.text += ", both see " + order[middle]
	return g
}

// ring lets every node see just enough neighbours on a ring for a majority, so that no two see the
// same one.
func ring(order []string) grudge {
	n := len(order)
	reach := (n/2 + 1) / 2 // neighbours on each side: 2*reach+1 >= n/2+1
	g := grudge{target: sorted(slices.Clone(order)), text: "ring " + strings.Join(order, ",")}
	for i := range order {
		for j := range order {
			if distance := min((i-j+n)%n, (j-i+n)%n); distance > reach {
				g.pairs = append(g.pairs, [2]string{order[i], order[j]})
			}
		}
	}
	return g
}

func group(nodes []string) string {
	return "{" + strings.Join(sorted(slices.Clone(nodes)), ",") + "}"
}

func without(nodes, some []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return slices.Contains(some, n) })
}
