package kv

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// state is the replicated state machine, changed only by apply, in log order, by nothing but the command
// and its index. Anything else (a clock, an iteration order) would let replicas differ.
type state struct {
	items    map[string]item
	sessions map[uint64]session
	members  Members
	// hash is the sum of the sums of all items and sessions. It does not depend on the order in which they
	// came and went: replay and snapshot lead to the same, and each apply updates it in constant time.
	hash uint64
}

type item struct {
	value []byte
	rev   uint64 // index of the entry that wrote it; 0: absent
	sum   uint64 // its share of state.hash
}

// session is what makes it safe to send a command again (Raft thesis, 6.3): the last command of a client,
// and how it ended. A session must be opened, and the longest unused are dropped, by every replica alike;
// a command of one that was dropped is refused, not applied a second time.
type session struct {
	Used    uint64  `json:"used"` // index of its last command
	Seq     uint64  `json:"seq"`  // of its last command
	Outcome outcome `json:"outcome"`
}

// outcome is how a command ended.
type outcome struct {
	Refused string   `json:"refused,omitempty"` // code of the error; then nothing was changed
	Else    bool     `json:"else,omitempty"`    // a condition did not hold
	Results []Result `json:"results,omitempty"`
}

func newState() *state { return &state{items: map[string]item{}, sessions: map[uint64]session{}} }

// apply carries out the command of the entry at index.
func (s *state) apply(index uint64, c *Command) outcome {
	if c.Session == 0 {
		return s.execute(index, c)
	}
	last, ok := s.sessions[c.Session]
	switch {
	case !ok:
		return outcome{Refused: CodeNoSession}
	case c.Seq < last.Seq:
		return outcome{Refused: CodeStaleSequence}
	case c.Seq == last.Seq:
		return last.Outcome
	}
	out := s.execute(index, c)
	s.setSession(c.Session, &session{Used: index, Seq: c.Seq, Outcome: out})
	return out
}

func (s *state) execute(index uint64, c *Command) outcome {
	var out outcome
	ops, size := c.Then, 0
	if !s.holds(c.If) {
		ops, out.Else = c.Else, true
	}
	before := make([]item, 0, len(ops))
	for i := range ops {
		key := string(ops[i].Key)
		before = append(before, s.items[key])
		res, refused := s.do(index, key, &ops[i])
		if size += len(res.Value); size > MaxTxnBytes {
			refused = CodeValueTooLarge
		}
		if refused != "" {
			for ; i >= 0; i-- {
				s.set(string(ops[i].Key), before[i])
			}
			return outcome{Refused: refused}
		}
		out.Results = append(out.Results, res)
	}
	return out
}

func (s *state) holds(conds []Cond) bool {
	for _, c := range conds {
		now := s.items[string(c.Key)]
		if c.Rev != nil && *c.Rev != now.rev || c.Rev == nil && (now.rev == 0 || !bytes.Equal(now.value, c.Value)) {
			return false
		}
	}
	return true
}

// do carries out one operation, or says why it cannot be.
func (s *state) do(index uint64, key string, op *Op) (res Result, refused string) {
	now := s.items[key]
	res = Result{Rev: index}
	value := op.Value
	switch op.Kind {
	case Get:
		return Result{Value: now.value, Rev: now.rev}, ""
	case Open:
		s.open(index)
		return res, ""
	case Delete:
		s.set(key, item{})
		return res, ""
	case Append:
		value = slices.Concat(now.value, op.Value)
	case Add:
		old, err := strconv.ParseInt(string(now.value), 10, 64)
		if err != nil && now.rev != 0 || op.Delta > 0 && old > math.MaxInt64-op.Delta || op.Delta < 0 && old < math.MinInt64-op.Delta {
			return res, CodeNotANumber
		}
		value = strconv.AppendInt(nil, old+op.Delta, 10)
		res.Value = value
	}
	if len(value) > MaxValueBytes {
		return res, CodeValueTooLarge
	}
	s.set(key, item{value: value, rev: index})
	return res, ""
}

// open opens the session called index; if there are too many, the one that was unused for longest goes.
func (s *state) open(index uint64) {
	if len(s.sessions) >= MaxSessions {
		oldest := index
		for id, ses := range s.sessions {
			if ses.Used < s.sessions[oldest].Used || oldest == index {
				oldest = id // no two have the same Used: the order of iteration does not matter
			}
		}
		s.setSession(oldest, nil)
	}
	s.setSession(index, &session{Used: index})
}

// set writes or, with an absent item, removes a key.
func (s *state) set(key string, it item) {
	s.hash -= s.items[key].sum
	delete(s.items, key)
	if it.rev != 0 {
		it.sum = sum("item", key, it.value, it.rev)
		s.hash += it.sum
		s.items[key] = it
	}
}

// setSession writes or, if it is nil, removes a session.
func (s *state) setSession(id uint64, ses *session) {
	if old, ok := s.sessions[id]; ok {
		s.hash -= sum("session", strconv.FormatUint(id, 10), nil, old.Used)
		delete(s.sessions, id)
	}
	if ses != nil {
		s.hash += sum("session", strconv.FormatUint(id, 10), nil, ses.Used)
		s.sessions[id] = *ses
	}
}

func sum(kind, key string, value []byte, n uint64) uint64 {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%s %d %d ", kind, n, len(key)) // a hash takes everything
	h.Write([]byte(key))
	h.Write(value)
	return binary.BigEndian.Uint64(h.Sum(nil))
}

// image is a state as it stands in a snapshot.
type image struct {
	Items    []savedItem
	Sessions map[uint64]session
	Members  Members
}

type savedItem struct {
	Key, Value []byte
	Rev        uint64
}

// encode gives the whole state.
func (s *state) encode() []byte {
	img := image{Sessions: s.sessions, Members: s.members}
	for k, it := range s.items {
		img.Items = append(img.Items, savedItem{[]byte(k), it.value, it.rev})
	}
	data, _ := json.Marshal(img) // nothing in it can fail
	return data
}

// decodeState is the inverse of encode.
func decodeState(data []byte) (*state, error) {
	var img image
	if err := decodeJSON(data, &img); err != nil {
		return nil, fmt.Errorf("malformed snapshot: %w", err)
	}
	s := newState()
	for _, it := range img.Items {
		s.set(string(it.Key), item{value: it.Value, rev: it.Rev})
	}
	for id, ses := range img.Sessions {
		s.setSession(id, &ses)
	}
	s.members = img.Members
	return s, nil
}
