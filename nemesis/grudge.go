package nemesis

import (
	"math/rand/v2"
	"slices"
)

// grudge lists the one-way links {from, to} that a shape cuts. Shapes and names follow Jepsen's
// nemesis (isolate one, halves, majorities-ring, bridge). leader is "" if none is known.
func grudge(shape string, r *rand.Rand, nodes, on []string, leader string) [][2]string {
	order := slices.Clone(nodes)
	r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	n := len(order)
	switch shape {
	case "isolate":
		return apart(on, without(nodes, on))
	case "one-way":
		if r.IntN(2) == 0 {
			return links(on, without(nodes, on))
		}
		return links(without(nodes, on), on)
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
	return nil
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

// apart are the links between two groups, both ways.
func apart(a, b []string) [][2]string { return append(links(a, b), links(b, a)...) }

// bridge leaves one node that sees both halves, and these do not see each other. It is not the leader:
// followers have nothing to say to one another, so a leader on the bridge would feel no fault.
func bridge(order []string, leader string) [][2]string {
	middle := (len(order) - 1) / 2
	if order[middle] == leader {
		order[middle], order[0] = order[0], order[middle]
	}
	return apart(order[:middle], order[middle+1:])
}

// ring lets every node see just enough neighbours on a ring for a majority, so that no two see the
// same one.
func ring(order []string) [][2]string {
	n := len(order)
	reach := (n/2 + 1) / 2 // neighbours on each side: 2*reach+1 >= n/2+1
	var pairs [][2]string
	for i := range order {
		for j := range order {
			if distance := min((i-j+n)%n, (j-i+n)%n); distance > reach {
				pairs = append(pairs, [2]string{order[i], order[j]})
			}
		}
	}
	return pairs
}

func without(nodes, some []string) []string {
	return slices.DeleteFunc(slices.Clone(nodes), func(n string) bool { return slices.Contains(some, n) })
}
