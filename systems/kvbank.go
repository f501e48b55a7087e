package systems

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"ordeal/history"
)

// A bank is a number of counters, one an account, that are called after the bank: k1/0, k1/1, … One that is absent has
// 0. What goes from one to another does so in one transaction.

func account(bank string, n int) []byte { return []byte(bank + "/" + strconv.Itoa(n)) }

// transfer takes {"from":0,"to":1,"amount":5}.
func transfer(op history.Event) (kvRequest, error) {
	var t struct {
		From, To *int
		Amount   int64
	}
	if err := json.Unmarshal(op.Value, &t); err != nil {
		return kvRequest{}, err
	}
	if t.From == nil || t.To == nil || *t.From == *t.To || t.Amount <= 0 {
		return kvRequest{}, fmt.Errorf("%s has no two accounts, or no amount", op.Value)
	}
	return kvCommand{Then: []kvOp{
		{Op: "add", Key: account(op.Key, *t.From), Delta: -t.Amount},
		{Op: "add", Key: account(op.Key, *t.To), Delta: t.Amount},
	}}.request()
}

// transferred answers with what both accounts have then.
func transferred(op history.Event, a answer) (history.Event, error) { return balancesOf(op, a, 2) }

// readAccounts takes a list of accounts. Nothing but reads is in the transaction, so it is a linearizable read.
func readAccounts(op history.Event) (kvRequest, error) {
	accounts, err := accountsOf(op)
	if err != nil {
		return kvRequest{}, err
	}
	var c kvCommand
	for _, n := range accounts {
		c.Then = append(c.Then, kvOp{Op: "get", Key: account(op.Key, n)})
	}
	return c.request()
}

func accountsOf(op history.Event) (accounts []int, err error) {
	if err = json.Unmarshal(op.Value, &accounts); err == nil && len(accounts) == 0 {
		err = errors.New("no accounts")
	}
	return accounts, err
}

// balances answers with what the accounts have, in the order asked for.
func balances(op history.Event, a answer) (history.Event, error) {
	accounts, err := accountsOf(op)
	if err != nil {
		return unanswered(op, err)
	}
	return balancesOf(op, a, len(accounts))
}

// balancesOf reads n balances; the revision is the one of their last change.
func balancesOf(op history.Event, a answer, n int) (history.Event, error) {
	results, err := kvDone(a, n)
	if err != nil {
		return unanswered(op, err)
	}
	all := make([]json.RawMessage, n)
	for i, r := range results {
		if all[i] = jsonValue(r.Value); r.Rev == 0 {
			all[i] = json.RawMessage("0")
		}
		op.Revision = max(op.Revision, r.Rev)
	}
	op.Value, err = json.Marshal(all)
	return op, err
}
