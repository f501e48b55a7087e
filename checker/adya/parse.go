package adya

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"ordeal/checker"
	"ordeal/history"
)

// A transaction is JSON, as Jepsen's histories have it: a list of micro-operations, each ["append",key,element]
// or ["r",key,null]; the answer repeats them, with the list, or null for an absent key, in each "r". Keys are
// strings or numbers; elements are strings, numbers, true or false.

// element is what is appended: an integer itself, or elementText plus the place of its text in records.texts.
type element int64

const elementText element = 1 << 62

// txn is a transaction; its place is that of its operation.
type txn struct {
	first, last int32 // its micro-operations are micros[first:last]
	outcome     history.Type
	strange     bool          // a read of it shows what is no list
	begin, end  time.Duration // end is history.Never if the outcome is unknown
}

// micro is one append or one read within a transaction. What failed or has no answer has no reads.
type micro struct {
	txn, key int32
	length   int32   // of the list that a read shows; isAppend for an append
	fork     int32   // of a read whose list departs from its key's chain: its place in forks; else inChain
	element  element // of an append
}

const (
	isAppend int32 = -1
	inChain  int32 = -1
)

func (m *micro) reads() bool { return m.length != isAppend }

// chain is a key: the longest list that was read, of which every other read should show the beginning.
type chain struct {
	name    json.RawMessage
	list    []element
	longest int32 // the read that shows all of list, as a place in micros; -1 if list is empty
}

// fork is a list that departs from the chain of its key: it shows the first same elements of it, and then rest.
type fork struct {
	same int32
	rest []element
}

// records are a run's transactions, as far as they were told.
type records struct {
	ops    []history.Op
	txns   []txn
	micros []micro
	keys   []chain
	forks  []fork
	texts  []json.RawMessage // of elements that are no integers
}

// parser makes records.
type parser struct {
	records
	keyOf  map[string]int32
	textOf map[string]element
	shown  []element // the lists of one answer, one after the other
}

// parse reads transactions, as many as it can until stop says so. An operation that is none is a *checker.OpError, and
// so is one whose answer does not repeat it, since that is not even a record of what was asked. Where only what a read
// shows is no list, it is the system that is wrong, and the transaction strange.
func parse(ops []history.Op, stop func() bool) (*records, error) {
	p := parser{records: records{ops: ops}, keyOf: map[string]int32{}, textOf: map[string]element{}}
	if len(ops) > math.MaxInt32/8 {
		return nil, fmt.Errorf("%d transactions are more than a graph can name", len(ops))
	}
	p.txns = make([]txn, 0, len(ops))
	for i := range ops {
		op := &ops[i]
		if reason := p.transaction(op); reason != "" {
			return nil, &checker.OpError{Op: *op, Reason: reason}
		}
		if i%4096 == 0 && stop() {
			break
		}
	}
	return &p.records, nil
}

func (p *parser) transaction(op *history.Op) (reason string) {
	if op.F != "txn" {
		return "only transactions (txn) can be judged together"
	}
	t := txn{first: int32(len(p.micros)), outcome: op.Type, begin: op.Call, end: op.Return}
	if op.Type != history.OK && op.Type != history.Fail {
		t.outcome, t.end = history.Info, history.Never
	}
	if t.end < t.begin {
		return "it returned before it was called"
	}
	in := text{b: op.Input}
	if !in.list(func() bool { reason = p.micro(&in); return reason == "" }) || !in.ended() {
		if reason == "" {
			reason = "a transaction should be a list of micro-operations"
		}
		return reason
	}
	answered := op.Type == history.OK && p.answer(op.Output, p.micros[t.first:])
	if t.strange = op.Type == history.OK && !answered; t.strange && !repeats(op.Input, op.Output) {
		return "its answer should repeat its micro-operations, with a list in each read"
	}
	if !answered {
		kept := slices.DeleteFunc(p.micros[t.first:], func(m micro) bool { return m.reads() })
		p.micros = p.micros[:int(t.first)+len(kept)]
	}
	t.last = int32(len(p.micros))
	if len(p.micros) > math.MaxInt32/2 {
		return "the history has too many micro-operations"
	}
	p.txns = append(p.txns, t)
	return ""
}

// micro reads a micro-operation of an invocation, and adds it.
func (p *parser) micro(in *text) (reason string) {
	m := micro{txn: int32(len(p.txns)), fork: inChain}
	n, ok := 0, false
	whole := in.list(func() bool {
		token, scalar := in.scalar()
		switch n++; {
		case !scalar:
			return false
		case n == 1:
			f := string(canonical(token))
			ok = f == `"append"` || f == `"r"`
			if f == `"append"` {
				m.length = isAppend
			}
		case n == 2:
			m.key, ok = p.key(token)
		case n == 3 && m.reads():
			ok = string(token) == "null"
		case n == 3:
			m.element, ok = p.element(token)
		}
		return ok && n <= 3
	})
	if !whole || n != 3 {
		return `a micro-operation should be ["append",key,element] or ["r",key,null]`
	}
	p.micros = append(p.micros, m)
	return ""
}

func (p *parser) key(token []byte) (key int32, ok bool) {
	if token[0] != '"' && token[0] != '-' && (token[0] < '0' || token[0] > '9') {
		return 0, false
	}
	name := canonical(token)
	key, known := p.keyOf[string(name)]
	if !known {
		key = int32(len(p.keys))
		p.keyOf[string(name)] = key
		p.keys = append(p.keys, chain{name: slices.Clone(name), longest: -1})
	}
	return key, true
}

func (p *parser) element(token []byte) (e element, ok bool) {
	if n, plain := integer(token); plain {
		return element(n), true
	}
	if string(token) == "null" {
		return 0, false
	}
	name := canonical(token)
	e, known := p.textOf[string(name)]
	if !known {
		e = elementText + element(len(p.texts))
		p.textOf[string(name)] = e
		p.texts = append(p.texts, slices.Clone(name))
	}
	return e, true
}

// answer reads the answer to micros into their reads. If it is no answer to them it changes nothing.
func (p *parser) answer(output json.RawMessage, micros []micro) bool {
	out, n := text{b: output}, 0
	p.shown = p.shown[:0]
	whole := out.list(func() bool {
		n++
		return n <= len(micros) && p.microAnswer(&out, &micros[n-1])
	})
	if !whole || !out.ended() || n != len(micros) {
		return false
	}
	rest := p.shown
	first := len(p.micros) - len(micros)
	for i := range micros {
		if m := &micros[i]; m.reads() {
			p.shows(m, int32(first+i), rest[:m.length])
			rest = rest[m.length:]
		}
	}
	return true
}

// repeats tells whether an answer has the micro-operations of an invocation, whatever its reads show.
func repeats(input, output json.RawMessage) bool {
	in, _ := history.MicroOps(input)
	out, ok := history.MicroOps(output)
	same := func(a, b json.RawMessage) bool { return bytes.Equal(canonical(a), canonical(b)) }
	return ok && slices.EqualFunc(in, out, func(a, b history.MicroOp) bool {
		return a.F == b.F && same(a.Key, b.Key) && (a.F == "r" || same(a.Value, b.Value))
	})
}

// microAnswer reads the answer to m: an append must be itself, a read shows a list, which is kept in p.shown.
func (p *parser) microAnswer(out *text, m *micro) bool {
	n, want := 0, `"append"`
	if m.reads() {
		want = `"r"`
	}
	from := len(p.shown)
	whole := out.list(func() bool {
		if n++; n == 3 && m.reads() && out.listNext() {
			return out.list(func() bool { return p.show(out) })
		}
		token, ok := out.scalar()
		switch {
		case !ok:
		case n == 1:
			ok = string(canonical(token)) == want
		case n == 2:
			ok = string(canonical(token)) == string(p.keys[m.key].name)
		case n == 3 && m.reads():
			ok = string(token) == "null"
		case n == 3:
			var e element
			e, ok = p.element(token)
			ok = ok && e == m.element
		}
		return ok && n <= 3
	})
	if m.reads() {
		m.length = int32(len(p.shown) - from)
	}
	return whole && n == 3
}

// show reads an element of a list that a read shows.
func (p *parser) show(out *text) bool {
	if n, ok := out.natural(); ok {
		p.shown = append(p.shown, element(n))
		return true
	}
	token, ok := out.scalar()
	if !ok {
		return false
	}
	e, ok := p.element(token)
	p.shown = append(p.shown, e)
	return ok
}

// shows compares the list that a read shows with its key's chain, which it may carry on.
func (p *parser) shows(m *micro, place int32, list []element) {
	k := &p.keys[m.key]
	same := 0
	for same < min(len(list), len(k.list)) && list[same] == k.list[same] {
		same++
	}
	switch {
	case same == len(list):
	case same == len(k.list):
		k.list, k.longest = append(k.list, list[same:]...), place
	default:
		m.fork = int32(len(p.forks))
		p.forks = append(p.forks, fork{same: int32(same), rest: slices.Clone(list[same:])})
	}
}

// at is the element in place i of the list that the read m shows.
func (r *records) at(m *micro, i int32) element {
	if m.fork != inChain && i >= r.forks[m.fork].same {
		return r.forks[m.fork].rest[i-r.forks[m.fork].same]
	}
	return r.keys[m.key].list[i]
}

// list is what the read m shows.
func (r *records) list(m *micro) []element {
	l := make([]element, m.length)
	for i := range l {
		l[i] = r.at(m, int32(i))
	}
	return l
}
