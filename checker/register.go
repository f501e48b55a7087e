package checker

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"ordeal/history"
)

// Register is a key that is read, written and compared-and-set. It begins as null, which stands for
// absent.
//
//   - read: the value, or null. One without an answer says nothing.
//   - write: the value.
//   - cas: [old,new]. If ok, the value was old. If it failed with a value, that was what it found, and it was not
//     old. If it failed with the error "mismatch" and no value, it found another value than old (a blind cas).
//     Otherwise it failed for another reason and says nothing.
//
// A write or cas of unknown outcome took effect at some time after its call, or never; such a cas
// changes nothing if the value is not old. Values are compared as JSON: white space, the order of
// members and the escapes in strings do not matter, how a number is written does.
func Register() Model { return Model{Name: "register", Parse: parseRegister} }

// KV is a Register that can also be deleted, which makes it null.
func KV() Model { return Model{Name: "kv", Parse: parseKV} }

// value is a number for a distinct value of one key.
type value int32

const (
	none value = -1 // the call does not read, or does not write
	null value = 0  // the initial value
)

// call is an operation of a register in the terms of this problem. It reads if reads is not none and
// writes if writes is not none.
//
// One that may not have happened has no effect unless it finds reads.
type call struct {
	interval
	reads, writes value  // what must be found, what is left behind
	refused       value  // of a cas that failed: the old value, which must not be found; else none
	revision      uint32 // that its answer carried, as nearFirst has it; 0 for none, or tooFar
}

// absurd tells whether the call is a cas that failed although it found its old value: it is never legal.
func (c call) absurd() bool { return c.reads != none && c.reads == c.refused }

// blind tells whether the call is a cas that failed without telling what it found.
func (c call) blind() bool { return c.reads == none && c.refused != none }

// registerProblem is the Problem of a register.
type registerProblem struct {
	calls  []call
	values []json.RawMessage // by value; shared with the problems made of this one
	groups []value           // in the order of first calls; made by Groups
}

func parseRegister(ops []*history.Op) (Problem, error) { return parseRegisters(ops, false) }

func parseKV(ops []*history.Op) (Problem, error) { return parseRegisters(ops, true) }

func parseRegisters(ops []*history.Op, deletions bool) (Problem, error) {
	in, first := nullFirst(len(ops)/2), uint64(0) // first: the revision of an answer that says something
	calls, err := parseCalls(ops, func(op *history.Op) (call, bool, string) {
		c := call{interval: intervalOf(op), reads: none, writes: none, refused: none}
		keep, reason := op.Type != history.Fail, ""
		if deletions && op.F == "delete" {
			c.writes = null
		} else {
			keep, reason = in.read(&c, op)
		}
		if keep && op.Revision > 0 && op.Type != history.Info {
			first = cmp.Or(first, op.Revision)
			c.revision = nearFirst(op.Revision, first)
		}
		return c, keep, reason
	})
	if err != nil {
		return nil, err
	}
	return &registerProblem{calls: calls, values: in.values}, nil
}

// read fills c with what op says; keep is false if that is nothing.
func (in *interner) read(c *call, op *history.Op) (keep bool, reason string) {
	switch op.F {
	case "read":
		if op.Type != history.OK {
			return false, ""
		}
		c.reads, reason = in.value(op.Output)
	case "write":
		if op.Type == history.Fail {
			return false, ""
		}
		c.writes, reason = in.value(op.Input)
	case "cas":
		return in.cas(c, op)
	default:
		return false, "a register knows read, write and cas"
	}
	return true, reason
}

func (in *interner) cas(c *call, op *history.Op) (keep bool, reason string) {
	from, to, ok := history.CASValue(op.Input)
	if !ok {
		return false, "the value of a cas should be [old,new]"
	}
	if c.reads, reason = in.value(from); reason != "" {
		return false, reason
	}
	if op.Type != history.Fail {
		c.writes, reason = in.value(to)
		return true, reason
	}
	c.reads, c.refused = none, c.reads
	if len(op.Output) == 0 {
		return op.Err == history.Mismatch, ""
	}
	c.reads, reason = in.value(op.Output)
	return true, reason
}

// register is the sequential specification; states are values.
func register() machine[call, value] {
	return machine[call, value]{
		start: null,
		step: func(state value, c *call) (value, bool) {
			switch {
			case c.refused == state:
				return state, false
			case c.reads != none && c.reads != state:
				return state, c.maybe
			case c.writes == none:
				return state, true
			default:
				return c.writes, true
			}
		},
		equal: func(a, b value) bool { return a == b },
		hash:  func(state value) uint64 { return scatter(uint64(state)) },
		reads: func(c *call) bool { return c.writes == none },
	}
}

// Machine implements Problem.
func (p *registerProblem) Machine() Machine { return register().porcupine() }

// Operations implements Problem.
func (p *registerProblem) Operations() []porcupine.Operation { return porcupineOps(p.calls) }

// Len implements Problem.
func (p *registerProblem) Len() int { return len(p.calls) }

// Replay implements Problem.
func (p *registerProblem) Replay(order []int32) error { return replay(p.calls, register(), order) }

// Engines implements Problem.
func (p *registerProblem) Engines() []Engine {
	return []Engine{
		{Name: "version order", Decide: p.versioned, Holds: p.versionsHold()},
		{Name: "zones", Decide: p.zoned, Holds: p.zonesHold()},
		{Name: "search", Decide: p.searched, Holds: searchBytes * int64(len(p.calls))},
	}
}

// with is a problem of calls of p. If it is much smaller, it gets numbers of its own for its values, since whatever
// decides it has tables of all of them.
func (p *registerProblem) with(calls []call) *registerProblem {
	if !sparse(len(p.values), len(calls)) {
		return &registerProblem{calls: calls, values: p.values}
	}
	calls, numbers := slices.Clone(calls), renumbered(p.values, 1)
	for i := range calls {
		c := &calls[i]
		numbers.number(&c.reads)
		numbers.number(&c.writes)
		numbers.number(&c.refused)
	}
	return &registerProblem{calls: calls, values: numbers.some}
}

// Groups implements Problem: a group is a value, with all that write it and all that read it.
func (p *registerProblem) Groups() int {
	if p.groups == nil {
		p.groups = byFirst(len(p.values), func(touch func(v value, begin time.Duration)) {
			for i := range p.calls {
				c := &p.calls[i]
				for _, v := range [...]value{c.reads, c.writes} {
					if v != none {
						touch(v, c.begin)
					}
				}
			}
		})
	}
	return len(p.groups)
}

// Size implements Problem.
func (p *registerProblem) Size() int64 {
	return bytesOf[call](len(p.calls)) + groupBytes*int64(len(p.values))
}

// Keep implements Problem. To leave a value out is to drop its writers and its readers, and to let a
// cas that replaced it count as a plain write of the new value. In a legal order of the whole, every
// call that remains still finds its value: the last one to write before it wrote that value, so it
// remains too. (A cas of unknown outcome that had no effect can be put last.) What a blind cas did not find it may find
// then, so it stays only if all values do.
func (p *registerProblem) Keep(keep func(group int) bool) Problem {
	kept, all := make([]bool, len(p.values)), true
	for g := range p.Groups() {
		kept[p.groups[g]] = keep(g)
		all = all && kept[p.groups[g]]
	}
	calls := make([]call, 0, len(p.calls))
	for _, c := range p.calls {
		if c.blind() && !all || c.writes != none && !kept[c.writes] || c.writes == none && c.reads != none && !kept[c.reads] {
			continue
		}
		if c.reads != none && !kept[c.reads] {
			c.reads = none
		}
		calls = append(calls, c)
	}
	return p.with(calls)
}

// Weaken implements Problem: a read is left out, a cas becomes a plain write, a write must stay, for
// without it those that read its value would be convicted.
func (p *registerProblem) Weaken(i int) (Problem, bool) {
	c := p.calls[i]
	switch {
	case c.writes == none:
		return p.with(slices.Delete(slices.Clone(p.calls), i, i+1)), true
	case c.reads != none:
		calls := slices.Clone(p.calls)
		calls[i].reads = none
		return p.with(calls), true
	default:
		return nil, false
	}
}
