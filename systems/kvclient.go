package systems

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"ordeal/cluster"
	"ordeal/history"
)

// kvClient speaks the HTTP API. A value of the history is stored as its JSON text, but a list (also a set,
// or a queue) as its elements with a comma behind each, since appending is all that can be done to it, and a
// counter as its decimal sum. It talks to one node; to others only in a session (see kvsession.go).
type kvClient struct {
	nodes      []kvPeer // the client's own first
	operations map[string]kvOperation
	session    uint64 // 0 until one is open
	sequence   uint64 // of the last operation in it
}

// kvPeer is a connection to a node.
type kvPeer struct {
	id   string
	conn httpConn
}

func newKVClient(n cluster.NodeSpec, reads kvMode) *kvClient {
	c := &kvClient{nodes: []kvPeer{{n.ID, httpConn{addr: kvAddr(n)}}}, operations: kvOperations(reads)}
	for i := range n.Peers { // from the one after n on, so that not all clients turn to the same
		if p := n.Peers[(n.Index+i)%len(n.Peers)]; p.ID != n.ID {
			c.nodes = append(c.nodes, kvPeer{p.ID, httpConn{addr: fmt.Sprintf("%s:%d", p.Addr, kvPort)}})
		}
	}
	return c
}

func (c *kvClient) Close() error {
	for i := range c.nodes {
		c.nodes[i].conn.close()
	}
	return nil
}

// Invoke does an operation as the table of operations has it.
func (c *kvClient) Invoke(ctx context.Context, op history.Event) (history.Event, error) {
	f := op.F
	if f == "read" && len(op.Value) > 0 {
		f = readSome
	}
	do, known := c.operations[f]
	if !known {
		return unanswered(op, fmt.Errorf("%w: kv has no operation %q", history.ErrNotApplied, op.F))
	}
	return do(ctx, c, op)
}

// unanswered is the completion of an operation that the system said nothing about; it must not carry the
// invocation's value, which would read as an answer.
func unanswered(op history.Event, err error) (history.Event, error) {
	op.Value = nil
	return op, err
}

// kvRequest is an operation on the wire.
type kvRequest struct {
	method, target string
	body           []byte
	headers        []string
}

// kvAnswered turns an answer into the operation's completion, which has node, term and revision already. An
// error that is none of the node's is the operation's own outcome, a found.
type kvAnswered func(op history.Event, a answer) (history.Event, error)

// invoke sends a request once.
func (p *kvPeer) invoke(ctx context.Context, op history.Event, r kvRequest, answered kvAnswered) (history.Event, error) {
	a, err := p.conn.do(ctx, r.method, r.target, r.body, r.headers...)
	if err != nil {
		return unanswered(op, err)
	}
	op.Node = p.id
	op.Term, _ = strconv.ParseUint(a.header.Get("Kv-Term"), 10, 64)
	op.Revision, _ = strconv.ParseUint(a.header.Get("Kv-Revision"), 10, 64)
	return answered(op, a)
}

// found is the error of an operation that was carried out and found that it could not have its way: "held". It is
// definite, and an answer: in a session it is the same at every attempt.
type found string

func (f found) Error() string { return string(f) }

// Is makes it definite.
func (f found) Is(err error) bool { return err == history.ErrNotApplied }

// kvError is the error that a node answered with; only its own promise makes it definite.
func kvError(a answer) error {
	var body struct {
		Error, Code string
		Definite    bool
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return fmt.Errorf("status %d with a body that is no JSON", a.status)
	}
	err := errors.New(body.Code)
	if body.Code == "no-session" || body.Code == "stale-sequence" {
		err = fmt.Errorf("%w: %s", errSessionOver, body.Code)
	}
	if body.Definite {
		return fmt.Errorf("%w: %w", history.ErrNotApplied, err)
	}
	return err
}

// jsonValue is a stored value as JSON: itself, or a list, or, since a node may hand back anything, a
// string.
func jsonValue(body []byte) json.RawMessage {
	if json.Valid(body) {
		return body
	}
	if list, ok := bytes.CutSuffix(body, []byte(",")); ok && len(bytes.TrimSpace(list)) > 0 {
		if list = fmt.Appendf(nil, "[%s]", list); json.Valid(list) {
			return list
		}
	}
	text, _ := json.Marshal(string(body)) // a string always can
	return text
}
