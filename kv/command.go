package kv

import (
	"encoding/binary"
	"errors"
)

// Op is what a command does to its key.
type Op byte

// The operations. Get never enters the log.
const (
	Get Op = iota + 1
	Put
	Delete
)

// Match is the condition under which a command takes effect.
type Match byte

// The conditions.
const (
	Always     Match = iota
	IfValue          // the key exists with the value Old
	IfRevision       // the key's last change has the index Rev; 0 means absent
)

// Command is one operation on one key.
type Command struct {
	Op    Op
	If    Match
	Rev   uint64
	Key   string
	Old   []byte
	Value []byte
}

// proposalID names one proposal, in all logs and for all time. The boot number is drawn at each
// start: without it a node that counts from 1 again would take an earlier life's entry, applied late,
// for the answer to a new request.
type proposalID struct{ node, boot, seq uint64 }

// commandFormat is the first byte of every encoded command, so that a later format can be told apart.
const commandFormat = 1

var errBadCommand = errors.New("malformed command")

// encode gives the bytes that go into the log: format, op, condition, id, rev, key, old, value.
func (c *Command) encode(id proposalID) []byte {
	b := make([]byte, 0, 48+len(c.Key)+len(c.Old)+len(c.Value))
	b = append(b, commandFormat, byte(c.Op), byte(c.If))
	b = binary.BigEndian.AppendUint64(b, id.node)
	b = binary.BigEndian.AppendUint64(b, id.boot)
	b = binary.BigEndian.AppendUint64(b, id.seq)
	b = binary.AppendUvarint(b, c.Rev)
	b = appendBytes(b, []byte(c.Key))
	b = appendBytes(b, c.Old)
	return append(b, c.Value...)
}

// decodeCommand is the inverse of encode. The slices of the result alias data.
func decodeCommand(data []byte) (proposalID, Command, error) {
	const fixed = 3 + 3*8
	if len(data) < fixed || data[0] != commandFormat {
		return proposalID{}, Command{}, errBadCommand
	}
	c := Command{Op: Op(data[1]), If: Match(data[2])}
	id := proposalID{
		node: binary.BigEndian.Uint64(data[3:]),
		boot: binary.BigEndian.Uint64(data[11:]),
		seq:  binary.BigEndian.Uint64(data[19:]),
	}
	r := reader{rest: data[fixed:]}
	c.Rev = r.uvarint()
	c.Key = string(r.bytes())
	c.Old = r.bytes()
	c.Value = r.rest
	if r.bad || (c.Op != Put && c.Op != Delete) || c.If > IfRevision {
		return proposalID{}, Command{}, errBadCommand
	}
	return id, c, nil
}

func appendBytes(b, p []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(p))), p...)
}

// reader takes uvarints and length-prefixed strings off a buffer. After the first malformed one it
// returns zero values, so that the caller checks once, at the end.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	p := r.rest[:n:n]
	r.rest = r.rest[n:]
	return p
}
