package checker

import (
	"encoding/json"
	"strconv"

	"ordeal/history"
)

// Lock is a lock whose grants carry fencing tokens: whole numbers above 0, each higher than all before.
//
//   - acquire: null; if ok the token of the grant. It fails with the error "held", and then with the token
//     that the lock is held under as its value. One of unknown outcome may have been granted; its token shows
//     when others find the lock held.
//   - release: the token; if ok the lock was held under it and is free. It fails with the error "not held" if it is held
//     under another token, which is its value, or under none, null.
//
// Any other failure says nothing, nor does one without such a value.
func Lock() Model { return Model{Name: "lock", Parse: parseLock} }

// lockCall is an acquire or a release.
type lockCall struct {
	interval
	release uint64 // the token that it gives back; 0 for an acquire
	refused bool   // it found the lock held under another token, or a release found it free
	token   uint64 // of a grant, or of who holds the lock; 0 if there is none
}

// lockState is what a lock is. The token is 0 while the lock is held by a grant whose token nobody knows; whoever finds
// the lock held under one, or gives one back, tells.
type lockState struct {
	held        bool
	token, last uint64 // last is the highest token known so far
}

func parseLock(ops []*history.Op) (Problem, error) {
	calls, err := parseCalls(ops, readLock)
	if err != nil {
		return nil, err
	}
	return newLockProblem(calls), nil
}

func readLock(op *history.Op) (c lockCall, keep bool, reason string) {
	c = lockCall{interval: intervalOf(op)}
	switch op.F {
	case "acquire":
	case "release":
		if c.release = token(op.Input); c.release == 0 {
			return c, false, "a release should have a token, a whole number above 0"
		}
	default:
		return c, false, "a lock knows acquire and release"
	}
	c.refused = op.Type == history.Fail
	c.token = token(op.Output)
	switch {
	case c.refused && op.F == "acquire":
		return c, op.Err == "held" && c.token > 0, ""
	case c.refused:
		return c, op.Err == "not held" && (c.token > 0 || string(op.Output) == "null"), ""
	case op.Type == history.OK && op.F == "acquire" && c.token == 0:
		return c, false, "a grant should have a token, a whole number above 0"
	}
	return c, true, ""
}

func token(raw json.RawMessage) uint64 {
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// lock is the sequential specification.
func lock() machine[lockCall, lockState] {
	return machine[lockCall, lockState]{
		step: func(s lockState, c *lockCall) (lockState, bool) {
			under := func(token uint64) bool { return s.held && (s.token == token || s.token == 0 && token > s.last) }
			switch {
			case c.refused && c.token > 0: // somebody else holds it, under this token
				return lockState{true, c.token, max(s.last, c.token)}, c.release != c.token && under(c.token)
			case c.refused:
				return s, !s.held
			case c.release > 0 && !c.maybe:
				return lockState{last: max(s.last, c.release)}, under(c.release)
			case c.release > 0: // if nobody but this tells the token of a grant, then that may as well not have happened
				if s.held && s.token == c.release {
					return lockState{last: s.last}, true
				}
				return s, true
			case c.maybe:
				if s.held {
					return s, true
				}
				return lockState{held: true, last: s.last}, true
			default:
				return lockState{true, c.token, c.token}, !s.held && c.token > s.last
			}
		},
		equal: func(a, b lockState) bool { return a == b },
		hash: func(s lockState) uint64 {
			h := scatter(s.token) + scatter(s.last+1)
			if s.held {
				h++
			}
			return h
		},
		reads: func(c *lockCall) bool { return c.refused && c.token == 0 },
	}
}
