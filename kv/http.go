package kv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// routes are all paths but /kv/: see ServeHTTP.
func (n *Node) routes() http.Handler {
	membership := func(r Response) any { return map[string]any{"id": r.ID, "members": n.members.Load().Addrs} }
	txn := func(r Response) any { return map[string]any{"succeeded": !r.Else, "results": r.Results} }
	session := func(r Response) any { return map[string]any{"session": r.Results[0].Rev} }
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"POST /txn":                  n.operation(parseTxn, txn),
		"POST /sessions":             n.operation(parseOpen, session),
		"POST /members":              n.operation(parseChange(AddMember), membership),
		"POST /members/{id}/promote": n.operation(parseChange(PromoteMember), membership),
		"DELETE /members/{id}":       n.operation(parseChange(RemoveMember), membership),
		"POST /leader/{id}":          n.operation(parseChange(Transfer), membership),
		"GET /status":                n.serveStatus,
		"POST /birth":                n.serveBirth,
		"POST /raft":                 n.serveStream,
		"/": func(w http.ResponseWriter, r *http.Request) {
			n.refuse(w, refusal(CodeBadRequest, "no such path: "+r.Method+" "+r.URL.Path))
		},
	} {
		mux.HandleFunc(pattern, handler)
	}
	return mux
}

// ServeHTTP serves clients and other nodes. Keys do not go through a ServeMux: it would redirect those that
// look like paths (a//b, ..).
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case !n.ready.Load() && path != "/birth":
		n.refuse(w, refusal(CodeJoining, "not a member yet"))
	case strings.HasPrefix(path, "/kv/"):
		n.operation(parseKey, nil)(w, r)
	default:
		n.mux.ServeHTTP(w, r)
	}
}

// operation serves one kind of request; describe makes the JSON of its answer, nil stands for a key's.
func (n *Node) operation(parse parser, describe func(Response) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		defer n.open.Add(-1)
		if n.open.Add(1) > MaxOpenRequests {
			n.refuse(w, refusal(CodeOverloaded, "too many open requests"))
			return
		}
		req, bad := parse(w, r)
		if bad != nil {
			n.refuse(w, bad)
			return
		}
		n.reply(w, n.carryOut(r, req), describe)
	}
}

// carryOut takes a request through the core.
func (n *Node) carryOut(r *http.Request, req *Request) Response {
	answered := make(chan Response, 1)
	req.Deadline = time.Now().Add(n.cfg.RequestTimeout)
	req.Done = func(res Response) { answered <- res }
	if !n.post(func(c *Core) { c.Submit(req) }) {
		return Response{Err: refusal(CodeOverloaded, "the node is behind")}
	}
	select {
	case res := <-answered:
		return res
	case <-r.Context().Done():
		return Response{Err: loss(req, CodeTimeout, "the client has gone")}
	case <-n.ctx.Done():
		return Response{Err: loss(req, CodeStopping, "the node stops")}
	}
}

// reply writes an answer; describe makes its JSON, without it the body is the value of its one result.
func (n *Node) reply(w http.ResponseWriter, res Response, describe func(Response) any) {
	h := w.Header()
	number := func(name string, v uint64) { h[name] = []string{strconv.FormatUint(v, 10)} }
	number("Kv-Node", n.id.Load())
	number("Kv-Term", res.Term)
	switch {
	case res.Err != nil:
		replyJSON(w, res.Err.status(), res.Err)
		return
	case describe != nil:
		replyJSON(w, http.StatusOK, describe(res))
		return
	}
	one := append(res.Results, Result{})[0] // a session's command may have been another one before
	number("Kv-Revision", one.Rev)
	h["Kv-Found"] = []string{strconv.FormatBool(one.Rev != 0)}
	h["Content-Type"] = []string{"application/octet-stream"}
	switch {
	case res.Else:
		w.WriteHeader(http.StatusPreconditionFailed)
	case one.Rev == 0:
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write(one.Value) // a client that has gone is no concern of the node
}

// refuse is the answer to a request that the core had no part in.
func (n *Node) refuse(w http.ResponseWriter, err *Error) { n.reply(w, Response{Err: err}, nil) }

func replyJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // likewise
}

func (n *Node) serveStatus(w http.ResponseWriter, r *http.Request) {
	status := make(chan Status, 1)
	n.mustPost(func(c *Core) { status <- c.Status() })
	select {
	case s := <-status:
		replyJSON(w, http.StatusOK, s)
	case <-r.Context().Done():
	case <-n.ctx.Done():
		n.refuse(w, refusal(CodeStopping, "the node stops"))
	}
}

// parser makes a request of what a client has sent.
type parser func(w http.ResponseWriter, r *http.Request) (*Request, *Error)

// parseKey reads an operation on one key: the method and the one parameter that it may have say which. A
// parameter that is not known is an error: a misspelt condition must not become an unconditional write.
func parseKey(w http.ResponseWriter, r *http.Request) (*Request, *Error) {
	key, err := url.PathUnescape(r.URL.EscapedPath()[len("/kv/"):])
	query, queryErr := url.ParseQuery(r.URL.RawQuery)
	if err := errors.Join(err, queryErr); err != nil {
		return nil, refusal(CodeBadRequest, err.Error())
	}
	var name, value string
	for n, values := range query {
		if name, value = n, values[0]; len(query) > 1 || len(values) > 1 {
			return nil, refusal(CodeBadRequest, "more than one parameter")
		}
	}
	op, cond, req := Op{Key: []byte(key)}, Cond{Key: []byte(key)}, new(Request)
	switch r.Method + " " + name {
	case "GET ", "GET mode":
		op.Kind, req.Mode = Get, Mode(value)
	case "PUT ", "PUT old", "PUT rev", "PUT absent":
		op.Kind = Put
	case "DELETE ", "DELETE old", "DELETE rev":
		op.Kind = Delete
	case "POST append":
		op.Kind = Append
	case "POST add":
		op.Kind = Add
		op.Delta, err = strconv.ParseInt(value, 10, 64)
	default:
		return nil, refusal(CodeBadRequest, fmt.Sprintf("%s of a key does not take the parameter %q", r.Method, name))
	}
	switch name {
	case "old":
		cond.Value = []byte(value)
	case "rev", "absent":
		cond.Rev = new(uint64)
		if name == "rev" {
			*cond.Rev, err = strconv.ParseUint(value, 10, 64)
		}
	}
	if err != nil || req.Mode != "" && req.Mode != Linearizable && req.Mode != Lease && req.Mode != Local {
		return nil, refusal(CodeBadRequest, fmt.Sprintf("parameter %s: %q makes no sense", name, value))
	}
	if op.Kind == Put || op.Kind == Append {
		var bad *Error
		if op.Value, bad = readBody(w, r, MaxValueBytes); bad != nil {
			return nil, bad
		}
	}
	req.Then = []Op{op}
	if name == "old" || cond.Rev != nil {
		req.If, req.Else = []Cond{cond}, []Op{{Kind: Get, Key: op.Key}}
	}
	return finishParse(r, req)
}

// parseTxn reads a Command in JSON.
func parseTxn(w http.ResponseWriter, r *http.Request) (*Request, *Error) {
	body, bad := readBody(w, r, MaxTxnBytes)
	if bad != nil {
		return nil, bad
	}
	req := new(Request)
	if err := decodeJSON(body, &req.Command); err != nil {
		return nil, refusal(CodeBadRequest, err.Error())
	}
	return finishParse(r, req)
}

func parseOpen(_ http.ResponseWriter, r *http.Request) (*Request, *Error) {
	return finishParse(r, &Request{Command: Command{Then: []Op{{Kind: Open}}}})
}

// finishParse adds the session and checks the whole.
func finishParse(r *http.Request, req *Request) (*Request, *Error) {
	for name, field := range map[string]*uint64{"Kv-Session": &req.Session, "Kv-Sequence": &req.Seq} {
		if text := r.Header.Get(name); text != "" {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				return nil, refusal(CodeBadRequest, fmt.Sprintf("header %s: %v", name, err))
			}
			*field = n
		}
	}
	if (req.Session == 0) != (req.Seq == 0) {
		return nil, refusal(CodeBadRequest, "a session goes with a sequence, from 1")
	}
	return req, req.check()
}

// parseChange reads a change of the membership.
func parseChange(kind ChangeKind) parser {
	return func(_ http.ResponseWriter, r *http.Request) (*Request, *Error) {
		ch, id := &Change{Kind: kind}, r.PathValue("id")
		if kind == AddMember {
			query := r.URL.Query()
			ch.Addr, id = query.Get("addr"), query.Get("replace")
			if _, _, err := net.SplitHostPort(ch.Addr); err != nil {
				return nil, refusal(CodeBadRequest, "addr: "+err.Error())
			}
		}
		if kind != AddMember || id != "" {
			var err error
			if ch.ID, err = strconv.ParseUint(id, 10, 64); err != nil || ch.ID == 0 {
				return nil, refusal(CodeBadRequest, fmt.Sprintf("%q is no node's number", id))
			}
		}
		return &Request{Change: ch}, nil
	}
}

// readBody reads a body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *Error) {
	deadline := http.NewResponseController(w).SetReadDeadline
	_ = deadline(time.Now().Add(bodyWait))       // or it holds its place for ever
	defer func() { _ = deadline(time.Time{}) }() // whoever cannot set one has none, either
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), limit)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refusal(CodeValueTooLarge, fmt.Sprintf("longer than %d bytes", limit))
	case err != nil:
		return nil, refusal(CodeBadRequest, "body: "+err.Error())
	}
	return buf.Bytes(), nil
}

// Status is what a node says of itself. Nodes with the same Applied must have the same Hash.
type Status struct {
	ID      uint64   `json:"id"`
	Term    uint64   `json:"term"`
	Leader  uint64   `json:"leader"` // 0: none known
	Role    string   `json:"role"`   // follower, precandidate, candidate, leader
	Commit  uint64   `json:"commit"`
	Applied uint64   `json:"applied"`
	Hash    string   `json:"hash"`  // 16 hex digits over all keys, values and revisions
	First   uint64   `json:"first"` // of the log as it is kept
	Last    uint64   `json:"last"`
	Removed bool     `json:"removed"`
	Voters  []uint64 `json:"voters"`

	Learners []uint64          `json:"learners"`
	Members  map[uint64]string `json:"members"` // id: host:port
}

// Status describes the replica as it is now.
func (c *Core) Status() Status {
	st := c.raft.BasicStatus()
	first, _ := c.mem.FirstIndex() // a MemoryStorage never fails here
	last, _ := c.mem.LastIndex()
	return Status{
		ID: c.cfg.ID, Term: st.GetTerm(), Leader: st.Lead, Role: strings.ToLower(st.RaftState.String()[len("State"):]),
		Commit: st.GetCommit(), Applied: c.applied, Hash: fmt.Sprintf("%016x", c.state.hash),
		First: first, Last: last, Removed: c.removed, Voters: c.conf.GetVoters(),
		Learners: c.conf.GetLearners(), Members: c.state.members.Addrs,
	}
}
