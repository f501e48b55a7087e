package checker

import "slices"

// lockProblem is the Problem of a lock.
type lockProblem struct {
	plainProblem[lockCall, *lockCall, lockState]
	groups []uint64 // tokens, in the order of the first calls about them; made by Groups
}

func newLockProblem(calls []lockCall) *lockProblem {
	p := &lockProblem{}
	p.calls, p.m = calls, lock()
	return p
}

// Engines implements Problem: the one decides every lock.
func (p *lockProblem) Engines() []Engine {
	return []Engine{{Name: "fencing", Decide: p.fenced, Holds: int64(len(p.calls)) * fencingBytes}}
}

// about is the token under which the lock was held when c was carried out, as far as its answer tells: 0 for an acquire of
// unknown outcome, and for a release that found the lock free.
func (c *lockCall) about() uint64 {
	switch {
	case c.refused:
		return c.token
	case c.release > 0:
		return c.release
	case c.maybe:
		return 0
	}
	return c.token
}

// grants tells whether c was granted the lock.
func (c *lockCall) grants() bool { return !c.refused && c.release == 0 && !c.maybe }

// sees tells whether c was refused because somebody holds the lock.
func (c *lockCall) sees() bool { return c.refused && c.token > 0 }

// returns tells whether c surely gave its token back.
func (c *lockCall) returns() bool { return !c.refused && !c.maybe && c.release > 0 }

// Groups implements Problem: a group is a token, with its grant, those that found the lock held under it, and its releases.
func (p *lockProblem) Groups() int {
	if p.groups != nil {
		return len(p.groups)
	}
	seen := map[uint64]bool{}
	for i := range p.calls {
		if t := p.calls[i].about(); t > 0 && !seen[t] {
			seen[t] = true
			p.groups = append(p.groups, t)
		}
	}
	return len(p.groups)
}

// Keep implements Problem. In a legal order of the whole, the calls about a token are while it is the lock's, but for
// releases without effect. Without them the lock is free all that time, so what is left is legal, if acquires of unknown
// outcome that are of no use go last.
func (p *lockProblem) Keep(keep func(group int) bool) Problem {
	kept := map[uint64]bool{0: true}
	for g := range p.Groups() {
		kept[p.groups[g]] = keep(g)
	}
	var calls []lockCall
	for _, c := range p.calls {
		if kept[c.about()] {
			calls = append(calls, c)
		}
	}
	return newLockProblem(calls)
}

// Weaken implements Problem: what was refused is left out, and an acquire of unknown outcome, unless there is a token
// whose grant is missing.
func (p *lockProblem) Weaken(i int) (Problem, bool) {
	c := &p.calls[i]
	others := func(is func(o *lockCall) bool) bool {
		for j := range p.calls {
			if j != i && is(&p.calls[j]) {
				return true
			}
		}
		return false
	}
	free := c.refused || c.maybe && c.release == 0 && !others(func(o *lockCall) bool {
		return (o.sees() || o.returns()) && !others(func(g *lockCall) bool { return g.grants() && g.token == o.about() })
	})
	if !free {
		return nil, false
	}
	return newLockProblem(slices.Delete(slices.Clone(p.calls), i, i+1)), true
}
