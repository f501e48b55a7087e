package workloads

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// draw takes n operations of each client, all clients at once.
func draw(w Workload, clients, n int) [][]history.Event {
	all := make([][]history.Event, clients)
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for op := range w.Ops(rand.New(rand.NewPCG(7, uint64(c))), c) {
				if all[c] = append(all[c], op); len(all[c]) == n {
					return
				}
			}
		})
	}
	wg.Wait()
	return all
}

func TestWorkloadsAreDrawnFromTheSeed(t *testing.T) {
	for _, k := range Kinds() {
		one, two := draw(k.New(Options{Keys: 3}), 1, 3000), draw(k.New(Options{Keys: 3}), 1, 3000)
		require.Equal(t, one, two, k.Name)
	}
}

// What a client sends, and to which slot, does not depend on how far the others have come.
func TestAClientsOperationsAreItsOwn(t *testing.T) {
	for _, k := range Kinds() {
		alone, among := draw(k.New(Options{Keys: 3}), 1, 2000), draw(k.New(Options{Keys: 3}), 4, 2000)
		for i, op := range alone[0] {
			require.Equal(t, op.F, among[0][i].F, "%s %d", k.Name, i)
			mine, others := parts(op), parts(among[0][i])
			require.Len(t, others, len(mine))
			for j, part := range mine {
				require.Equal(t, part.f, others[j].f, "%s %d", k.Name, i)
				require.Equal(t, number(t, part.key)%3, number(t, others[j].key)%3, "%s %d", k.Name, i)
			}
		}
	}
}

// part is what an operation does to one key.
type part struct{ f, key string }

// parts are an operation, or the micro-operations of a transaction.
func parts(op history.Event) (all []part) {
	micros, ok := history.MicroOps(op.Value)
	if !ok || op.F != "txn" {
		return []part{{op.F, op.Key}}
	}
	for _, m := range micros {
		key, _ := strconv.Unquote(string(m.Key))
		all = append(all, part{m.F, key})
	}
	return all
}

func number(t *testing.T, key string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(key, "k"))
	require.NoError(t, err)
	return n
}

func TestKeysRotateAndRetiredOnesAreLookedAt(t *testing.T) {
	const keys = 2
	look := map[string]string{"queue": "dequeue", "lock": "acquire", "txn": "r"}
	for _, k := range Kinds() {
		sent, retired := map[string]int{}, 0
		newest := [keys]int{}
		var all []part
		for _, op := range draw(k.New(Options{Keys: keys}), 1, 6000)[0] {
			all = append(all, parts(op)...)
		}
		for _, p := range all {
			n := number(t, p.key)
			slot, turn := n%keys, n/keys
			if turn < newest[slot] {
				retired++
				require.Equal(t, cmp.Or(look[k.Name], "read"), p.f, k.Name)
				require.Equal(t, newest[slot]-1, turn, "only the last key of the slot")
			}
			newest[slot] = max(newest[slot], turn)
			sent[p.key]++
		}
		require.Greater(t, len(sent), 12, k.Name)
		require.Greater(t, retired, len(all)*2/100, k.Name)
		require.Less(t, retired, len(all)*8/100, k.Name)
		for key, n := range sent {
			require.LessOrEqual(t, n, opsPerKey*12/10, "%s %s", k.Name, key)
		}
	}
}

// store does one operation after the other, as it should. It forgets its revision with the rest.
type store struct {
	items    map[string]item
	revision uint64
}

type item struct {
	value    json.RawMessage
	revision uint64
}

// put changes a key, and answers as it is to.
func (s *store) put(op *history.Op, key string, value json.RawMessage) {
	s.revision++
	s.items[key] = item{value, s.revision}
	op.Type, op.Revision = history.OK, s.revision
}

func (s *store) remove(op *history.Op) {
	s.put(op, op.Key, nil)
	delete(s.items, op.Key)
}

func (s *store) do(op *history.Op) {
	now, found := s.items[op.Key]
	if !found {
		now.value = json.RawMessage("null")
	}
	op.Type, op.Output, op.Revision = history.OK, now.value, now.revision
	switch op.F {
	case "read":
		if op.Input != nil {
			op.Output = json.RawMessage("[" + s.balance(op.Key, 0) + "," + s.balance(op.Key, 1) + "," + s.balance(op.Key, 2) + "," +
				s.balance(op.Key, 3) + "," + s.balance(op.Key, 4) + "]")
		}
	case "write":
		s.put(op, op.Key, op.Input)
		op.Output = op.Input
	case "cas":
		from, to, _ := history.CASValue(op.Input)
		if string(from) != string(now.value) {
			op.Type = history.Fail
			return
		}
		s.put(op, op.Key, to)
		op.Output = op.Input
	case "delete":
		s.remove(op)
		op.Output = nil
	case "append", "insert", "enqueue":
		list := "[" + string(op.Input) + "]"
		if found {
			list = strings.TrimSuffix(string(now.value), "]") + "," + string(op.Input) + "]"
		}
		s.put(op, op.Key, json.RawMessage(list))
		op.Output = op.Input
	case "dequeue":
		var list []json.RawMessage
		if _ = json.Unmarshal(now.value, &list); len(list) == 0 {
			return
		}
		rest, _ := json.Marshal(list[1:])
		if s.put(op, op.Key, rest); len(list) == 1 {
			s.remove(op)
		}
		op.Output = list[0]
	case "add":
		sum, _ := strconv.Atoi(string(now.value))
		delta, _ := strconv.Atoi(string(op.Input))
		s.put(op, op.Key, json.RawMessage(strconv.Itoa(sum+delta)))
		op.Output = s.items[op.Key].value
	case "transfer":
		s.transfer(op)
	case "txn":
		s.txn(op)
	default:
		s.lock(op, now)
	}
}

func (s *store) balance(bank string, account int) string {
	return cmp.Or(string(s.items[fmt.Sprint(bank, "/", account)].value), "0")
}

func (s *store) transfer(op *history.Op) {
	var t struct{ From, To, Amount int }
	_ = json.Unmarshal(op.Input, &t)
	for account, delta := range map[int]int{t.From: -t.Amount, t.To: t.Amount} {
		balance, _ := strconv.Atoi(s.balance(op.Key, account))
		s.put(op, fmt.Sprint(op.Key, "/", account), json.RawMessage(strconv.Itoa(balance+delta)))
	}
	op.Output = json.RawMessage("[" + s.balance(op.Key, t.From) + "," + s.balance(op.Key, t.To) + "]")
}

func (s *store) txn(op *history.Op) {
	micros, _ := history.MicroOps(op.Input)
	answers := make([][3]any, len(micros))
	for i, m := range micros {
		part := history.Op{F: m.F, Key: string(m.Key), Input: m.Value}
		if m.F == "r" {
			part.F, part.Input = "read", nil
		}
		s.do(&part)
		answers[i] = [3]any{m.F, m.Key, part.Output}
	}
	op.Type = history.OK
	op.Output, _ = json.Marshal(answers)
}

func (s *store) lock(op *history.Op, now item) {
	token := func(revision uint64) json.RawMessage { return strconv.AppendUint(nil, revision, 10) }
	switch {
	case op.F == "acquire" && now.revision == 0:
		s.put(op, op.Key, json.RawMessage("7"))
		op.Output = token(op.Revision)
	case op.F == "acquire":
		op.Type, op.Output, op.Err = history.Fail, token(now.revision), "held"
	case string(op.Input) == string(token(now.revision)):
		s.remove(op)
		op.Output = op.Input
	case now.revision > 0:
		op.Type, op.Output, op.Err = history.Fail, token(now.revision), "not held"
	default:
		op.Type, op.Err = history.Fail, "not held"
	}
}

// run lets one client at a time send an operation, n in all; forget says when the store loses all.
func run(w Workload, n int, forget func(op history.Event, sent int) bool) []history.Op {
	s := store{items: map[string]item{}}
	var ops []history.Op
	for op := range w.Ops(rand.New(rand.NewPCG(1, 2)), 0) {
		if len(ops) == n {
			return ops
		}
		if forget(op, len(ops)) {
			s = store{items: map[string]item{}}
		}
		at := time.Duration(len(ops)) * time.Millisecond
		done := history.Op{Index: len(ops), F: op.F, Key: op.Key, Input: op.Value, Call: at, Return: at + 1, Ended: at + 1}
		s.do(&done)
		ops = append(ops, done)
		if w.Done != nil {
			w.Done(0, history.Event{F: done.F, Key: done.Key, Type: done.Type, Value: done.Output, Err: done.Err})
		}
	}
	return ops
}

// judge is the worst verdict of all checkers.
func judge(t *testing.T, w Workload, ops []history.Op) checker.Verdict {
	var verdicts []checker.Verdict
	for _, c := range w.Checkers {
		verdicts = append(verdicts, c.Check(t.Context(), ops))
	}
	return slices.MaxFunc(verdicts, func(a, b checker.Verdict) int { return cmp.Compare(a.Status, b.Status) })
}

func TestWhatIsDoneAsItShouldIsValid(t *testing.T) {
	for _, k := range Kinds() {
		w := k.New(Options{Keys: 3})
		ops := run(w, 4000, func(history.Event, int) bool { return false })
		v := judge(t, w, ops)
		require.Equal(t, checker.Valid, v.Status, "%s: %s", k.Name, v.Reason)
	}
}

// A system that forgets everything is convicted whenever it does, also in the moment in which every key
// has just been replaced.
func TestWhatIsForgottenIsMissed(t *testing.T) {
	for _, k := range Kinds() {
		w := k.New(Options{Keys: 1})
		forgotten := 0
		ops := run(w, 1000, func(op history.Event, sent int) bool {
			if forgotten == 0 && slices.ContainsFunc(parts(op), func(p part) bool { return p.key == "k1" }) {
				forgotten = sent
				return true
			}
			return false
		})
		v := judge(t, w, ops)
		require.Equal(t, checker.Invalid, v.Status, k.Name)
		if k.Name == "txn" {
			require.Contains(t, v.Findings[0].Text, "k0")
		} else {
			require.Greater(t, forgotten, opsPerKey)
			require.Equal(t, "k0", v.Findings[0].Key)
		}

		for at := 50; at < 1200; at += 120 {
			w := k.New(Options{Keys: 2})
			ops := run(w, 1400, func(_ history.Event, sent int) bool { return sent == at })
			require.Equal(t, checker.Invalid, judge(t, w, ops).Status, fmt.Sprint(k.Name, " forgets at ", at))
		}
	}
}

func TestUnknownWorkload(t *testing.T) {
	_, err := New("nosuch", Options{Keys: 1})
	require.ErrorContains(t, err, "known: register, append, counter, kv, set, queue, lock, bank, txn, session")
}
