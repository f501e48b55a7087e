package workloads

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
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
			require.Equal(t, number(t, op.Key)%3, number(t, among[0][i].Key)%3, "%s %d", k.Name, i)
		}
	}
}

func number(t *testing.T, key string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(key, "k"))
	require.NoError(t, err)
	return n
}

func TestKeysRotateAndRetiredOnesAreRead(t *testing.T) {
	const keys = 2
	for _, k := range Kinds() {
		sent, retired := map[string]int{}, 0
		newest := [keys]int{}
		for _, op := range draw(k.New(Options{Keys: keys}), 1, 6000)[0] {
			n := number(t, op.Key)
			slot, turn := n%keys, n/keys
			if turn < newest[slot] {
				retired++
				require.Equal(t, "read", op.F)
				require.Equal(t, newest[slot]-1, turn, "only the last key of the slot")
			}
			newest[slot] = max(newest[slot], turn)
			sent[op.Key]++
		}
		require.Greater(t, len(sent), 12, k.Name)
		require.Greater(t, retired, 6000*2/100, k.Name)
		require.Less(t, retired, 6000*8/100, k.Name)
		for key, n := range sent {
			require.LessOrEqual(t, n, opsPerKey*12/10, "%s %s", k.Name, key)
		}
	}
}

// store does one operation after the other, as it should.
type store map[string]json.RawMessage

func (s store) do(op history.Event) (value json.RawMessage, typ history.Type) {
	now, found := s[op.Key]
	if !found {
		now = json.RawMessage("null")
	}
	switch op.F {
	case "read":
		return now, history.OK
	case "write":
		s[op.Key] = op.Value
	case "cas":
		from, to, _ := history.CASValue(op.Value)
		if string(from) != string(now) {
			return now, history.Fail
		}
		s[op.Key] = to
	case "append":
		list := strings.Trim(string(now), "[]")
		if found {
			list += ","
		} else {
			list = ""
		}
		s[op.Key] = json.RawMessage("[" + list + string(op.Value) + "]")
	case "add":
		sum, _ := strconv.Atoi(string(now))
		delta, _ := strconv.Atoi(string(op.Value))
		s[op.Key] = json.RawMessage(strconv.Itoa(sum + delta))
		return s[op.Key], history.OK
	}
	return op.Value, history.OK
}

// run lets one client at a time send an operation, n in all; forget says when the store loses all.
func run(w Workload, n int, forget func(op history.Event, sent int) bool) []history.Op {
	s := store{}
	var ops []history.Op
	for op := range w.Ops(rand.New(rand.NewPCG(1, 2)), 0) {
		if len(ops) == n {
			return ops
		}
		if forget(op, len(ops)) {
			clear(s)
		}
		at := time.Duration(len(ops)) * time.Millisecond
		done := history.Op{Index: len(ops), F: op.F, Key: op.Key, Input: op.Value, Call: at, Return: at + 1, Ended: at + 1}
		done.Output, done.Type = s.do(op)
		ops = append(ops, done)
	}
	return ops
}

func judge(t *testing.T, w Workload, ops []history.Op) checker.Verdict {
	require.Len(t, w.Checkers, 1)
	return w.Checkers[0].Check(t.Context(), ops)
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
		ops := run(w, 600, func(op history.Event, sent int) bool {
			if forgotten == 0 && op.Key == "k1" {
				forgotten = sent
				return true
			}
			return false
		})
		require.Greater(t, forgotten, opsPerKey)
		v := judge(t, w, ops)
		require.Equal(t, checker.Invalid, v.Status, k.Name)
		require.Equal(t, "k0", v.Findings[0].Key)

		for at := 50; at < 1200; at += 115 {
			w := k.New(Options{Keys: 2})
			ops := run(w, 1400, func(_ history.Event, sent int) bool { return sent == at })
			require.Equal(t, checker.Invalid, judge(t, w, ops).Status, fmt.Sprint(k.Name, " forgets at ", at))
		}
	}
}

func TestUnknownWorkload(t *testing.T) {
	_, err := New("nosuch", Options{Keys: 1})
	require.ErrorContains(t, err, "known: register, append, counter")
}
