package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"ordeal/history"
)

// randomHistory makes a small history of one key: a legal run of a register, or of none at all, with
// ties, unknown outcomes, failed cas and corrupted answers. unique says whether values repeat.
func randomHistory(r *rand.Rand, n, processes, span int, unique bool) []history.Op {
	type pending struct{ call, point, ret int }
	free := make([]int, processes)
	var ops []history.Op
	var times []pending
	for range n {
		p := r.IntN(processes)
		call := free[p] + r.IntN(span)
		point := call + r.IntN(span)
		ret := point + r.IntN(span)
		free[p] = ret + r.IntN(2)
		times = append(times, pending{call, point, ret})
		ops = append(ops, history.Op{Process: p, Key: "k"})
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return times[a].point - times[b].point })
	state, fresh := "null", 0
	seen := []string{"null"}
	pick := func() string { // usually one that was there lately
		if r.IntN(12) == 0 {
			return fmt.Sprint(fresh + 1)
		}
		return seen[max(0, len(seen)-1-r.IntN(3))]
	}
	write := func() string {
		fresh++
		v := fmt.Sprint(fresh)
		if !unique {
			v = fmt.Sprint(r.IntN(3))
			if r.IntN(8) == 0 {
				v = "null"
			}
		}
		seen = append(seen, v)
		return v
	}
	for _, i := range order {
		op, t := &ops[i], times[i]
		op.Call, op.Return, op.Ended, op.Type = time.Duration(t.call), time.Duration(t.ret), time.Duration(t.ret), history.OK
		happens := true
		if r.IntN(5) == 0 {
			op.Type, op.Return = history.Info, history.Never
			happens = r.IntN(2) == 0
		}
		switch r.IntN(5) {
		case 0, 1:
			op.F, op.Output = "read", json.RawMessage(state)
			if r.IntN(4) == 0 {
				op.Output = json.RawMessage(pick())
			}
		case 2:
			op.F, op.Input = "write", json.RawMessage(write())
			if happens {
				state = string(op.Input)
			}
			if r.IntN(20) == 0 {
				op.Type, op.Return = history.Fail, op.Ended
			}
		default:
			old := state
			if r.IntN(3) == 0 {
				old = pick()
			}
			next := write()
			op.F, op.Input = "cas", json.RawMessage("["+old+","+next+"]")
			switch {
			case op.Type == history.Info:
				if happens && old == state {
					state = next
				}
			case old == state && r.IntN(100) != 0, r.IntN(6) == 0:
				state = next
			default:
				op.Type, op.Output, op.Return = history.Fail, json.RawMessage(state), op.Ended
				if r.IntN(6) == 0 {
					op.Output = json.RawMessage(pick())
				}
			}
		}
		if op.Type == history.Info {
			op.Output = nil
		}
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
	for i := range ops {
		ops[i].Index = i
	}
	return ops
}
