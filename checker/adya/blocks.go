package adya

import (
	"slices"

	"ordeal/history"
)

// split cuts the list into blocks. A list in which a transaction's appends are not one block, in the order in
// which it did them, is an anomaly: others appended in between (Adya's G0), or it is not what it did.
func (v *resolver) split(k int32, to *versions) *anomaly {
	list := v.keys[k].list
	for i := 0; i < len(list); {
		t := v.owner[list[i]]
		own := v.appends(t, k)
		to.blocks, to.starts = append(to.blocks, t), append(to.starts, int32(i))
		for j, e := range own {
			if i+j == len(list) {
				// The rest is unseen yet; halfway will object if anyone but t has seen this much.
				list = append(list, own[j:]...)
				break
			}
			if list[i+j] == e {
				continue
			}
			read := &v.micros[v.keys[k].longest]
			a := &anomaly{rule: ruleReordered, txns: []int32{t}, about: []element{list[i+j], e}, reads: []*micro{read}}
			if other := v.owner[list[i+j]]; other != t {
				a.rule, a.about = ruleIntermediate, []element{own[j-1], e}
				if slices.Contains(list[i+j:], e) {
					a.rule, a.about = ruleDirtyWrite, []element{own[j-1], list[i+j], e}
				}
				a.add(other)
			}
			a.add(read.txn)
			return a
		}
		i += len(own)
	}
	v.keys[k].list = list
	to.starts = append(to.starts, int32(len(list)))
	return nil
}

// halfway finds a reader that saw a part of a block only (Adya's G1b).
func (v *resolver) halfway(k int32, to *versions) *anomaly {
	for _, r := range to.readers {
		at, whole := slices.BinarySearch(to.starts, r.found)
		if whole {
			continue
		}
		t := to.blocks[at-1]
		read, _ := v.firstRead(r.txn, k)
		list := v.keys[k].list
		return &anomaly{rule: ruleIntermediate, txns: []int32{r.txn, t}, about: []element{list[r.found-1], list[r.found]}, reads: []*micro{read}}
	}
	return nil
}

// hide finds the transactions whose appends nobody saw.
func (v *resolver) hide(to *versions, places []int32) {
	known := make(map[int32]bool, len(to.blocks))
	for _, t := range to.blocks {
		known[t] = true
	}
	for _, p := range places {
		if m := &v.micros[p]; !m.reads() && !known[m.txn] && v.txns[m.txn].outcome != history.Fail {
			known[m.txn] = true
			to.unseen = append(to.unseen, m.txn)
		}
	}
}
