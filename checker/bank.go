package checker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"ordeal/history"
)

// Bank is a key of several accounts, between which money is moved. All begin with 0 and may go below, so what they
// have together is always 0.
//
//   - transfer: {"from":0,"to":1,"amount":5}; if ok what both have after it, [from, to]. One of unknown
//     outcome took effect at some time after its call, or never.
//   - read: the accounts, [0,1,…]; if ok what each has.
//
// An answer that is no list of so many whole numbers has no place in any order.
func Bank() Model { return Model{Name: "bank", Parse: parseBank} }

// Bounds of what may come from outside: they keep states small and sums in 64 bits.
const (
	accountsMax = 64
	amountMax   = int64(1) << 40
)

// bankCall is a transfer, with the accounts that lose and gain, or a read, of any.
type bankCall struct {
	interval
	accounts []int
	amount   int64 // of a transfer; 0 for a read
	answered bool
	found    []int64 // what they have; nil if the answer was none
}

func parseBank(ops []*history.Op) (Problem, error) {
	accounts := 0
	calls, err := parseCalls(ops, func(op *history.Op) (bankCall, bool, string) {
		c := bankCall{interval: intervalOf(op), answered: op.Type == history.OK}
		keep, reason := c.read(op)
		for _, a := range c.accounts {
			if a < 0 || a >= accountsMax {
				reason = fmt.Sprintf("accounts are from 0 to %d", accountsMax-1)
			}
			accounts = max(accounts, a+1)
		}
		return c, keep && reason == "", reason
	})
	if err != nil {
		return nil, err
	}
	return &plainProblem[bankCall, *bankCall, []int64]{calls: calls, m: bank(accounts)}, nil
}

// read fills c with what op says; keep is false if that is nothing.
func (c *bankCall) read(op *history.Op) (keep bool, reason string) {
	switch op.F {
	case "transfer":
		var t struct {
			From, To *int
			Amount   int64
		}
		dec := json.NewDecoder(bytes.NewReader(op.Input))
		dec.DisallowUnknownFields()
		if dec.Decode(&t) != nil || t.From == nil || t.To == nil || *t.From == *t.To || t.Amount <= 0 || t.Amount > amountMax {
			return false, `a transfer should be {"from":0,"to":1,"amount":5} between two accounts, the amount of no more than 40 bits`
		}
		c.accounts, c.amount = []int{*t.From, *t.To}, t.Amount
		if op.Type == history.Fail {
			return false, ""
		}
	case "read":
		if op.Type != history.OK {
			return false, ""
		}
		if json.Unmarshal(op.Input, &c.accounts) != nil {
			return false, "a read should name accounts, [0,1,…]"
		}
	default:
		return false, "a bank knows transfer and read"
	}
	if c.answered && json.Unmarshal(op.Output, &c.found) != nil || len(c.found) != len(c.accounts) {
		c.found = nil
	}
	return true, ""
}

// bank is the sequential specification; states are what each account has.
func bank(accounts int) machine[bankCall, []int64] {
	return machine[bankCall, []int64]{
		start: make([]int64, accounts),
		step: func(state []int64, c *bankCall) ([]int64, bool) {
			if c.amount > 0 {
				state = slices.Clone(state)
				state[c.accounts[0]] -= c.amount
				state[c.accounts[1]] += c.amount
			}
			if !c.answered {
				return state, true
			}
			for i, a := range c.accounts {
				if c.found == nil || c.found[i] != state[a] {
					return state, false
				}
			}
			return state, true
		},
		equal: slices.Equal[[]int64],
		hash:  hashOf[int64],
		reads: func(c *bankCall) bool { return c.amount == 0 },
		size:  func(state []int64) int64 { return 8 * int64(cap(state)) },
	}
}
