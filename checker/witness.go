package checker

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ordeal/history"
)

// A witness is cut out of a key's history in four steps, each of which keeps it without a legal
// order: the shortest prefix that has none, or a part of it that the engine tells; the fewest groups of that (whole
// groups, so that a value never loses its writer); then single reads and single demands; and at the end Porcupine is
// asked about what is left, without any simplification of ours.

// witness searches a small part of k.part, which has no legal order, that has none either. The search stops when
// ctx is done and returns the smallest part found so far.
func witness(ctx context.Context, m Model, k *keyCheck, memory int64) Problem {
	w := witnessSearch{ctx: ctx, memory: memory}
	p, part := k.part, k.known
	switch whole := p == k.problem; {
	case ctx.Err() != nil: // too late to cut out anything
	case !whole:
		part = w.part(p)
	case part != nil && part.Len() <= 2:
		return part // of which nothing can be left out
	case part != nil:
		part = w.earliest(m, k.ops, part)
	case len(k.ops) <= prefixOps:
		half, cancel := halfOf(ctx)
		p = (&witnessSearch{ctx: half, memory: memory}).prefix(m, k.ops, p)
		cancel()
		part = w.part(p)
	default:
		part = local(ctx, p, memory)
	}
	if part != nil {
		p = part
	}
	for {
		before := p
		p = w.singles(w.groups(p))
		if p == before || ctx.Err() != nil {
			return p
		}
	}
}

// halfOf is a context with half of the time that ctx has left.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok {
		return context.WithTimeout(ctx, time.Until(end)/2)
	}
	return context.WithCancel(ctx)
}

// prefixOps is the largest key whose prefixes are searched if no engine tells a part. To convict one
// takes a search of everything before it; in longer keys a violation among neighbours is quicker to find.
const prefixOps = 2000

type witnessSearch struct {
	ctx    context.Context
	memory int64
}

// part is one of p that is illegal, if the engine that decides p tells one; else nil.
func (w *witnessSearch) part(p Problem) Problem {
	d, _ := decide(w.ctx, p, w.memory)
	return d.Part
}

func (w *witnessSearch) illegal(p Problem) bool { return convicts(w.ctx, p, w.memory) }

// earliest goes from an illegal part to earlier ones, as long as what had happened before the part's last end is
// illegal too, and the engine tells a part of it that is small. So it mostly comes to one of the shortest illegal prefix.
func (w *witnessSearch) earliest(m Model, ops []*history.Op, part Problem) Problem {
	for w.ctx.Err() == nil {
		last := int64(-1)
		for _, op := range part.Operations() {
			if op.Return != int64(history.Never) {
				last = max(last, op.Return)
			}
		}
		var before *history.Op // of those that ended earlier the last
		for _, op := range ops {
			if int64(op.Return) < last && (before == nil || op.Return > before.Return) {
				before = op
			}
		}
		if before == nil {
			break
		}
		p, err := m.Parse(cut(ops, before))
		if err != nil {
			break
		}
		const small = 6 // operations; what is longer is worse to read than what is later
		earlier := w.part(p)
		if earlier == nil || earlier.Len() > max(small, part.Len()) {
			break
		}
		part = earlier
	}
	return part
}

// byEnd is the operations that ended, in that order.
func byEnd(ops []*history.Op) []*history.Op {
	ends := make([]*history.Op, 0, len(ops))
	for _, op := range ops {
		if op.Return != history.Never {
			ends = append(ends, op)
		}
	}
	slices.SortFunc(ends, func(a, b *history.Op) int { return cmp.Compare(a.Return, b.Return) })
	return ends
}

// prefix finds the shortest illegal prefix. Linearizability is prefix-closed, so this is a binary
// search over the completions.
func (w *witnessSearch) prefix(m Model, ops []*history.Op, whole Problem) Problem {
	ends := byEnd(ops)
	best := whole
	low, high := 0, len(ends)-1 // the answer is in ends[low:high+1], or it is the whole
	for low <= high && w.ctx.Err() == nil {
		mid := (low + high) / 2
		p, err := m.Parse(cut(ops, ends[mid]))
		if err == nil && w.illegal(p) {
			best, high = p, mid-1
		} else {
			low = mid + 1
		}
	}
	return best
}

// cut is what was known when last returned: operations that were open then have an unknown outcome. Those
// that failed later are left out: they never happened, and must not be said to have.
func cut(ops []*history.Op, last *history.Op) []*history.Op {
	var known []*history.Op
	for _, op := range ops {
		if op.Call > last.Return || op.Type == history.Fail && op.Return > last.Return {
			continue
		}
		if op.Return > last.Return {
			open := *op
			open.Type, open.Output, open.Return, open.Ended = history.Info, nil, history.Never, history.Never
			op = &open
		}
		known = append(known, op)
	}
	return known
}

// groups leaves out groups by delta debugging (Zeller & Hildebrandt, IEEE TSE 28(2), 2002). It tries
// the latest first, since the last completion of a shortest prefix always belongs to the violation.
func (w *witnessSearch) groups(p Problem) Problem {
	for parts := 2; w.ctx.Err() == nil; {
		n := p.Groups()
		parts = min(parts, n)
		smaller := w.fewer(p, n, parts)
		switch {
		case smaller != nil:
			p = smaller
			parts = max(parts-1, 2)
		case parts >= n:
			return p
		default:
			parts *= 2
		}
	}
	return p
}

// fewer tries to do with one of parts of the groups, then without one of them.
func (w *witnessSearch) fewer(p Problem, n, parts int) Problem {
	if n < 2 {
		return nil
	}
	for _, alone := range [...]bool{true, false} {
		for k := parts - 1; k >= 0 && w.ctx.Err() == nil; k-- {
			from, to := k*n/parts, (k+1)*n/parts
			part := p.Keep(func(g int) bool { return (g >= from && g < to) == alone })
			if w.illegal(part) {
				return part
			}
		}
	}
	return nil
}

// singles weakens single operations as long as what is left stays illegal.
func (w *witnessSearch) singles(p Problem) Problem {
	for i := p.Len() - 1; i >= 0 && w.ctx.Err() == nil; i-- {
		if weaker, ok := p.Weaken(i); ok && w.illegal(weaker) {
			p = weaker
		}
	}
	return p
}
