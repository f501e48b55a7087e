package systems

import (
	"encoding/json"
	"errors"
	"strconv"

	"ordeal/history"
)

// A lock is a key that is there while the lock is held. The entry that made it is the holder's token (a fencing
// token: Kleppmann, "How to do distributed locking", 2016); the log sees to it that tokens rise.
const (
	lockHeld    = found("held")
	lockNotHeld = found("not held")
)

// acquire makes the key, which must not be there; who has asked for it stands in it.
func acquire(op history.Event) (kvRequest, error) {
	key := []byte(op.Key)
	return kvCommand{
		If:   []kvCond{{key, 0}},
		Then: []kvOp{{Op: "put", Key: key, Value: strconv.AppendInt(nil, int64(op.Process), 10)}},
		Else: []kvOp{{Op: "get", Key: key}},
	}.request()
}

// acquired answers with the token, or fails with "held" and the token of the holder.
func acquired(op history.Event, a answer) (history.Event, error) {
	results, granted, err := kvResults(a, 1)
	if err != nil {
		return unanswered(op, err)
	}
	if answeredWithToken(&op, results[0]); !granted {
		return op, lockHeld
	}
	return op, nil
}

// release removes the key if it still is the one that was made under the token.
func release(op history.Event) (kvRequest, error) {
	var token uint64
	if err := json.Unmarshal(op.Value, &token); err != nil {
		return kvRequest{}, err
	}
	if token == 0 {
		return kvRequest{}, errors.New("no token") // to kv it would mean that the lock is free
	}
	key := []byte(op.Key)
	return kvCommand{
		If:   []kvCond{{key, token}},
		Then: []kvOp{{Op: "delete", Key: key}},
		Else: []kvOp{{Op: "get", Key: key}},
	}.request()
}

// released answers with the token that was given back, or fails with "not held" and the token of the holder, null if
// there is none.
func released(op history.Event, a answer) (history.Event, error) {
	results, had, err := kvResults(a, 1)
	if err != nil {
		return unanswered(op, err)
	}
	if !had {
		answeredWithToken(&op, results[0])
		return op, lockNotHeld
	}
	op.Revision = results[0].Rev
	return op, nil
}

// answeredWithToken makes the token that the lock is held under the answer.
func answeredWithToken(op *history.Event, now kvResult) {
	op.Value, op.Revision = json.RawMessage("null"), now.Rev
	if now.Rev != 0 {
		op.Value = strconv.AppendUint(nil, now.Rev, 10)
	}
}
