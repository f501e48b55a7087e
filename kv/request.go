package kv

import (
	"cmp"
	"time"
)

// Limits on what a client may ask for, and on what is kept for it.
const (
	MaxKeyBytes     = 1 << 10
	MaxValueBytes   = 1 << 20
	MaxTxnOps       = 128     // conditions and operations of one transaction
	MaxTxnBytes     = 4 << 20 // of its JSON
	MaxOpenRequests = 4096
	MaxSessions     = 4096
	maxBatchBytes   = 1 << 20 // of the entries that are proposed as one message
	bodyWait        = 10 * time.Second
)

// Mode is what a read promises.
type Mode string

// The modes. Lease is not safe. It is measured in ticks, which a pause (a stopped process, a suspended
// machine) stops, and raft lets a leader that is cut off lead on for up to two election timeouts while the
// others elect after one: either way it serves what was true before (tikv#964, etcd-io/raft#166).
const (
	Linearizable Mode = "linearizable" // at least as new as all that was acknowledged before it began
	Lease        Mode = "lease"        // that, as long as the leader is not replaced; it asks nobody
	Local        Mode = "local"        // what this node has, however old
)

// Request is one client operation on its way through the core.
type Request struct {
	Command
	Mode     Mode           // of a command that only reads; "" is Linearizable
	Change   *Change        // if not nil, of the membership; Command is then empty
	Deadline time.Time      // after it the core answers with a timeout
	Done     func(Response) // called once, by the goroutine that drives the core
}

// Response is the answer to a Request.
type Response struct {
	Err     *Error   // nil if the command was carried out
	Else    bool     // a condition did not hold
	Results []Result // of Then or Else, one for each operation
	ID      uint64   // of a member that was added
	Term    uint64   // the node's term when it answered
}

// Error is a refusal or a loss, as clients see it. Definite promises that the operation has not happened
// and never will.
type Error struct {
	Text     string `json:"error"`
	Code     string `json:"code"`
	Definite bool   `json:"definite"`
}

// The codes of errors.
const (
	CodeBadRequest    = "bad-request"
	CodeKeyTooLarge   = "key-too-large"
	CodeValueTooLarge = "value-too-large"
	CodeNotANumber    = "not-a-number"   // add: what is there is not, or the sum would not be
	CodeNoSession     = "no-session"     // it was never opened, or dropped for lack of use
	CodeStaleSequence = "stale-sequence" // the session has had a later command
	CodeOverloaded    = "overloaded"     // too many open requests
	CodeBacklog       = "backlog"        // too many uncommitted bytes
	CodeNoLeader      = "no-leader"      // the node knows of none
	CodeLeaderChanged = "leader-changed" // since the write was proposed
	CodeNotLeader     = "not-leader"     // only the leader changes the membership
	CodeBusy          = "busy"           // another change is under way
	CodeNotReady      = "not-ready"      // the learner lags too far behind, or too few voters would be left
	CodeJoining       = "joining"        // the node is not a member yet
	CodeRemoved       = "removed"        // the node is no member any more
	CodeStopping      = "stopping"
	CodeTimeout       = "timeout"
)

// status is the HTTP status of an error.
func (e *Error) status() int {
	return cmp.Or(map[string]int{
		CodeBadRequest: 400, CodeNotANumber: 400, CodeNoSession: 409, CodeStaleSequence: 409, CodeBusy: 409,
		CodeNotReady: 409, CodeRemoved: 410, CodeKeyTooLarge: 413, CodeValueTooLarge: 413, CodeNotLeader: 421,
		CodeOverloaded: 429, CodeBacklog: 429, CodeTimeout: 504,
	}[e.Code], 503)
}

// refusal is an error of something that has not happened and never will.
func refusal(code, text string) *Error { return &Error{Code: code, Text: text, Definite: true} }

// loss is an error of a request whose fate is unknown, unless it would have changed nothing.
func loss(r *Request, code, text string) *Error {
	return &Error{Code: code, Text: text, Definite: r.Change == nil && r.reads()}
}
