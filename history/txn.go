package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// microsMax is the most micro-operations that a label shows.
const microsMax = 6

// MicroOp is a part of a transaction over lists, as Jepsen writes it: ["append",key,element], or ["r",key,list], where
// the list is null in an invocation, and in an answer if the key is absent.
type MicroOp struct {
	F          string // append or r
	Key, Value json.RawMessage
}

// MicroOps takes the value of a txn apart; ok tells whether it is one.
func MicroOps(v json.RawMessage) (ops []MicroOp, ok bool) {
	var triples [][]json.RawMessage
	if len(v) == 0 || json.Unmarshal(v, &triples) != nil {
		return nil, false
	}
	for _, t := range triples {
		var m MicroOp
		if len(t) != 3 || json.Unmarshal(t[0], &m.F) != nil || m.F != "append" && m.F != "r" {
			return nil, false
		}
		m.Key, m.Value = t[1], t[2]
		ops = append(ops, m)
	}
	return ops, true
}

// txnLabel is the label of a transaction: txn {append k1 5, get k2 [1,2]}, where a read without an answer is
// get k2 ?.
func (op Op) txnLabel() (label string, ok bool) {
	micros, answered := MicroOps(op.Output)
	if answered = answered && op.Type == OK; !answered {
		if micros, ok = MicroOps(op.Input); !ok || op.Type == OK {
			return "", false
		}
	}
	var parts []string
	for i, m := range micros {
		if i == microsMax {
			parts = append(parts, "…")
			break
		}
		switch {
		case m.F == "append":
			parts = append(parts, "append "+ValueLabel(m.Key)+" "+ValueLabel(m.Value))
		case answered:
			parts = append(parts, "get "+ValueLabel(m.Key)+" "+ValueLabel(m.Value))
		default:
			parts = append(parts, "get "+ValueLabel(m.Key)+" ?")
		}
	}
	return "txn {" + strings.Join(parts, ", ") + "}" + op.failure(), true
}

// txn reads the micro-operations of a transaction, from behind its opening brace to its closing one.
func (p *parser) txn(op *Op) error {
	var in, out []string
	for p.space(); !p.has("}"); p.space() {
		if len(in) > 0 && !p.has(",") {
			return errors.New("a comma should stand between the parts of a txn, and a } behind them")
		}
		p.space()
		f := "append"
		if p.has("get ") {
			f = "r"
		} else if !p.has("append ") {
			return errors.New("a part of a txn should be append or get")
		}
		key, err := p.value()
		if err != nil {
			return err
		}
		p.space()
		value := json.RawMessage("null")
		if f == "append" || !p.has("?") {
			if value, err = p.value(); err != nil {
				return err
			}
		}
		asked := value
		if f == "r" {
			asked = json.RawMessage("null")
		}
		in = append(in, fmt.Sprintf("[%q,%s,%s]", f, key, asked))
		out = append(out, fmt.Sprintf("[%q,%s,%s]", f, key, value))
	}
	op.F = "txn"
	op.Input = json.RawMessage("[" + strings.Join(in, ",") + "]")
	op.Output = json.RawMessage("[" + strings.Join(out, ",") + "]")
	return nil
}
