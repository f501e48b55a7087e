package adya

// components are the strongly connected components of a graph: nodes each of which leads to every other.
type components struct {
	of    []int32 // by node
	count int32
	// order are the transactions, each behind all that it leads to and that do not lead to it.
	order []int32
}

// components finds them with edges of some kinds (Tarjan, SIAM J. Comput. 1(2), 1972), without recursion, since
// a run is a path of a million nodes. stop is asked from time to time.
func (g *graph) components(use mask, stop func() bool) *components {
	s := newTarjan(g, use)
	for v := range g.nodes {
		if (v >= g.txns || g.in[v]) && s.number[v] == 0 {
			s.visit(v, stop)
		}
	}
	return &s.components
}

// parts are the components that one of outer's falls into with fewer kinds of edges. They are good until the next
// call: what was visited is cleared then, since a component is small and the graph is not.
func (t *tarjan) parts(use mask, component, outer []int32, stop func() bool) *components {
	for _, v := range t.visited {
		t.number[v], t.at[v], t.of[v] = 0, 0, -1
	}
	t.visited, t.visits, t.count, t.order = t.visited[:0], 0, 0, t.order[:0]
	t.use, t.outer, t.within = use, outer, outer[component[0]]
	for _, v := range component {
		if t.number[v] == 0 {
			t.visit(v, stop)
		}
	}
	return &t.components
}

func newTarjan(g *graph, use mask) *tarjan {
	s := &tarjan{graph: g, use: use}
	s.number, s.low, s.at, s.of = make([]int32, g.nodes), make([]int32, g.nodes), make([]int32, g.nodes), make([]int32, g.nodes)
	for i := range s.of {
		s.of[i] = -1
	}
	return s
}

type tarjan struct {
	components
	*graph
	use     mask
	outer   []int32 // if not nil, only nodes that are within in it are visited
	within  int32
	visits  int32
	visited []int32 // if outer is not nil
	number  []int32 // by node: of its visit, from 1; 0 before it
	low     []int32 // by node: the number of the first open node that it is known to lead to
	at      []int32 // by node: the next of its edges
	path    []int32 // from where the visit began to where it is
	open    []int32 // visited, and not in a component yet
	steps   int
}

func (t *tarjan) visit(root int32, stop func() bool) {
	t.enter(root)
	for len(t.path) > 0 {
		if t.steps++; t.steps%(1<<16) == 0 && stop() {
			t.path, t.open = t.path[:0], t.open[:0]
			return
		}
		v := t.path[len(t.path)-1]
		e, more := t.next(v, &t.at[v], t.use)
		switch {
		case !more:
			t.leave(v)
		case t.outer != nil && t.outer[e.to] != t.within:
		case t.number[e.to] == 0:
			t.enter(e.to)
		case t.of[e.to] < 0:
			t.low[v] = min(t.low[v], t.low[e.to])
		}
	}
}

func (t *tarjan) enter(v int32) {
	t.visits++
	t.number[v], t.low[v] = t.visits, t.visits
	t.path, t.open = append(t.path, v), append(t.open, v)
	if t.outer != nil {
		t.visited = append(t.visited, v)
	}
}

// leave ends the visit of v. If it leads to nothing before it that is open, it and what is open behind it are a
// component.
func (t *tarjan) leave(v int32) {
	t.path = t.path[:len(t.path)-1]
	if len(t.path) > 0 {
		from := t.path[len(t.path)-1]
		t.low[from] = min(t.low[from], t.low[v])
	}
	if t.low[v] != t.number[v] {
		return
	}
	for {
		w := t.open[len(t.open)-1]
		t.open = t.open[:len(t.open)-1]
		t.of[w] = t.count
		if w < t.txns {
			t.order = append(t.order, w)
		}
		if w == v {
			break
		}
	}
	t.count++
}

// cyclic are the components of more than one transaction, each with its transactions by place, by the first of
// them.
func (c *components) cyclic(txns int32) [][]int32 {
	size := make([]int32, c.count)
	for _, t := range c.order {
		size[c.of[t]]++
	}
	place := map[int32]int{}
	var all [][]int32
	for t := range txns {
		id := c.of[t]
		if id < 0 || size[id] < 2 {
			continue
		}
		at, known := place[id]
		if !known {
			at = len(all)
			place[id], all = at, append(all, nil)
		}
		all[at] = append(all[at], t)
	}
	return all
}
