package kv

import (
	"cmp"
	"net/http"
	"sync/atomic"
	"time"
)

// Limits on what a client may ask for.
const (
	MaxKeyBytes     = 1 << 10
	MaxValueBytes   = 1 << 20
	MaxOpenRequests = 4096
)

// Request is one client operation on its way through the core.
type Request struct {
	Command
	Deadline time.Time      // after it the core answers with a timeout
	Done     func(Response) // called at most once, by the goroutine that drives the core

	gone     atomic.Bool // nobody waits any more
	finished bool        // answered or dropped; owned by the core
	try      uint64      // reads: the newest ReadIndex that asks for this one
}

// Abandon tells the core, from any goroutine, that nobody waits for the answer. It takes back nothing:
// a write may still be applied.
func (r *Request) Abandon() { r.gone.Store(true) }

// Response is the answer to a Request.
type Response struct {
	Err      *Error // nil if the operation was carried out, or its condition did not hold
	Conflict bool   // the condition did not hold; Value, Found and Revision tell what is there
	Found    bool   // the key exists (get, put, conflict), or existed (delete)
	Value    []byte // of a get or a conflict
	Revision uint64 // index of the key's last change; a write's own index
	Term     uint64 // the node's term when it answered
	Applied  uint64 // the node's applied index when it answered
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
	CodeOverloaded    = "overloaded"     // too many open requests
	CodeBacklog       = "backlog"        // too many uncommitted bytes
	CodeNoLeader      = "no-leader"      // the node knows of none
	CodeLeaderChanged = "leader-changed" // since the write was proposed
	CodeStopping      = "stopping"
	CodeTimeout       = "timeout"
)

// status is the HTTP status of an error.
func (e *Error) status() int {
	statuses := map[string]int{
		CodeBadRequest: http.StatusBadRequest, CodeTimeout: http.StatusGatewayTimeout,
		CodeKeyTooLarge: http.StatusRequestEntityTooLarge, CodeValueTooLarge: http.StatusRequestEntityTooLarge,
		CodeOverloaded: http.StatusTooManyRequests, CodeBacklog: http.StatusTooManyRequests,
	}
	return cmp.Or(statuses[e.Code], http.StatusServiceUnavailable)
}

// refusal is an error of something that has not happened and never will.
func refusal(code, text string) *Error { return &Error{Code: code, Text: text, Definite: true} }

// loss is an error of a request whose fate is unknown, unless it is a read.
func loss(op Op, code, text string) *Error {
	return &Error{Code: code, Text: text, Definite: op == Get}
}
