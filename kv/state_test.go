package kv

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawOp(t *rapid.T, kinds ...Kind) Op {
	op := Op{Kind: rapid.SampledFrom(kinds).Draw(t, "op"), Key: []byte(drawKey(t))}
	switch op.Kind {
	case Put, Append:
		op.Value = []byte(rapid.SampledFrom([]string{"", "a", "7", "\x00\xff"}).Draw(t, "value"))
		if rapid.IntRange(0, 49).Draw(t, "long") == 0 {
			op.Value = make([]byte, MaxValueBytes/2+1)
		}
	case Add:
		op.Delta = rapid.SampledFrom([]int64{1, -3, math.MaxInt64, math.MinInt64}).Draw(t, "delta")
	}
	return op
}

func drawKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "ab", "\x00/\xff"}).Draw(t, "key")
}

func drawOps(t *rapid.T) []Op {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Op { return drawOp(t, Get, Put, Put, Delete, Append, Add) }), 0, 4).Draw(t, "ops")
}

// drawCommand draws a sound command; its sessions are among those that exist, and others.
func drawCommand(t *rapid.T, sessions []uint64) *Command {
	if rapid.IntRange(0, 9).Draw(t, "open") == 0 {
		return &Command{Then: []Op{{Kind: Open}}}
	}
	c := &Command{Then: drawOps(t), Else: drawOps(t)}
	if len(c.Then)+len(c.Else) == 0 {
		c.Then = []Op{drawOp(t, Get)}
	}
	for range rapid.IntRange(0, 2).Draw(t, "conditions") {
		cond := Cond{Key: []byte(drawKey(t))}
		if rapid.Bool().Draw(t, "by rev") {
			cond.Rev = new(rapid.Uint64Range(0, 20).Draw(t, "rev"))
		} else {
			cond.Value = []byte(rapid.SampledFrom([]string{"", "a", "7"}).Draw(t, "old"))
		}
		c.If = append(c.If, cond)
	}
	if rapid.IntRange(0, 2).Draw(t, "of a session") == 0 {
		c.Session = rapid.SampledFrom(append(sessions, 999)).Draw(t, "session")
		c.Seq = rapid.Uint64Range(1, 4).Draw(t, "seq")
	}
	return c
}

// model is what a state machine should be: a plain map, copied whole for every command.
type model struct {
	values   map[string]modelItem
	sessions map[uint64]modelSession
}

type modelItem struct {
	value string
	rev   uint64
}

type modelSession struct {
	seq uint64
	out outcome
}

func (m *model) apply(index uint64, c *Command) outcome {
	if c.Session == 0 {
		return m.execute(index, c)
	}
	s, known := m.sessions[c.Session]
	if !known {
		return outcome{Refused: CodeNoSession}
	}
	if c.Seq < s.seq {
		return outcome{Refused: CodeStaleSequence}
	}
	if c.Seq > s.seq {
		s = modelSession{c.Seq, m.execute(index, c)}
		m.sessions[c.Session] = s
	}
	return s.out
}

func (m *model) execute(index uint64, c *Command) (out outcome) {
	ops, after := c.Then, maps.Clone(m.values)
	for _, cond := range c.If {
		now, found := m.values[string(cond.Key)]
		if cond.Rev != nil && now.rev != *cond.Rev || cond.Rev == nil && (!found || now.value != string(cond.Value)) {
			ops, out.Else = c.Else, true
		}
	}
	for _, op := range ops {
		key := string(op.Key)
		now, found := after[key]
		res := Result{Rev: index}
		switch op.Kind {
		case Get:
			if res.Rev = now.rev; found {
				res.Value = []byte(now.value)
			}
		case Open:
			m.sessions[index] = modelSession{}
		case Delete:
			delete(after, key)
		case Put:
			after[key] = modelItem{string(op.Value), index}
		case Append:
			after[key] = modelItem{now.value + string(op.Value), index}
		case Add:
			old, err := strconv.ParseInt(now.value, 10, 64)
			sum := new(big.Int).Add(big.NewInt(old), big.NewInt(op.Delta))
			if found && err != nil || !sum.IsInt64() {
				return outcome{Refused: CodeNotANumber}
			}
			res.Value = []byte(sum.String())
			after[key] = modelItem{sum.String(), index}
		}
		if len(after[key].value) > MaxValueBytes {
			return outcome{Refused: CodeValueTooLarge}
		}
		out.Results = append(out.Results, res)
	}
	m.values = after
	return out
}

// plain shows an outcome without the difference between no bytes and none.
func plain(o outcome) string {
	text := fmt.Sprintf("refused %q, else %t", o.Refused, o.Else)
	for _, r := range o.Results {
		text += fmt.Sprintf(", %q since %d", r.Value, r.Rev)
	}
	return text
}

// TestStateIsAMap compares the state machine with the model. On the way it goes through a snapshot now and then,
// and at the end its hash must be that of a state with the same content that was built in one go, in any order.
func TestStateIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, m := newState(), model{map[string]modelItem{}, map[uint64]modelSession{}}
		for index := uint64(1); index <= 30; index++ {
			cmd := drawCommand(t, slices.Sorted(maps.Keys(m.sessions)))
			require.Equal(t, plain(m.apply(index, cmd)), plain(s.apply(index, cmd)))
			if rapid.IntRange(0, 9).Draw(t, "snapshot") == 0 {
				again, err := decodeState(s.encode())
				require.NoError(t, err)
				require.Equal(t, s.hash, again.hash)
				s = again
			}
		}
		fresh := newState()
		for key, e := range m.values {
			now := s.items[key]
			require.Equal(t, e, modelItem{string(now.value), now.rev})
			fresh.set(key, item{value: []byte(e.value), rev: e.rev})
		}
		require.Len(t, s.items, len(m.values))
		require.Len(t, s.sessions, len(m.sessions))
		for id, ses := range s.sessions {
			require.Equal(t, m.sessions[id].seq, ses.Seq)
			fresh.setSession(id, &ses)
		}
		require.Equal(t, fresh.hash, s.hash)
	})
}

// TestHashTellsStatesApart: no two of these states have the same hash.
func TestHashTellsStatesApart(t *testing.T) {
	seen := map[uint64]string{}
	for name, change := range map[string]func(*state){
		"empty":          func(*state) {},
		"a=b":            func(s *state) { s.set("a", item{value: []byte("b"), rev: 1}) },
		"a=b, rev 2":     func(s *state) { s.set("a", item{value: []byte("b"), rev: 2}) },
		"ab=":            func(s *state) { s.set("ab", item{rev: 1}) },
		"=ab":            func(s *state) { s.set("", item{value: []byte("ab"), rev: 1}) },
		"session 1":      func(s *state) { s.setSession(1, &session{Used: 1}) },
		"session 1 used": func(s *state) { s.setSession(1, &session{Used: 2}) },
		"session 2":      func(s *state) { s.setSession(2, &session{Used: 1}) },
		"a key 1":        func(s *state) { s.set("1", item{rev: 1}) },
		"a=b twice": func(s *state) {
			s.set("a", item{value: []byte("b"), rev: 1})
			s.set("b", item{value: []byte("b"), rev: 1})
		},
	} {
		s := newState()
		change(s)
		require.Empty(t, seen[s.hash], name)
		seen[s.hash] = name
	}
}

// TestSessionsAreDropped: of too many the one that was unused for longest goes, and its commands are refused from
// then on; nobody else's are.
func TestSessionsAreDropped(t *testing.T) {
	s := newState()
	index := uint64(0)
	apply := func(c Command) outcome {
		index++
		return s.apply(index, &c)
	}
	open := Command{Then: []Op{{Kind: Open}}}
	for range MaxSessions {
		require.Empty(t, apply(open).Refused)
	}
	put := func(id, seq uint64) string {
		return apply(Command{Session: id, Seq: seq, Then: []Op{{Kind: Put, Key: []byte("k")}}}).Refused
	}
	require.Empty(t, put(1, 1), "1 is used again, 2 is not")
	require.Empty(t, apply(open).Refused)
	require.Len(t, s.sessions, MaxSessions)
	require.Equal(t, CodeNoSession, put(2, 1))
	require.Empty(t, put(3, 1))
	require.Empty(t, put(1, 1), "a repetition is no use")
	for range 2 {
		apply(open)
	}
	require.Equal(t, CodeNoSession, put(4, 1))
	require.Empty(t, put(1, 2))
	again, err := decodeState(s.encode())
	require.NoError(t, err)
	require.Equal(t, s.hash, again.hash)
	require.Equal(t, s.sessions, again.sessions)
}

func TestEntryCodec(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := func(name string) uint64 { return rapid.Uint64().Draw(t, name) }
		id := proposalID{number("node"), number("boot"), number("seq")}
		req := &Request{Command: *drawCommand(t, []uint64{1, 2})}
		if rapid.Bool().Draw(t, "change") {
			req = &Request{Change: &Change{Kind: AddMember, ID: number("id"), Addr: "a:1", New: number("new")}}
		}
		data := req.encode(id)
		e, err := decodeEntry(data)
		require.NoError(t, err)
		require.Equal(t, data, (&Request{Command: e.Command, Change: e.Change}).encode(e.ID))
		_, err = decodeEntry(data[:rapid.IntRange(0, len(data)-1).Draw(t, "cut")])
		require.Error(t, err)
		_, err = decodeEntry(slices.Concat(data, data))
		require.Error(t, err)
	})
}

// TestGarbage: nothing that can arrive makes a decoder panic, or lets through what a client may not say.
func TestGarbage(t *testing.T) {
	for text, problem := range map[string]string{
		`{"then":[{"op":"get","key":"YQ=="}]}}`: "more than one value",
		"":                                      "EOF",
		"{":                                     "EOF",
		"null":                                  "a transaction has",
		"[]":                                    "array",
		"{}":                                    "a transaction has",
		`{"then":[]}`:                           "a transaction has",
		`{"then":[{}]}`:                         `operation ""`,
		`{"then":[{"op":"get"}]}`:               "empty key",
		`{"then":[{"op":"burn","key":"YQ=="}]}`: `operation "burn"`,
		`{"then":[{"op":"put","key":"a"}]}`:     "base64",
		`{"then":[{"op":"put","key":"YQ=="}],"iff":[]}`:                                                       "unknown field",
		`{"then":[{"op":"open"},{"op":"put","key":"YQ=="}]}`:                                                  `operation "open"`,
		`{"session":1,"seq":1,"then":[{"op":"open"}]}`:                                                        `operation "open"`,
		`{"then":[{"op":"add","key":"YQ==","delta":9e99}]}`:                                                   "number",
		`{"if":[{"key":""}],"then":[{"op":"put","key":"YQ=="}]}`:                                              "empty key",
		`{"if":[{"key":"YQ==","rev":-1}],"then":[{"op":"put","key":"YQ=="}]}`:                                 "number",
		`{"then":[` + strings.Repeat(`{"op":"get","key":"YQ=="},`, MaxTxnOps) + `{"op":"get","key":"YQ=="}]}`: "a transaction has",
	} {
		_, err := decodeEntry([]byte(text))
		require.ErrorContains(t, err, problem, text)
	}
	_, err := decodeState([]byte(`{"Items":[{}]} x`))
	require.Error(t, err)
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		_, _ = decodeEntry(data)
		_, _ = decodeState(data)
	})
}
