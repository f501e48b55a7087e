package checker

import (
	"math"
	"time"

	"ordeal/history"
)

// onlineZone is a chain of values that came of each other by cas.
type onlineZone struct {
	slot int
	head *produced // the first that is not dead
}

// onlineZones are a key's chains, with f and s of each as zoned has them. No two of them are in conflict.
//
// Chains that are near each other in time are near each other in their slots. So one look at what is earliest and
// latest in a block of slots mostly tells that none of them is in conflict with a chain, even if a client that is
// stuck keeps thousands of them from being forgotten.
type onlineZones struct {
	f, s   []time.Duration
	chains []*onlineZone
	blocks []zoneBlock
}

// zoneBlock is what zoneBlockSize slots come to.
type zoneBlock struct{ f, s time.Duration }

const zoneBlockSize = 32

// add makes a chain of n alone.
func (z *onlineZones) add(n *produced, f, s time.Duration) *onlineZone {
	c := &onlineZone{head: n}
	z.put(c, f, s)
	return c
}

func (z *onlineZones) put(c *onlineZone, f, s time.Duration) {
	c.slot = len(z.f)
	z.f, z.s, z.chains = append(z.f, f), append(z.s, s), append(z.chains, c)
	if c.slot%zoneBlockSize == 0 {
		z.blocks = append(z.blocks, zoneBlock{f: history.Never, s: math.MinInt64})
	}
	z.widen(c, f, s)
}

// widen says that a call of the chain ended at f, and one began at s.
func (z *onlineZones) widen(c *onlineZone, f, s time.Duration) {
	i, b := c.slot, &z.blocks[c.slot/zoneBlockSize]
	z.f[i], z.s[i] = min(z.f[i], f), max(z.s[i], s)
	b.f, b.s = min(b.f, z.f[i]), max(b.s, z.s[i])
}

// conflict tells whether another chain is in conflict with c.
func (z *onlineZones) conflict(c *onlineZone) bool {
	f, s := z.f[c.slot], z.s[c.slot]
	for b, block := range z.blocks {
		if block.f >= s || block.s <= f {
			continue
		}
		for i := b * zoneBlockSize; i < min((b+1)*zoneBlockSize, len(z.f)); i++ {
			if z.f[i] < s && f < z.s[i] && i != c.slot {
				return true
			}
		}
	}
	return false
}

// prune drops the chains that are dead, and of the others the values that are, and tells forget each value.
func (z *onlineZones) prune(floor time.Duration, forget func(*produced)) {
	first, second := -1, -1 // the latest of those that can make others dead
	for i := range z.f {
		switch {
		case z.f[i] >= floor:
		case first < 0 || z.s[i] > z.s[first]:
			first, second = i, first
		case second < 0 || z.s[i] > z.s[second]:
			second = i
		}
	}
	old := *z
	*z = onlineZones{f: old.f[:0], s: old.s[:0], chains: old.chains[:0], blocks: old.blocks[:0]}
	latest := [2]time.Duration{math.MinInt64, math.MinInt64} // of all, and of all but the first
	if first >= 0 {
		latest[0] = old.s[first]
	}
	if second >= 0 {
		latest[1] = old.s[second]
	}
	for i, c := range old.chains {
		killer := latest[0]
		if i == first {
			killer = latest[1]
		}
		if killer > old.f[i] {
			for n := c.head; n != nil; n = n.next {
				forget(n)
			}
			continue
		}
		for c.head.next != nil && c.head.next.ended < floor {
			forget(c.head)
			c.head = c.head.next
			c.head.prev = nil
		}
		z.put(c, old.f[i], old.s[i])
	}
	clear(old.chains[len(z.chains):])
}
