package adya

import (
	"cmp"
	"fmt"
	"slices"

	"ordeal/checker"
	"ordeal/history"
	"ordeal/internal/words"
)

// explain tells an anomaly.
func (j *judgement) explain(a *anomaly) checker.Finding {
	f := checker.Finding{Rule: a.rule}
	if a.cycle != nil {
		f.Text, f.Proof = j.cycleText(a), j.cycleProof(a)
	} else {
		f.Text, f.Proof = j.plainText(a)
	}
	if a.longer != nil {
		f.Text += fmt.Sprintf(" Without real time it takes %d transactions: %s.", len(a.longer), classOf(a.longer).rule)
	}
	involved := slices.Concat(a.txns, a.aborted)
	slices.SortFunc(involved, func(x, y int32) int {
		return cmp.Or(cmp.Compare(j.ops[x].Call, j.ops[y].Call), cmp.Compare(x, y))
	})
	f.From = j.ops[involved[0]].Call
	for _, t := range involved {
		op := &j.ops[t]
		f.Ops = append(f.Ops, op.Index)
		f.To = max(f.To, op.Call)
		if op.Return != history.Never {
			f.To = max(f.To, op.Return)
		}
	}
	return f
}

// plainText is the sentence of an anomaly without a cycle, and its proof where the sentence is none.
func (j *judgement) plainText(a *anomaly) (text string, proof []string) {
	about := func(i int) string { return j.label(a.about[i]) }
	name := func(t int32) string { return j.name(t, a.concerns()) }
	first := name(a.txns[0])
	if a.rule == ruleStrange {
		return j.name(a.txns[0], nil) + " was answered with what is no list.", nil
	}
	key := j.keyLabel(a.key)
	switch a.rule {
	case rulePhantom:
		return fmt.Sprintf("%s shows %s in %s; nobody ever appended %s.", first, about(0), key, about(0)), nil
	case ruleAborted:
		return fmt.Sprintf("%s shows %s in %s, but %s was answered as not applied.", first, about(0), key, name(a.aborted[0])), nil
	case ruleDirtyUpdate:
		return fmt.Sprintf("%s shows %s in %s with %s behind it, but %s was answered as not applied.", first, about(0), key, about(1), name(a.aborted[0])), nil
	case ruleDuplicate:
		return j.duplicateText(a, first, key), nil
	case ruleIntermediate:
		reader, writer := a.reads[0].txn, a.txns[1]
		if a.txns[0] != reader {
			writer = a.txns[0]
		}
		return fmt.Sprintf("%s shows %s in %s without the %s that %s appended with it: it saw a transaction half done.",
			name(reader), about(0), key, about(1), name(writer)), nil
	case ruleDirtyWrite:
		return fmt.Sprintf("%s appended between %s and %s, which %s appended to %s together, as %s shows.",
			name(a.txns[1]), about(0), about(2), first, key, name(a.reads[0].txn)), nil
	case ruleReordered:
		return fmt.Sprintf("%s shows %s in %s where %s should be first, as %s appended them.",
			name(a.reads[0].txn), about(0), key, about(1), first), nil
	case ruleIncompatible:
		one, two := a.reads[0], a.reads[1]
		return fmt.Sprintf("%s shows %s in %s where %s shows %s.", name(one.txn), about(0), key, name(two.txn), about(1)),
			[]string{"A list only grows at its end, so of two reads one shows the beginning of what the other shows. Neither does."}
	case ruleLostUpdate:
		found := j.foundLabel(a.txns[0], a.key)
		return fmt.Sprintf("%s and %s both found %s as %s and appended to it, so one of them has not seen the other's.", first, name(a.txns[1]), key, found),
			[]string{
				fmt.Sprintf("If %s had come first, %s would have found %s in %s.", first, name(a.txns[1]), about(0), key),
				fmt.Sprintf("If %s had come first, %s would have found %s in %s.", name(a.txns[1]), first, about(1), key),
			}
	default:
		return j.internalText(a, first, key), nil
	}
}

// duplicateText tells of an element that is shown once more than it was appended.
func (j *judgement) duplicateText(a *anomaly, first, key string) string {
	e := j.label(a.about[0])
	n := len(a.writers)
	if n == 1 {
		return fmt.Sprintf("%s shows %s twice in %s, though it was appended once, by %s.", first, e, key, j.name(a.writers[0], a.concerns()))
	}
	others := ""
	if n > 2 {
		others = " and others"
	}
	return fmt.Sprintf("%s shows %s in %s %d times, though it was appended %d times at most, by %s%s.", first, e, key, n+1, n, j.two(a.writers[0], a.writers[1], a.key), others)
}

// two names who appended something to key k twice.
func (j *judgement) two(one, two, k int32) string {
	if one == two {
		return j.name(one, []int32{k})
	}
	return j.name(one, []int32{k}) + " and by " + j.name(two, []int32{k})
}

// internalText tells of a transaction that contradicts itself.
func (j *judgement) internalText(a *anomaly, first, key string) string {
	text := fmt.Sprintf("%s contradicts itself: it read %s as %s", first, key, j.listLabel(j.list(a.reads[0])))
	if len(a.reads) > 1 {
		return fmt.Sprintf("%s after it had read %s.", text, j.listLabel(j.list(a.reads[1])))
	}
	return text + ", which is not what it had found followed by what it had appended by then."
}

// cycleText is the sentence of a cycle.
func (j *judgement) cycleText(a *anomaly) string {
	if len(a.cycle) == 2 && a.cycle[1].label.kind() == rt && a.cycle[0].label.kind() == rw {
		reader, writer := a.cycle[0].from, a.cycle[0].to
		k := a.cycle[0].label.key()
		return fmt.Sprintf("%s read %s without the %s of %s, which had finished %s before.", j.name(reader, a.keys), j.keyLabel(k),
			j.label(j.appends(writer, k)[0]), j.name(writer, a.keys), words.Span(j.txns[reader].begin-j.txns[writer].end))
	}
	var names []string
	for _, st := range a.cycle[:min(len(a.cycle), toldMax)] {
		names = append(names, j.name(st.from, a.keys))
	}
	if n := len(a.cycle); n > toldMax {
		return fmt.Sprintf("%d transactions have no order: each came before the next, and the last before the first. Three that follow each other are %s.", n, listed(names[:3]))
	}
	return fmt.Sprintf("%s have no order: each came before the next, and the last before the first.", listed(names))
}

// cycleProof is why each transaction of a cycle came before the next.
func (j *judgement) cycleProof(a *anomaly) []string {
	if len(a.cycle) > toldMax {
		return nil
	}
	number := func(t int32) string { return fmt.Sprintf("T%d", slices.Index(a.txns, t)+1) }
	var proof []string
	for i, t := range a.txns {
		proof = append(proof, fmt.Sprintf("T%d is %s.", i+1, j.name(t, a.keys)))
	}
	chain := ""
	for i, st := range a.cycle {
		proof = append(proof, fmt.Sprintf("%s, so %s came before %s.", j.why(st, number), number(st.from), number(st.to)))
		switch {
		case i == 0:
			chain = fmt.Sprintf("%s came before %s", number(st.from), number(st.to))
		case i < len(a.cycle)-1:
			chain += fmt.Sprintf(", %s before %s", number(st.from), number(st.to))
		default:
			chain += fmt.Sprintf(", and %s before %s: they have no order.", number(st.from), number(st.to))
		}
	}
	return append(proof, chain)
}

// why says why a step of a cycle is as it is.
func (j *judgement) why(st step, number func(int32) string) string {
	from, to, k := number(st.from), number(st.to), st.label.key()
	if st.label.kind() == rt {
		return fmt.Sprintf("%s had finished %s before %s began", from, words.Span(j.txns[st.to].begin-j.txns[st.from].end), to)
	}
	key := j.keyLabel(k)
	switch st.label.kind() {
	case wr:
		return fmt.Sprintf("%s found %s in %s, which %s appended", to, j.label(j.lastOf(st.from, k)), key, from)
	case rw:
		return fmt.Sprintf("%s found %s as %s, without the %s that %s appended", from, key, j.foundLabel(st.from, k), j.label(j.appends(st.to, k)[0]), to)
	}
	one, two := j.lastOf(st.from, k), j.appends(st.to, k)[0]
	if m := j.keys[k].longest; m >= 0 && slices.Contains(j.keys[k].blocks, st.from) {
		w := &j.micros[m]
		shown := j.list(w)
		switch at, behind := slices.Index(shown, one), slices.Index(shown, two); {
		case at >= 0 && behind > at:
			return fmt.Sprintf("%s shows the %s that %s appended to %s in front of the %s of %s", number(w.txn), j.label(one), from, key, j.label(two), to)
		case at >= 0 && behind < 0:
			return fmt.Sprintf("%s shows the %s that %s appended to %s, and not the %s of %s", number(w.txn), j.label(one), from, key, j.label(two), to)
		}
	}
	for _, t := range []int32{st.from, st.to} {
		if found := j.firstFound(k, t); found >= 0 {
			return fmt.Sprintf("%s found %s as %s when it appended %s", number(t), key, j.foundLabel(t, k), j.label(j.appends(t, k)[0]))
		}
	}
	return fmt.Sprintf("%s appended %s to %s in front of the %s of %s", from, j.label(one), key, j.label(two), to)
}

// lastOf is the last element that transaction t appended to key k.
func (j *judgement) lastOf(t, k int32) element {
	own := j.appends(t, k)
	return own[len(own)-1]
}

// foundLabel is the list that transaction t found at key k.
func (j *judgement) foundLabel(t, k int32) string {
	m, own := j.firstRead(t, k)
	return j.listLabel(j.list(m)[:m.length-own])
}

// doubt says why an element that was appended twice leaves the verdict open, and what would have decided it.
func (j *judgement) doubt(d ambiguity) string {
	var twice string
	if d.one == d.two {
		twice = " twice"
	}
	return fmt.Sprintf("%s is appended to %s%s by %s, and is read: the order of appends is only known if elements are unique within a key",
		j.label(d.element), j.keyLabel(d.key), twice, j.two(d.one, d.two, d.key))
}
