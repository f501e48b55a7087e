package systems

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"ordeal/cluster"
	"ordeal/history"
)

// kvClient speaks the HTTP API. A value of the history is stored as its JSON text, but a list as its
// elements with a comma behind each, since appending is all that can be done to it, and a counter as its
// decimal sum. It talks to one node; to others only in a session (see kvsession.go).
type kvClient struct {
	nodes    []kvPeer // the client's own first
	session  uint64   // 0 until one is open
	sequence uint64   // of the last operation in it
}

// kvPeer is a connection to a node.
type kvPeer struct {
	id   string
	conn httpConn
}

func newKVClient(n cluster.NodeSpec) *kvClient {
	c := &kvClient{nodes: []kvPeer{{n.ID, httpConn{addr: kvAddr(n)}}}}
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

// Invoke sends read, write and cas once, append and add in a session.
func (c *kvClient) Invoke(ctx context.Context, op history.Event) (history.Event, error) {
	r, err := newKVRequest(op)
	if err != nil {
		return unanswered(op, fmt.Errorf("%w: %w", history.ErrNotApplied, err))
	}
	if op.F == "append" || op.F == "add" {
		return c.invokeInSession(ctx, op, r)
	}
	return c.nodes[0].invoke(ctx, op, r)
}

// invoke sends a request once.
func (p *kvPeer) invoke(ctx context.Context, op history.Event, r kvRequest) (history.Event, error) {
	a, err := p.conn.do(ctx, r.method, r.target, r.body, r.headers...)
	if err != nil {
		return unanswered(op, err)
	}
	return p.complete(op, a)
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

func newKVRequest(op history.Event) (kvRequest, error) {
	target := "/kv/" + url.PathEscape(op.Key)
	switch op.F {
	case "read":
		return kvRequest{method: http.MethodGet, target: target}, nil
	case "write":
		return kvRequest{method: http.MethodPut, target: target, body: op.Value}, nil
	case "cas":
		var pair [2]json.RawMessage
		if err := json.Unmarshal(op.Value, &pair); err != nil {
			return kvRequest{}, fmt.Errorf("cas value %s: %w", op.Value, err)
		}
		if string(pair[0]) == "null" {
			return kvRequest{method: http.MethodPut, target: target + "?absent", body: pair[1]}, nil
		}
		return kvRequest{method: http.MethodPut, target: target + "?old=" + url.QueryEscape(string(pair[0])), body: pair[1]}, nil
	case "append":
		if !json.Valid(op.Value) {
			return kvRequest{}, fmt.Errorf("append value %q is no JSON", op.Value)
		}
		return kvRequest{method: http.MethodPost, target: target + "?append", body: append(bytes.Clone(op.Value), ',')}, nil
	case "add":
		delta, err := strconv.ParseInt(string(op.Value), 10, 64)
		if err != nil {
			return kvRequest{}, fmt.Errorf("add value: %w", err)
		}
		return kvRequest{method: http.MethodPost, target: target + "?add=" + strconv.FormatInt(delta, 10)}, nil
	}
	return kvRequest{}, fmt.Errorf("kv has no operation %q", op.F)
}

// complete turns an answer into the operation's completion.
func (p *kvPeer) complete(op history.Event, a answer) (history.Event, error) {
	op.Node = p.id
	op.Term, _ = strconv.ParseUint(a.header.Get("Kv-Term"), 10, 64)
	op.Revision, _ = strconv.ParseUint(a.header.Get("Kv-Revision"), 10, 64)
	switch {
	case a.status == http.StatusOK && (op.F == "read" || op.F == "add"):
		op.Value = jsonValue(a.body)
		return op, nil
	case a.status == http.StatusOK:
		return op, nil
	case a.status == http.StatusNotFound && op.F == "read" && a.header.Get("Kv-Found") == "false":
		op.Value = json.RawMessage("null")
		return op, nil
	case a.status == http.StatusPreconditionFailed && op.F == "cas":
		op.Value = json.RawMessage("null")
		if a.header.Get("Kv-Found") == "true" {
			op.Value = jsonValue(a.body)
		}
		return op, fmt.Errorf("%w: the value is another", history.ErrNotApplied)
	}
	return unanswered(op, kvError(a))
}

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
