package systems

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"ordeal/history"
)

// kvCommand is the body of a request to /txn: if all conditions hold Then is done, otherwise Else, in order, each
// operation seeing what those before it did.
type kvCommand struct {
	If   []kvCond `json:"if,omitempty"`
	Then []kvOp   `json:"then"`
	Else []kvOp   `json:"else,omitempty"`
}

// kvCond holds if the last change of Key was by entry Rev; 0: if it is absent.
type kvCond struct {
	Key []byte `json:"key"`
	Rev uint64 `json:"rev"`
}

type kvOp struct {
	Op    string `json:"op"`
	Key   []byte `json:"key"`
	Value []byte `json:"value,omitempty"`
	Delta int64  `json:"delta,omitempty"`
}

// kvResult is of one operation: its value if it is a get or an add, and the index of the key's last change.
type kvResult struct {
	Value []byte `json:"value"`
	Rev   uint64 `json:"rev"`
}

func (c kvCommand) request() (kvRequest, error) {
	body, err := json.Marshal(c)
	return kvRequest{method: http.MethodPost, target: "/txn", body: body}, err
}

// kvResults takes the answer to a command apart that has n operations in Then and, if it has conditions, one in Else.
func kvResults(a answer, n int) (results []kvResult, held bool, err error) {
	if a.status != http.StatusOK {
		return nil, false, kvError(a)
	}
	var body struct {
		Succeeded *bool
		Results   []kvResult
	}
	if err := json.Unmarshal(a.body, &body); err != nil || body.Succeeded == nil {
		return nil, false, fmt.Errorf("the answer %.40q is none to a transaction", a.body)
	}
	if !*body.Succeeded {
		n = 1
	}
	if len(body.Results) != n {
		return nil, false, fmt.Errorf("the answer has %d results for %d operations", len(body.Results), n)
	}
	return body.Results, *body.Succeeded, nil
}

// kvDone is kvResults for a command without conditions, of which there is no other way to succeed.
func kvDone(a answer, n int) ([]kvResult, error) {
	results, held, err := kvResults(a, n)
	if err == nil && !held {
		err = errors.New("the answer says that conditions did not hold, and none were sent")
	}
	return results, err
}

// stored is the value of a get, null if there is nothing.
func (r kvResult) stored() json.RawMessage {
	if r.Rev == 0 {
		return json.RawMessage("null")
	}
	return jsonValue(r.Value)
}

// microOp is an operation of a transaction over lists, as Jepsen writes it: ["append",key,element] or
// ["r",key,null], where the answer has the list in the place of null.
type microOp struct {
	f, key string
	value  json.RawMessage
}

// UnmarshalJSON reads a triple.
func (m *microOp) UnmarshalJSON(data []byte) error {
	var triple []json.RawMessage
	if err := json.Unmarshal(data, &triple); err != nil {
		return err
	}
	if len(triple) != 3 {
		return fmt.Errorf("%.40s has not three parts", data)
	}
	m.value = triple[2]
	return errors.Join(json.Unmarshal(triple[0], &m.f), json.Unmarshal(triple[1], &m.key))
}

// MarshalJSON is the inverse.
func (m microOp) MarshalJSON() ([]byte, error) { return json.Marshal([]any{m.f, m.key, m.value}) }

// transaction does all micro-operations at one moment. One that only reads never enters the log: it is sent once, to
// be a linearizable read like any other.
func transaction(ctx context.Context, c *kvClient, op history.Event) (history.Event, error) {
	var mops []microOp
	if err := json.Unmarshal(op.Value, &mops); err != nil {
		return unsendable(op, err)
	}
	var command kvCommand
	send := once
	for _, m := range mops {
		switch m.f {
		case "r":
			command.Then = append(command.Then, kvOp{Op: "get", Key: []byte(m.key)})
		case "append":
			send = repeated
			command.Then = append(command.Then, kvOp{Op: "append", Key: []byte(m.key), Value: element(m.value)})
		default:
			return unsendable(op, fmt.Errorf("kv has no micro-operation %q", m.f))
		}
	}
	request := func(history.Event) (kvRequest, error) { return command.request() }
	return send(request, func(op history.Event, a answer) (history.Event, error) {
		results, err := kvDone(a, len(mops))
		if err != nil {
			return unanswered(op, err)
		}
		answers := make([]microOp, len(mops))
		for i, m := range mops {
			if answers[i] = m; m.f == "r" {
				answers[i].value = results[i].stored()
			} else {
				op.Revision = results[i].Rev
			}
		}
		op.Value, err = json.Marshal(answers)
		return op, err
	})(ctx, c, op)
}
