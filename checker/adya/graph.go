package adya

import (
	"cmp"
	"slices"
	"time"

	"ordeal/history"
)

// kind is why one transaction must come before another. The first three are Adya's dependencies.
type kind uint8

const (
	ww   kind = iota // both appended to a key, and the first one's elements are further in front
	wr               // the second read what the first appended
	rw               // the first read a key without what the second appended
	rt               // the first had returned before the second was called
	pass             // out of an auxiliary node: the edge into it says why
	kinds
)

// mask is a set of kinds.
type mask uint8

func only(ks ...kind) mask {
	var m mask
	for _, k := range ks {
		m |= 1 << k
	}
	return m
}

func (m mask) has(k kind) bool { return m&(1<<k) != 0 }

// label is an edge's kind and key.
type label uint32

const labelShift = 3

func labelOf(k kind, key int32) label { return label(key)<<labelShift | label(k) }

func (l label) kind() kind { return kind(l & (1<<labelShift - 1)) }
func (l label) key() int32 { return int32(l >> labelShift) }

// edge leads to a node.
type edge struct {
	to    int32
	label label
}

// graph has a node for every transaction, one for every key with unseen appends, and nodes of time.
//
// Each edge is a necessity, in whatever order the transactions were done: a transaction is done at one moment, and
// nothing takes an element away or puts one anywhere but at the end. If a, b and c are transactions on key k,
//
//	ww  a's block is the one before b's in the list. So a appended first.
//	    Or a's block is the last that the longest read shows, and b has one that no read shows. The longest reader,
//	    which may be a itself, did not find b's, so b comes after it, and it does not come before a.
//	wr  b found a's block as the last one. So a came before; b's own appends do not count as found.
//	rw  b found the list without c's block, which is the next one; or b found all that was ever seen, and c has a block
//	    that no read shows. Had c come before b, b would have found it.
//	rt  a had returned before b was called. What has an unknown outcome never returns.
//
// A transaction of unknown outcome that nobody saw may not have happened. No edge leads on from it: it reads nothing
// and never returns, and no append is known to follow one that no read shows. So it is on no cycle, and it can come last in an
// order, which is as good as never.
//
// Together the edges are sufficient: blocks further off follow by ww, so in any order that keeps to all of them every
// reader finds just what it found. That is not believed, but replayed.
//
// Edges of real time would be as many as pairs of transactions. Instead there is a chain of moments: each
// transaction leads to the first moment after its return, each moment to the next one, and to the transactions
// that were called between the two. A return and a call at one moment are concurrent.
type graph struct {
	txns    int32  // nodes [0,txns) are transactions
	moments int32  // nodes [moments,nodes) are moments
	nodes   int32  //
	in      []bool // by transaction: it did not fail
	first   []int32
	edges   []edge
	done    []int32 // by transaction: the moment after it; -1 if there is none
	starts  []int32 // transactions by time of call
	startOf []int32 // by moment: the first of its calls in starts; and behind the last, their number
}

// newGraph makes the graph of a history whose keys have been resolved.
func newGraph(r *records, keys []versions) *graph {
	g := &graph{txns: int32(len(r.txns)), in: make([]bool, len(r.txns))}
	for i := range r.txns {
		g.in[i] = r.txns[i].outcome != history.Fail
	}
	g.moments = g.txns
	for k := range keys {
		if len(keys[k].unseen) > 0 {
			g.moments++
		}
	}
	g.first = make([]int32, g.moments+1)
	g.depend(keys, func(from int32, _ edge) { g.first[from+1]++ })
	for i := range g.moments {
		g.first[i+1] += g.first[i]
	}
	g.edges = make([]edge, g.first[g.moments])
	next := slices.Clone(g.first)
	g.depend(keys, func(from int32, e edge) {
		g.edges[next[from]] = e
		next[from]++
	})
	g.time(r.txns)
	return g
}

// depend finds the edges of all keys.
func (g *graph) depend(keys []versions, add func(from int32, e edge)) {
	aux := g.txns
	for k := range keys {
		v, key := &keys[k], int32(k)
		for i := 1; i < len(v.blocks); i++ {
			add(v.blocks[i-1], edge{v.blocks[i], labelOf(ww, key)})
		}
		n := len(v.blocks)
		for _, r := range v.readers {
			at, _ := slices.BinarySearch(v.starts, r.found)
			if at > 0 {
				add(v.blocks[at-1], edge{r.txn, labelOf(wr, key)})
			}
			switch { // each edge may lead back to where it came from, and is then on no cycle of two transactions
			case at < n:
				add(r.txn, edge{v.blocks[at], labelOf(rw, key)})
			case len(v.unseen) > 0:
				add(r.txn, edge{aux, labelOf(rw, key)})
			}
		}
		if len(v.unseen) == 0 {
			continue
		}
		if n > 0 {
			add(v.blocks[n-1], edge{aux, labelOf(ww, key)})
		}
		for _, t := range v.unseen {
			add(aux, edge{t, labelOf(pass, key)})
		}
		aux++
	}
}

// time makes the moments.
func (g *graph) time(txns []txn) {
	var ends []int32
	for i := range txns {
		if g.in[i] {
			g.starts = append(g.starts, int32(i))
			if txns[i].end != history.Never {
				ends = append(ends, int32(i))
			}
		}
	}
	by := func(at func(t *txn) time.Duration) func(a, b int32) int {
		return func(a, b int32) int { return cmp.Compare(at(&txns[a]), at(&txns[b])) }
	}
	slices.SortStableFunc(g.starts, by(func(t *txn) time.Duration { return t.begin }))
	slices.SortFunc(ends, by(func(t *txn) time.Duration { return t.end }))
	g.done = make([]int32, len(txns))
	for i := range g.done {
		g.done[i] = -1
	}
	g.nodes = g.moments
	for i, s := range g.starts {
		ended := 0
		for ended < len(ends) && txns[ends[ended]].end < txns[s].begin {
			g.done[ends[ended]] = g.nodes
			ended++
		}
		if ends = ends[ended:]; ended > 0 {
			g.startOf = append(g.startOf, int32(i))
			g.nodes++
		}
	}
	g.startOf = append(g.startOf, int32(len(g.starts)))
}

// next is the next edge out of a node of a kind that use has. i counts the edges, from 0, and is moved on.
func (g *graph) next(node int32, i *int32, use mask) (e edge, ok bool) {
	if node >= g.moments {
		return g.afterMoment(node, i)
	}
	for from, to := g.first[node], g.first[node+1]; from+*i < to; {
		e = g.edges[from+*i]
		*i++
		if k := e.label.kind(); k == pass || use.has(k) {
			return e, true
		}
	}
	if node < g.txns && *i == g.first[node+1]-g.first[node] && use.has(rt) && g.done[node] >= 0 {
		*i++
		return edge{g.done[node], labelOf(rt, 0)}, true
	}
	return edge{}, false
}

func (g *graph) afterMoment(node int32, i *int32) (e edge, ok bool) {
	m := node - g.moments
	for {
		*i++
		if *i == 1 {
			if node+1 < g.nodes {
				return edge{node + 1, labelOf(rt, 0)}, true
			}
			continue
		}
		if at := g.startOf[m] + *i - 2; at < g.startOf[m+1] {
			return edge{g.starts[at], labelOf(rt, 0)}, true
		}
		return edge{}, false
	}
}
