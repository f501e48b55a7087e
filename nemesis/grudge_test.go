package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// sees tells which nodes a node exchanges packets with in both directions, itself included.
func sees(node string, nodes []string, cut [][2]string) (all []string) {
	for _, other := range nodes {
		if !slices.Contains(cut, [2]string{node, other}) && !slices.Contains(cut, [2]string{other, node}) {
			all = append(all, other)
		}
	}
	return all
}

func cluster(n int) (nodes []string) {
	for i := range n {
		nodes = append(nodes, fmt.Sprintf("n%d", i+1))
	}
	return nodes
}

func TestShapes(t *testing.T) {
	for n := 3; n <= 9; n++ {
		for seed := range uint64(20) {
			nodes, r := cluster(n), rand.New(rand.NewPCG(seed, 1))
			views := func(shape string, on ...string) (sizes []int) {
				cut := newGrudge(shape, r, nodes, on, "n1").pairs
				for _, node := range nodes {
					sizes = append(sizes, len(sees(node, nodes, cut)))
				}
				slices.Sort(sizes)
				return sizes
			}
			require.Equal(t, 1, views("isolate", "n2")[0])
			require.Equal(t, n-1, views("isolate", "n2")[1])
			require.Equal(t, n/2, views("halves")[0])
			require.LessOrEqual(t, views("majority-minority")[0], (n-1)/2)
			require.GreaterOrEqual(t, views("majority-minority")[n-1], n/2+1)
			require.Equal(t, n, views("bridge")[n-1], "the bridge sees everybody")
			require.Less(t, views("bridge")[0], n)
			require.Less(t, len(sees("n1", nodes, newGrudge("bridge", r, nodes, nil, "n1").pairs)), n, "the leader is not the bridge")
		}
	}
}

func TestMajoritiesRing(t *testing.T) {
	for n := 4; n <= 9; n++ {
		nodes := cluster(n)
		cut := newGrudge("majorities-ring", rand.New(rand.NewPCG(1, 1)), nodes, nil, "").pairs
		views := map[string]bool{}
		for _, node := range nodes {
			view := sees(node, nodes, cut)
			require.GreaterOrEqual(t, len(view), n/2+1, "every node sees a majority")
			require.Less(t, len(view), n, "no node sees all")
			views[fmt.Sprint(view)] = true
		}
		require.Len(t, views, n, "no two nodes see the same majority")
	}
}

func TestOneWayCutsOneDirection(t *testing.T) {
	directions := map[bool]bool{}
	for seed := range uint64(20) {
		cut := newGrudge("one-way", rand.New(rand.NewPCG(seed, 1)), cluster(3), []string{"n1"}, "").pairs
		require.Len(t, cut, 2)
		require.Equal(t, cut[0][0] == "n1", cut[1][0] == "n1")
		directions[cut[0][0] == "n1"] = true
	}
	require.Len(t, directions, 2, "both directions are drawn")
}
