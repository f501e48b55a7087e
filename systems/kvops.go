package systems

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"ordeal/history"
)

// kvOperation does an operation of the history.
type kvOperation func(ctx context.Context, c *kvClient, op history.Event) (history.Event, error)

// readSome is a read whose value is the accounts of a bank that it reads.
const readSome = "read of accounts"

// kvOperations is the table of all operations, by their F. Reads of one key are in the mode given.
//
// The revision of a completion is the index of the entry that made the change: of write, cas, delete, append,
// insert, enqueue, add, transfer, a dequeue that got an element, acquire, release, and a txn that appends. Of
// what only looked it is that of the last change to what it saw, 0 if there is nothing: of a read, a cas that
// found another value, a dequeue that found the queue empty, an acquire or a release that found another
// holder. A txn that only reads has none. A deletion counts as a change whether or not there was anything.
func kvOperations(reads kvMode) map[string]kvOperation {
	return map[string]kvOperation{
		"read":     once(get(reads), value),
		"write":    once(put, accepted),
		"cas":      once(compareAndPut, compared),
		"delete":   once(remove, accepted),
		"append":   repeated(appendTo, accepted),
		"insert":   repeated(appendTo, accepted),
		"add":      repeated(addTo, value),
		"enqueue":  repeated(appendTo, accepted),
		"dequeue":  dequeue,
		"acquire":  repeated(acquire, acquired),
		"release":  repeated(release, released),
		"transfer": repeated(transfer, transferred),
		readSome:   once(readAccounts, balances),
		"txn":      transaction,
	}
}

// kvRequested makes the request of an operation, or says why it cannot be one.
type kvRequested func(op history.Event) (kvRequest, error)

// once is an operation that is sent once: nothing promises that it would not happen twice.
func once(request kvRequested, answered kvAnswered) kvOperation {
	return func(ctx context.Context, c *kvClient, op history.Event) (history.Event, error) {
		r, err := request(op)
		if err != nil {
			return unsendable(op, err)
		}
		return c.nodes[0].invoke(ctx, op, r, answered)
	}
}

// repeated is an operation that goes through a session: see kvsession.go.
func repeated(request kvRequested, answered kvAnswered) kvOperation {
	return func(ctx context.Context, c *kvClient, op history.Event) (history.Event, error) {
		r, err := request(op)
		if err != nil {
			return unsendable(op, err)
		}
		return c.invokeInSession(ctx, op, r, answered)
	}
}

func unsendable(op history.Event, err error) (history.Event, error) {
	return unanswered(op, fmt.Errorf("%w: value of %s: %w", history.ErrNotApplied, op.F, err))
}

func kvTarget(op history.Event) string { return "/kv/" + url.PathEscape(op.Key) }

func get(mode kvMode) kvRequested {
	return func(op history.Event) (kvRequest, error) {
		r := kvRequest{method: http.MethodGet, target: kvTarget(op)}
		if mode != "" {
			r.target += "?mode=" + string(mode)
		}
		return r, nil
	}
}

func put(op history.Event) (kvRequest, error) {
	return kvRequest{method: http.MethodPut, target: kvTarget(op), body: op.Value}, nil
}

func compareAndPut(op history.Event) (kvRequest, error) {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(op.Value, &pair); err != nil {
		return kvRequest{}, fmt.Errorf("%q: %w", op.Value, err)
	}
	query := "?absent"
	if string(pair[0]) != "null" {
		query = "?old=" + url.QueryEscape(string(pair[0]))
	}
	return kvRequest{method: http.MethodPut, target: kvTarget(op) + query, body: pair[1]}, nil
}

func remove(op history.Event) (kvRequest, error) {
	return kvRequest{method: http.MethodDelete, target: kvTarget(op)}, nil
}

func appendTo(op history.Event) (kvRequest, error) {
	if !json.Valid(op.Value) {
		return kvRequest{}, fmt.Errorf("%q is no JSON", op.Value)
	}
	return kvRequest{method: http.MethodPost, target: kvTarget(op) + "?append", body: element(op.Value)}, nil
}

// element is how an element stands in a list.
func element(v []byte) []byte { return append(bytes.Clone(v), ',') }

func addTo(op history.Event) (kvRequest, error) {
	delta, err := strconv.ParseInt(string(op.Value), 10, 64)
	if err != nil {
		return kvRequest{}, err
	}
	return kvRequest{method: http.MethodPost, target: kvTarget(op) + "?add=" + strconv.FormatInt(delta, 10)}, nil
}

// value answers with what is stored, null if there is nothing.
func value(op history.Event, a answer) (history.Event, error) {
	switch {
	case a.status == http.StatusOK:
		op.Value = jsonValue(a.body)
		return op, nil
	case a.status == http.StatusNotFound && a.header.Get("Kv-Found") == "false":
		op.Value = json.RawMessage("null")
		return op, nil
	}
	return unanswered(op, kvError(a))
}

// accepted answers that it is done; the completion has the value of the invocation.
func accepted(op history.Event, a answer) (history.Event, error) {
	if a.status == http.StatusOK {
		return op, nil
	}
	return unanswered(op, kvError(a))
}

// compared is accepted, or fails with what was found.
func compared(op history.Event, a answer) (history.Event, error) {
	if a.status != http.StatusPreconditionFailed {
		return accepted(op, a)
	}
	op.Value = json.RawMessage("null")
	if a.header.Get("Kv-Found") == "true" {
		op.Value = jsonValue(a.body)
	}
	return op, found("the value is another")
}
