package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// stream makes the events of a history, in the order of their times; of those that share one it is drawn. A client
// whose operation's outcome is unknown goes on as another process, as in a run.
func stream(r *rand.Rand, ops []history.Op, clients int) []history.Event {
	todo, process := make([][]history.Event, clients), make([]int, clients)
	for c := range process {
		process[c] = c
	}
	for _, op := range ops {
		c := op.Process
		e := history.Event{Time: op.Call, Process: process[c], Type: history.Invoke, F: op.F, Key: op.Key, Value: op.Input}
		todo[c] = append(todo[c], e)
		e.Time, e.Type, e.Value, e.Err = op.Ended, op.Type, op.Output, op.Err
		todo[c] = append(todo[c], e)
		if op.Type == history.Info {
			process[c] += clients
		}
	}
	var events []history.Event
	for len(events) < 2*len(ops) {
		next, ties := -1, 0
		for c := range todo {
			if len(todo[c]) == 0 || next >= 0 && todo[c][0].Time > todo[next][0].Time {
				continue
			}
			if next < 0 || todo[c][0].Time < todo[next][0].Time {
				ties = 0
			}
			if ties++; r.IntN(ties) == 0 {
				next = c
			}
		}
		e := todo[next][0]
		e.Index, todo[next] = len(events), todo[next][1:]
		events = append(events, e)
	}
	return events
}

// late moves some events behind what others recorded: a client takes the time, and before it records what it began or
// was answered others come first.
func late(r *rand.Rand, events []history.Event, clients int) {
	rarely := 2 + r.IntN(3)
	for i := len(events) - 2; i >= 0; i-- {
		for j := i; j+1 < len(events) && r.IntN(rarely) == 0; j++ {
			if events[j].Process%clients == events[j+1].Process%clients {
				break
			}
			events[j], events[j+1] = events[j+1], events[j]
		}
	}
	for i := range events {
		events[i].Index = i
	}
}

// hasty lets o forget and put away what it can, far more often than it does by itself.
func hasty(r *rand.Rand, o *Online) {
	if r.IntN(2) == 0 {
		o.raiseFloor()
		for _, k := range o.keys {
			if !k.gone {
				k.prune(o.floor)
			}
		}
	}
	if r.IntN(3) == 0 {
		o.putAway()
		o.putAway()
	}
}

// verdictOf is what zones say of the operations of the events. Porcupine is asked too if the verdict may be the last.
func verdictOf(t *testing.T, m Model, events []history.Event, part func(Problem) Problem, last bool) result {
	ops, err := history.Pair(events)
	require.NoError(t, err)
	ops = slices.DeleteFunc(ops, func(op history.Op) bool { return op.Key == "other" })
	for i := range ops {
		ops[i].Err = "" // to Online a cas that failed blindly says nothing
	}
	p, err := m.Parse(pointers(ops))
	require.NoError(t, err)
	if slices.ContainsFunc(p.(*registerProblem).calls, call.absurd) {
		require.False(t, plain(p), picture(ops))
		return illegal // whatever the part
	}
	p = part(p)
	a := p.(*registerProblem).zoned(context.Background(), 1<<30)
	if last || a.Result == illegal {
		require.Equal(t, a.Result == legal, plain(p), picture(ops))
	}
	return a.Result
}

// withoutNull is what Online judges of a kv, beside a cas that fails although it finds the null that it expects.
func withoutNull(p Problem) Problem {
	q := p.(*registerProblem)
	q.Groups()
	return p.Keep(func(g int) bool { return q.groups[g] != null })
}

// Online convicts at the response at which zones do if they are asked after every one, and at no other.
func TestOnlineConvictsAtTheResponse(t *testing.T) {
	cases := histories(t, 20_000)
	for _, c := range []struct {
		name  string
		model Model
		new   func(clients int) *Online
		part  func(Problem) Problem
	}{
		{"register", Register(), OnlineRegister, func(p Problem) Problem { return p }},
		{"kv", KV(), OnlineKV, withoutNull},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(21, 22))
			convicted, after := 0, 0
			for range cases {
				clients := 1 + r.IntN(5)
				events := onlineStory(r, 2+r.IntN(16), clients, c.name == "kv")
				o := c.new(clients)
				for i, e := range events {
					impossible := o.Take(e)
					hasty(r, o)
					if e.Type == history.Invoke || e.Type == history.Info || e.Key == "other" {
						require.False(t, impossible)
						continue
					}
					want := verdictOf(t, c.model, events[:i+1], c.part, i == len(events)-1)
					require.NotEqual(t, unfit, want)
					if (want == illegal) != impossible {
						ops, _ := history.Pair(events[:i+1])
						t.Fatalf("event %d: impossible is %v\n%s\n%v", i, impossible, picture(ops), events[:i+1])
					}
					if impossible {
						convicted++
						after += i
						break
					}
				}
			}
			t.Logf("%d of %d convicted, after %d events in the mean", convicted, cases, after/max(1, convicted))
			require.Greater(t, convicted, cases/4)
			require.Less(t, convicted, cases*9/10)
		})
	}
}

// onlineStory is a random history in which every value is written once, but for null.
func onlineStory(r *rand.Rand, n, clients int, deletions bool) []history.Event {
	ops := randomHistory(r, n, clients, 1+r.IntN(5), true)
	for i := range ops {
		if deletions && ops[i].F == "write" && r.IntN(2) == 0 {
			ops[i].F, ops[i].Input = "delete", nil
		}
	}
	events := stream(r, ops, clients)
	if r.IntN(3) == 0 {
		late(r, events, clients)
	}
	return pauses(r, events, clients)
}

// pauses lets all clients look at another key now and then, when none of them is busy: the first is quiet then.
func pauses(r *rand.Rand, events []history.Event, clients int) []history.Event {
	var all []history.Event
	open, now, shift := 0, time.Duration(0), time.Duration(0)
	process := make([]int, clients)
	for c := range process {
		process[c] = c
	}
	for _, e := range events {
		if open == 0 && r.IntN(3) == 0 {
			for _, p := range process {
				look := history.Event{Time: now + 1, Process: p, Type: history.Invoke, F: "read", Key: "other"}
				all = append(all, look)
				look.Type, look.Value = history.OK, json.RawMessage("null")
				all = append(all, look)
			}
			shift += time.Microsecond // more than any event is late
		}
		e.Time += shift
		now = max(now, e.Time)
		all = append(all, e)
		switch e.Type {
		case history.Invoke:
			open++
		case history.Info:
			process[e.Process%clients] += clients
			open--
		default:
			open--
		}
	}
	for i := range all {
		all[i].Index = i
	}
	return all
}

// Where values are written again, Online may say nothing, but it never convicts what is legal.
func TestOnlineNeverCriesWolf(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	convicted, missed := 0, 0
	n := histories(t, 20_000)
	for range n {
		clients := 1 + r.IntN(5)
		events := stream(r, randomHistory(r, 2+r.IntN(14), clients, 1+r.IntN(5), false), clients)
		for i := range events {
			events[i].Time = time.Duration(i) // what is recorded later begins later, or it could have been seen before
		}
		o := OnlineRegister(clients)
		end := len(events)
		for i, e := range events {
			if o.Take(e) {
				end = i + 1
				break
			}
			hasty(r, o)
		}
		ops, err := history.Pair(events[:end])
		require.NoError(t, err)
		p, err := parseRegister(pointers(ops))
		require.NoError(t, err)
		switch legal := plain(p); {
		case end < len(events):
			require.False(t, legal, "event %d of\n%s", end-1, picture(ops))
			convicted++
		case !legal:
			missed++
		}
	}
	t.Logf("%d convicted, %d not", convicted, missed)
	require.Greater(t, convicted, n/20)
}

func TestOnlineLetsGoOfWhatItCannotFollow(t *testing.T) {
	phantom := history.Event{Process: 1, F: "read", Key: "k", Value: json.RawMessage("77")}
	for _, c := range []struct {
		name   string
		new    func(int) *Online
		events []history.Event
		says   bool
	}{
		{"nothing", OnlineRegister, nil, true},
		{"the harness", OnlineRegister, []history.Event{{Process: history.Nemesis, Type: history.Info, F: "kill"}, {Process: history.Observer, Type: history.Info, F: history.SawEnd}}, true},
		{"a value that is written twice", OnlineRegister, []history.Event{
			{Type: history.Invoke, F: "write", Key: "k", Value: json.RawMessage(`"a"`)}, {Type: history.OK, F: "write", Key: "k"},
			{Type: history.Invoke, F: "write", Key: "k", Value: json.RawMessage(`"a"`)}, {Type: history.OK, F: "write", Key: "k"}}, false},
		{"an unknown value that is written again", OnlineRegister, []history.Event{
			{Type: history.Invoke, F: "write", Key: "k", Value: json.RawMessage("1")}, {Type: history.Info, F: "write", Key: "k"},
			{Type: history.Invoke, Process: 2, F: "write", Key: "k", Value: json.RawMessage("1")}, {Type: history.OK, Process: 2, F: "write", Key: "k"}}, false},
		{"a deletion", OnlineRegister, []history.Event{{Type: history.Invoke, F: "delete", Key: "k"}}, false},
		{"deletions", OnlineKV, []history.Event{
			{Type: history.Invoke, F: "delete", Key: "k"}, {Type: history.OK, F: "delete", Key: "k"},
			{Type: history.Invoke, F: "cas", Key: "k", Value: json.RawMessage("[null,5]")}, {Type: history.OK, F: "cas", Key: "k"},
			{Type: history.Invoke, F: "delete", Key: "k"}, {Type: history.OK, F: "delete", Key: "k"}}, true},
		{"another operation", OnlineKV, []history.Event{{Type: history.Invoke, F: "append", Key: "k", Value: json.RawMessage("1")}}, false},
		{"a cas of one", OnlineRegister, []history.Event{{Type: history.Invoke, F: "cas", Key: "k", Value: json.RawMessage("[1]")}}, false},
		{"no JSON", OnlineRegister, []history.Event{{Type: history.Invoke, F: "write", Key: "k", Value: json.RawMessage("{")}}, false},
		{"an answer that is no JSON", OnlineRegister, []history.Event{
			{Type: history.Invoke, F: "read", Key: "k"}, {Type: history.OK, F: "read", Key: "k", Value: json.RawMessage("{")}}, false},
		{"an answer to nothing", OnlineRegister, []history.Event{{Type: history.OK, F: "read", Key: "k", Value: json.RawMessage("9")}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := c.new(2)
			for _, e := range c.events {
				require.False(t, o.Take(e))
			}
			phantom.Type = history.Invoke
			require.False(t, o.Take(phantom))
			phantom.Type = history.OK
			require.Equal(t, c.says, o.Take(phantom))
			phantom.Type = history.Invoke
			require.False(t, o.Take(phantom))
			phantom.Type = history.OK
			require.False(t, o.Take(phantom), "once is enough")
		})
	}
}

// Keys that are put away and woken again and again are as they were, and leave nothing behind.
func TestOnlineQuietKeys(t *testing.T) {
	q := quiet{at: map[uint64]uint64{}}
	for round := range 40 {
		for i := range 4_000 {
			name := fmt.Sprint("k", i)
			k := q.wake(name, false)
			require.Equal(t, i%7 == 0 && round > 0, k.gone, name)
			switch {
			case i%7 == 0:
				k.letGo()
			case round == 0:
				k.lost = map[word]word{word(2*i + 5): noWord, word(2*i + 7): nullWord}
			default:
				require.NotNil(t, k.values[nullWord], name)
				require.Equal(t, map[word]word{word(2*i + 5): noWord, word(2*i + 7): nullWord}, k.lost, name)
			}
			require.True(t, q.keep(name, k, time.Second))
		}
	}
	require.Len(t, q.at, 4_000)
	require.LessOrEqual(t, q.live, 4_000*12)
	require.LessOrEqual(t, len(q.chunks), 18)
}

// What came of a value by two cas is checked against those that found it, in whatever order that is recorded.
func TestOnlineLateEndOfAChain(t *testing.T) {
	o := OnlineRegister(4)
	impossible := false
	for _, e := range []history.Event{
		{Time: 1, Process: 0, Type: history.Invoke, F: "write", Key: "k", Value: json.RawMessage("1")},
		{Time: 2, Process: 0, Type: history.OK, F: "write", Key: "k"},
		{Time: 3, Process: 1, Type: history.Invoke, F: "cas", Key: "k", Value: json.RawMessage("[1, 2]")},
		{Time: 4, Process: 2, Type: history.Invoke, F: "cas", Key: "k", Value: json.RawMessage("[2,3]")},
		{Time: 12, Process: 1, Type: history.OK, F: "cas", Key: "k"},
		{Time: 10, Process: 3, Type: history.Invoke, F: "read", Key: "k"},
		{Time: 13, Process: 3, Type: history.OK, F: "read", Key: "k", Value: json.RawMessage("1")},
		{Time: 9, Process: 2, Type: history.OK, F: "cas", Key: "k"},
	} {
		require.False(t, impossible)
		impossible = o.Take(e)
	}
	require.True(t, impossible, "3 was there before 1 was found")
}
