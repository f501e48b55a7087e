package adya

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"ordeal/history"
)

// A transaction is JSON, as Jepsen's histories have it: a list of micro-operations, each ["append",key,element]
// or ["r",key,null]; the answer repeats them, with the list, or null for an absent key, in each "r". Keys are
// strings or numbers; elements are strings, numbers, true or false.

// errMemory is parse's error if the check would take more than its memory.
var errMemory = errors.New("the history does not fit")

// parser makes records.
type parser struct {
	records
	keyOf  map[string]int32
	textOf map[string]element
	shown  []element // the lists of one answer, one after the other
}

// parse reads transactions, as many as it can until stop says so. It is an error if one is none, or if its answer does
// not repeat it, since that is not even a record of what was asked. Where only what a read shows is no list, it is the
// system that is wrong, and the transaction strange. As soon as more than memory bytes are needed it is errMemory.
func parse(ops []history.Op, memory int64, stop func() bool) (*records, error) {
	p := parser{records: records{ops: ops}, keyOf: map[string]int32{}, textOf: map[string]element{}}
	if len(ops) > math.MaxInt32/8 {
		return nil, fmt.Errorf("%d transactions are more than a graph can name", len(ops))
	}
	p.txns = make([]txn, 0, len(ops))
	for i := range ops {
		op := &ops[i]
		if reason := p.transaction(op); reason != "" {
			return nil, fmt.Errorf("operation %d (%s by p%d): %s", op.Index, op.Label(), op.Process, reason)
		}
		if p.bytes() > memory {
			return nil, errMemory
		}
		if i%4096 == 0 && stop() {
			break
		}
	}
	p.index()
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
		p.told += nameBytes(name)
	}
	return key, true
}

// nameBytes is what a name takes: itself twice, and its places in a list and a map.
func nameBytes(name []byte) int64 { return 100 + 2*int64(len(name)) }

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
		p.told += nameBytes(name)
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
	const perNew, perForked = 16, 8 // a chain grows
	switch rest := int64(len(list) - same); {
	case rest == 0:
	case same == len(k.list):
		p.told += rest * perNew
		k.list, k.longest = append(k.list, list[same:]...), place
	default:
		p.told += rest * perForked
		m.fork = int32(len(p.forks))
		p.forks = append(p.forks, fork{same: int32(same), rest: slices.Clone(list[same:])})
	}
}
