package history

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columnTime is what one column of a drawing is worth when it is read.
const columnTime = time.Millisecond

// Parse reads a drawing, by Draw or by hand, for tests:
//
//	p0:    |---- put 1 ----|
//	p1 n2:        |- put 2 ---- …                unknown outcome: the end is open
//	p2:                        |- cas 1→3 ✗(2) -|   |- put 4 ! -|
//
// Columns become milliseconds, counted from the left edge, the row's name included. Operations are
// put, get, cas, append, add and txn {append k 1, get k [1]}; values are JSON, nil, or plain words, which are strings.
// ✗ or ! marks one that failed; a failed cas may tell the value that it found, and an add the sum that it left
// (add 2→7). "->" is read as the arrow. Rows of faults and axes are skipped. Operations come in the order of their calls, with Index counting invocations
// and completions as a history would, and without a key.
func Parse(drawing string) ([]Op, error) {
	var p parser
	for n, line := range strings.Split(drawing, "\n") {
		p.line = []rune(strings.TrimRight(line, " \t\r"))
		p.at = 0
		if err := p.row(); err != nil {
			return nil, fmt.Errorf("drawing, line %d: %w", n+1, err)
		}
	}
	for _, op := range p.ops {
		if op.F == "" {
			return nil, fmt.Errorf("drawing: an operation of p%d in column %d has no label", op.Process, op.Call/columnTime)
		}
	}
	number(p.ops)
	return p.ops, nil
}

// number sorts ops by call and gives them the indexes that their invocations have in a history.
func number(ops []Op) {
	slices.SortStableFunc(ops, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	for i := range ops {
		ops[i].Index = i
		for _, other := range ops {
			if other.Return < ops[i].Call {
				ops[i].Index++
			}
		}
	}
}

var (
	rowName  = regexp.MustCompile(`^\s*p(\d+)\b:?`)
	axisRow  = regexp.MustCompile(`^\s*\d[\d.]*s(\s|$)`)
	faultRow = regexp.MustCompile(`\.\.`)
	labelRow = regexp.MustCompile(`^\s*(put|get|cas|append|add|txn)\s`)
)

type parser struct {
	line []rune
	at   int
	ops  []Op
	row0 int // the first operation of the row above, for labels below it
}

func (p *parser) row() error {
	text := string(p.line)
	name := rowName.FindStringSubmatch(text)
	switch {
	case strings.TrimSpace(text) == "" || axisRow.MatchString(text):
		return nil
	case name == nil && labelRow.MatchString(text):
		return p.labels()
	case name == nil && faultRow.MatchString(text):
		return nil
	case name == nil:
		return fmt.Errorf("%q is no row of a process", text)
	}
	process, err := strconv.Atoi(name[1])
	if err != nil {
		return err
	}
	p.at = len([]rune(name[0]))
	node, err := p.node()
	if err != nil {
		return err
	}
	p.row0 = len(p.ops)
	for p.space(); p.at < len(p.line); p.space() {
		op := Op{Process: process, Node: node, Call: p.time()}
		if err := p.operation(&op); err != nil {
			return fmt.Errorf("column %d: %w", p.at, err)
		}
		p.ops = append(p.ops, op)
	}
	return nil
}

func (p *parser) time() time.Duration { return time.Duration(p.at) * columnTime }

func (p *parser) space() {
	for p.at < len(p.line) && p.line[p.at] == ' ' {
		p.at++
	}
}

// has skips text if it is next.
func (p *parser) has(text string) bool {
	if !strings.HasPrefix(string(p.line[p.at:min(len(p.line), p.at+len(text))]), text) {
		return false
	}
	p.at += len([]rune(text))
	return true
}

// node reads the rest of a row's name, up to the first bar.
func (p *parser) node() (string, error) {
	p.space()
	if p.at == len(p.line) || p.line[p.at] == '|' || p.line[p.at] == instant {
		return "", nil
	}
	v, err := p.value()
	if err != nil {
		return "", err
	}
	p.has(":")
	var name string
	if json.Unmarshal(v, &name) != nil {
		name = string(v)
	}
	return strings.TrimSuffix(name, ":"), nil
}

// operation reads one from its opening bar to its closing one and the label behind it.
func (p *parser) operation(op *Op) error {
	op.Return, op.Ended = op.Call, op.Call
	if !p.has(string(instant)) {
		if !p.has("|") {
			return errors.New("an operation should begin with |")
		}
		p.dashes()
		if p.letter() {
			if err := p.label(op); err != nil {
				return err
			}
			p.dashes()
		}
		op.Return, op.Ended = p.time(), p.time()
		if !p.has("|") {
			if p.at < len(p.line) && !p.has(openEnd) && !p.has("...") && !p.has("…") {
				return errors.New("an operation should end with | or ···")
			}
			if op.Type == Fail {
				return errors.New("an operation that failed should end with |")
			}
			op.Type, op.Return, op.Output = Info, Never, nil
			return nil
		}
	}
	p.space()
	if p.letter() {
		if op.F != "" {
			return errors.New("a second label")
		}
		return p.label(op)
	}
	return nil
}

func (p *parser) dashes() {
	for p.at < len(p.line) && (p.line[p.at] == '-' || p.line[p.at] == ' ') {
		p.at++
	}
}

func (p *parser) letter() bool {
	return p.at < len(p.line) && p.line[p.at] >= 'a' && p.line[p.at] <= 'z'
}

// labels reads a line of labels below a row: each belongs to the operation that begins above it.
func (p *parser) labels() error {
	for p.space(); p.at < len(p.line); p.space() {
		i := slices.IndexFunc(p.ops[p.row0:], func(op Op) bool { return op.Call == p.time() && op.F == "" })
		if i < 0 {
			return fmt.Errorf("column %d: no operation without a label begins above", p.at)
		}
		if err := p.label(&p.ops[p.row0+i]); err != nil {
			return fmt.Errorf("column %d: %w", p.at, err)
		}
	}
	return nil
}

func (p *parser) label(op *Op) (err error) {
	op.Type = OK
	switch {
	case p.has("put "):
		op.F = "write"
		op.Input, err = p.value()
		op.Output = op.Input
	case p.has("get "):
		op.F = "read"
		if !p.has("?") {
			op.Output, err = p.value()
		}
	case p.has("cas "):
		op.F = "cas"
		err = p.pair(op)
	case p.has("append "):
		op.F = "append"
		op.Input, err = p.value()
		op.Output = op.Input
	case p.has("add "):
		op.F = "add"
		if op.Input, err = p.value(); err == nil && (p.has(arrow) || p.has("->")) {
			op.Output, err = p.value()
		}
	case p.has("txn {"):
		err = p.txn(op)
	default:
		return errors.New("an operation should be put, get, cas, append, add or txn")
	}
	if err != nil {
		return err
	}
	at := p.at
	p.space()
	if !p.has(failedMark) && !p.has("!") {
		p.at = at
		return nil
	}
	op.Type, op.Output = Fail, nil
	if op.F == "cas" && p.has("(") {
		if op.Output, err = p.value(); err == nil && !p.has(")") {
			err = errors.New("the value that a cas found should end with )")
		}
	}
	return err
}

func (p *parser) pair(op *Op) error {
	from, err := p.value()
	if err != nil {
		return err
	}
	if !p.has(arrow) && !p.has("->") {
		return errors.New("a cas should have an arrow between its values")
	}
	to, err := p.value()
	op.Input = json.RawMessage("[" + string(from) + "," + string(to) + "]")
	op.Output = op.Input
	return err
}

// value reads JSON, nil, or a plain word.
func (p *parser) value() (json.RawMessage, error) {
	rest := string(p.line[p.at:])
	if rest != "" && strings.IndexByte(`"{[`, rest[0]) >= 0 {
		var v json.RawMessage
		dec := json.NewDecoder(strings.NewReader(rest))
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("value: %w", err)
		}
		p.at += len([]rune(rest[:dec.InputOffset()]))
		return v, nil
	}
	word := rest
	for _, end := range []string{" ", "|", arrow, "->", ")", ",", "}", failedMark, "!"} {
		word, _, _ = strings.Cut(word, end)
	}
	if word == "" {
		return nil, errors.New("a value is missing")
	}
	p.at += len([]rune(word))
	switch {
	case word == "nil":
		return json.RawMessage("null"), nil
	case json.Valid([]byte(word)):
		return json.RawMessage(word), nil
	default:
		return json.RawMessage(quote(word)), nil
	}
}
