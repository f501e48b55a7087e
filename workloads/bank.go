package workloads

import (
	"fmt"
	"math/rand/v2"

	"ordeal/checker"
	"ordeal/history"
)

const (
	accounts    = 5 // of a bank
	allAccounts = "[0,1,2,3,4]"
	amountMax   = 100
)

// Bank is independent banks with a few accounts each, between which money goes back and forth.
//
// The value of a transfer is {"from":0,"to":1,"amount":5}, and when it is ok what both accounts have
// after it, [balance of from, balance of to]. That of a read is the list of all accounts, and it returns their
// balances in that order. Accounts begin with 0 and may go below; what all have together is always 0.
func Bank(o Options) Workload {
	return Workload{
		Name:     "bank",
		Ops:      make(rotation, o.Keys).opsLooking(history.Event{F: "read", Value: []byte(allAccounts)}, bankOp),
		Checkers: []checker.Checker{checker.Linearizable(checker.Bank(), o.Budget)},
	}
}

func bankOp(r *rand.Rand, _ *slot, _ int) (f string, value []byte) {
	if r.IntN(100) < 40 {
		return "read", []byte(allAccounts)
	}
	from := r.IntN(accounts)
	to := (from + 1 + r.IntN(accounts-1)) % accounts
	return "transfer", fmt.Appendf(nil, `{"from":%d,"to":%d,"amount":%d}`, from, to, 1+r.IntN(amountMax))
}
