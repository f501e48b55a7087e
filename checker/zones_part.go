package checker

// phantom answers when a call found what nobody can have produced, or what came by cas of such. It looks at each value once.
func (z *zoning) phantom() Answer {
	seen := make([]bool, len(z.p.values))
	for i, c := range z.p.calls {
		if c.maybe {
			continue
		}
		calls := []int32{int32(i)}
		for c.reads != none && !seen[c.reads] {
			seen[c.reads] = true
			if z.s.producers[c.reads] == 0 {
				return z.illegal(calls...)
			}
			at := z.s.sole(c.reads)
			if at < 0 || !z.p.calls[at].maybe { // which is looked at by itself
				break
			}
			c = z.p.calls[at]
			calls = append(calls, at)
		}
	}
	return Answer{Result: illegal}
}

// illegal answers with the part of the problem that calls (-1: none) and all that they rest on make: the
// writer of what a read found, and for each call of unknown outcome one that found what it wrote. A cas that
// found what no call of the part wrote counts as a write.
func (z *zoning) illegal(calls ...int32) Answer {
	in, written := map[int32]bool{}, map[value]bool{null: true}
	for len(calls) > 0 {
		i := calls[0]
		calls = calls[1:]
		if i < 0 || in[i] {
			continue
		}
		in[i] = true
		c := z.p.calls[i]
		if c.writes == none {
			calls = append(calls, z.s.sole(c.reads))
			continue
		}
		written[c.writes] = true
		if z.first != nil && c.maybe {
			if seen := z.first[c.writes]; seen != i {
				calls = append(calls, seen)
			} else {
				calls = append(calls, z.after[c.writes])
			}
		}
	}
	var part []call
	for i, own := range z.p.calls {
		if !in[int32(i)] {
			continue
		}
		if own.writes != none && own.reads != none && !written[own.reads] && z.s.producers[own.reads] > 0 {
			own.reads = none
		}
		part = append(part, own)
	}
	return Answer{Result: illegal, Part: z.p.with(part)}
}
