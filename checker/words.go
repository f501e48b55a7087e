package checker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"ordeal/history"
	"ordeal/internal/words"
)

// name is how sentences call an operation: "get 5 by p7 via n3".
func (s *story) name(c call) string { return s.nameOf(c.index) }

func nameOp(op *history.Op) string { return op.Label() + " by " + process(op) + via(op) }

func process(op *history.Op) string { return "p" + strconv.Itoa(op.Process) }

// via names the node, escaped: its name may come from the system under test.
func via(op *history.Op) string {
	if op.Node == "" {
		return ""
	}
	return " via " + history.Word(op.Node)
}

func (s *story) value(v value) string { return history.ValueLabel(s.problem.values[v]) }

// teller knows the operations of a key by the names that sentences call them.
type teller struct {
	ops    []*history.Op
	key    string
	digits int           // of the times in sentences
	told   []int32       // indexes of the operations that the story is about
	until  time.Duration // the last moment at which one of them began or ended
}

// newTeller takes the operations of one key, of which there is at least one, in the order of their invocations.
func newTeller(ops []*history.Op) teller { return teller{ops: ops, key: ops[0].Key} }

// tellerOf is the teller of a story of calls. Of more than storyMax it has no times, for none are told.
func tellerOf[C any, P timed[C]](ops []*history.Op, calls []C) teller {
	t := newTeller(ops)
	if len(calls) > storyMax {
		return t
	}
	var begins, ends []time.Duration
	for i := range calls {
		c := P(&calls[i]).when()
		begins, ends, t.told = append(begins, c.begin), append(ends, c.end), append(t.told, c.index)
		if t.until = max(t.until, c.begin); c.end != history.Never {
			t.until = max(t.until, c.end)
		}
	}
	t.digits = precision(begins, ends)
	return t
}

func (t teller) op(index int32) *history.Op {
	i, _ := slices.BinarySearchFunc(t.ops, int(index), func(op *history.Op, index int) int { return cmp.Compare(op.Index, index) })
	return t.ops[i]
}

func (t teller) nameOf(index int32) string { return nameOp(t.op(index)) }

// makers looks through all operations of the key for the first that were to put a value there: one that was refused, and one
// that was not.
func (t teller) makers(of json.RawMessage) (refused, other *history.Op) {
	does := puts(of)
	for _, op := range t.ops {
		if !does(op) {
			continue
		}
		first := &other
		if op.Type == history.Fail {
			first = &refused
		}
		if *first == nil {
			*first = op
		}
	}
	return refused, other
}

// at shows a moment of the run to the digit at which the moments told of differ, in seconds.
func (t teller) at(moment time.Duration) string {
	return strconv.FormatFloat(moment.Seconds(), 'f', t.digits, 64) + " s"
}

// everyOrder is the proof of what breaks no rule that has a name: when each call was, and that no order will do.
func everyOrder[C any, P timed[C]](t teller, calls []C) []string {
	proof := make([]string, 0, len(calls)+1)
	for i := range calls {
		c := P(&calls[i]).when()
		end := "has an unknown outcome"
		switch {
		case c.end != history.Never:
			end = "finished at " + t.at(c.end)
		case t.op(c.index).Return != history.Never:
			end = "was still open at " + t.end()
		}
		proof = append(proof, fmt.Sprintf("%s began at %s and %s.", t.nameOf(c.index), t.at(c.begin), end))
	}
	return append(proof, "Every order of these that keeps to their times was tried; in none does each operation find what it found.")
}

// findingOf makes a Finding whose witnesses are the whole story, for it was confirmed as a whole, if that is short; else
// those that the rule is about.
func findingOf[C any, P timed[C]](t teller, calls []C, rule, text string, proof []string, about ...C) Finding {
	const short = 12
	if len(calls) <= short {
		about = append(about, calls...)
	}
	f := Finding{Key: t.key, Rule: rule, Text: text, Proof: proof}
	for i := range about {
		f.Ops = append(f.Ops, int(P(&about[i]).when().index))
	}
	t.sortOps(&f)
	return f
}

// noOrder is the sentence of n operations that break no rule that has a name.
func noOrder(n int) string {
	return fmt.Sprintf("no order of these %s explains what was seen.", words.Count(n, "operation"))
}

// noOrderOfMany is the sentence of so many operations that nobody would read them.
func noOrderOfMany(n int) string {
	return fmt.Sprintf("no order of %d operations explains what was seen, and there was no time to find fewer that show it.", n)
}

// precision is the number of decimals at which no two moments look the same.
func precision(begins, ends []time.Duration) int {
	digits := 3
	for _, a := range begins {
		for _, others := range [...][]time.Duration{begins, ends} {
			for _, b := range others {
				for d := (a - b).Abs(); digits < 9 && d > 0 && d < unit(digits); {
					digits += 3
				}
			}
		}
	}
	return digits
}

// sortOps puts the witnesses in order, each once, and sets the finding's times.
func (t teller) sortOps(f *Finding) {
	slices.SortFunc(f.Ops, func(a, b int) int {
		return cmp.Or(cmp.Compare(t.op(int32(a)).Call, t.op(int32(b)).Call), cmp.Compare(a, b))
	})
	f.Ops = slices.Compact(f.Ops)
	f.From, f.To = t.op(int32(f.Ops[0])).Call, time.Duration(0)
	for _, i := range f.Ops {
		f.To = max(f.To, t.op(int32(i)).Call)
		if end := t.op(int32(i)).Return; end != history.Never {
			f.To = max(f.To, end)
		}
	}
}

func unit(digits int) time.Duration {
	d := time.Second
	for range digits {
		d /= 10
	}
	return d
}
