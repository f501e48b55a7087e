package kv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Kind is what an operation does to its key.
type Kind string

// The kinds. Get never enters the log, unless in a transaction that also writes.
const (
	Get    Kind = "get"
	Put    Kind = "put"
	Delete Kind = "delete"
	Append Kind = "append" // Value goes to the end of what is there
	Add    Kind = "add"    // Delta is added to what is there, a decimal integer; the result is the sum
	Open   Kind = "open"   // a session, whose number is the revision of the result; no key
)

// Op is one operation on one key. An absent key counts as empty to Append, as 0 to Add.
type Op struct {
	Kind  Kind   `json:"op"`
	Key   []byte `json:"key,omitempty"`
	Value []byte `json:"value,omitempty"`
	Delta int64  `json:"delta,omitempty"`
}

// Cond is a condition on one key: its value is Value, or, if Rev is given, the index of its last change
// is Rev; 0 means that it is absent.
type Cond struct {
	Key   []byte  `json:"key"`
	Value []byte  `json:"value,omitempty"`
	Rev   *uint64 `json:"rev,omitempty"`
}

// Command is one transaction: if all conditions hold Then is carried out, otherwise Else; all of it or, if
// one operation cannot be, nothing. Its JSON is what clients send to /txn and what stands in the log.
//
// A command of a session (0: none) is applied once, however often it is sent: see session.
type Command struct {
	Session uint64 `json:"session,omitempty"`
	Seq     uint64 `json:"seq,omitempty"`
	If      []Cond `json:"if,omitempty"`
	Then    []Op   `json:"then,omitempty"`
	Else    []Op   `json:"else,omitempty"`
}

// Result is what an operation found or made.
type Result struct {
	Value []byte `json:"value,omitempty"` // of a get or an add
	Rev   uint64 `json:"rev"`             // index of the key's last change; 0: absent
}

// reads says whether a command changes nothing: it need not enter the log.
func (c *Command) reads() bool {
	writes := func(op Op) bool { return op.Kind != Get }
	return c.Session == 0 && !slices.ContainsFunc(c.Then, writes) && !slices.ContainsFunc(c.Else, writes)
}

// check gives the reason why a command is refused.
func (c *Command) check() *Error {
	if n := len(c.Then) + len(c.Else); n == 0 || n+len(c.If) > MaxTxnOps {
		return refusal(CodeBadRequest, fmt.Sprintf("a transaction has 1 to %d conditions and operations", MaxTxnOps))
	}
	ops := slices.Concat(c.Then, c.Else)
	for _, cond := range c.If {
		ops = append(ops, Op{Kind: Get, Key: cond.Key, Value: cond.Value})
	}
	for _, op := range ops {
		switch {
		case op.Kind == Open && len(ops) == 1 && c.Session == 0:
		case !slices.Contains([]Kind{Get, Put, Delete, Append, Add}, op.Kind):
			return refusal(CodeBadRequest, fmt.Sprintf("operation %q: unknown, or not to be used here", op.Kind))
		case len(op.Key) == 0:
			return refusal(CodeBadRequest, "empty key")
		case len(op.Key) > MaxKeyBytes:
			return refusal(CodeKeyTooLarge, fmt.Sprintf("key longer than %d bytes", MaxKeyBytes))
		case len(op.Value) > MaxValueBytes:
			return refusal(CodeValueTooLarge, fmt.Sprintf("value longer than %d bytes", MaxValueBytes))
		}
	}
	return nil
}

// proposalID names one proposal, in all logs and for all time. The boot number is drawn at each
// start: without it a node that counts from 1 again would take an earlier life's entry, applied late,
// for the answer to a new request.
type proposalID struct {
	Node uint64 `json:"n"`
	Boot uint64 `json:"b"`
	Seq  uint64 `json:"s"`
}

// entry is what stands in the log: a command, or, as the context of a change of membership, a Change.
type entry struct {
	ID proposalID `json:"id"`
	Command
	Change *Change `json:"change,omitempty"`
}

// encode gives the entry of a request. Nothing in it can fail to be JSON.
func (r *Request) encode(id proposalID) []byte {
	data, _ := json.Marshal(entry{ID: id, Command: r.Command, Change: r.Change})
	return data
}

// decodeEntry is the inverse of encode.
func decodeEntry(data []byte) (entry, error) {
	var e entry
	if err := decodeJSON(data, &e); err != nil {
		return e, err
	}
	if e.Change != nil {
		return e, nil
	}
	if err := e.check(); err != nil {
		return e, errors.New(err.Text)
	}
	return e, nil
}

// decodeJSON takes one value, and no field that it does not know: a misspelt condition must not become an
// unconditional write.
func decodeJSON(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}
