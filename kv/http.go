package kv

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// routes are all paths but /kv/: see ServeHTTP.
func (n *Node) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"POST /txn": n.operation(parseTxn, func(r Response) any {
			return map[string]any{"succeeded": !r.Else, "results": r.Results}
		}),
		"POST /sessions": n.operation(parseOpen, func(r Response) any {
			return map[string]any{"session": r.Results[0].Rev}
		}),
		"POST /members":              n.operation(parseChange(AddMember), n.describeMembers),
		"POST /members/{id}/promote": n.operation(parseChange(PromoteMember), n.describeMembers),
		"DELETE /members/{id}":       n.operation(parseChange(RemoveMember), n.describeMembers),
		"POST /leader/{id}":          n.operation(parseChange(Transfer), n.describeMembers),
		"GET /status":                n.serveStatus,
		"POST /birth":                n.serveBirth,
		"POST /raft":                 n.serveStream,
		"/": func(w http.ResponseWriter, r *http.Request) {
			n.reply(w, n.failed(refusal(CodeBadRequest, "no such path: "+r.Method+" "+r.URL.Path)), nil)
		},
	} {
		mux.HandleFunc(pattern, handler)
	}
	return mux
}

func (n *Node) describeMembers(r Response) any {
	return map[string]any{"id": r.ID, "members": n.members.Load().Addrs}
}

// ServeHTTP serves clients and other nodes. Keys do not go through a ServeMux: it would redirect those that
// look like paths (a//b, ..).
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	switch {
	case !n.ready.Load() && path != "/birth":
		n.reply(w, n.failed(refusal(CodeJoining, "not a member yet")), nil)
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
			n.reply(w, n.failed(refusal(CodeOverloaded, "too many open requests")), nil)
			return
		}
		req, bad := parse(w, r)
		if bad != nil {
			n.reply(w, n.failed(bad), nil)
			return
		}
		n.reply(w, n.carryOut(r, req), describe)
	}
}

// carryOut takes a request through the core. If the client hangs up nobody waits for the answer.
func (n *Node) carryOut(r *http.Request, req *Request) Response {
	answered := make(chan Response, 1)
	req.Deadline = time.Now().Add(n.cfg.RequestTimeout)
	req.Done = func(res Response) { answered <- res }
	if !n.post(func(c *Core) { c.Submit(req) }) {
		return n.failed(refusal(CodeOverloaded, "the node is behind"))
	}
	select {
	case res := <-answered:
		return res
	case <-r.Context().Done():
		return n.failed(loss(req, CodeTimeout, "the client has gone"))
	case <-n.ctx.Done():
		return n.failed(loss(req, CodeStopping, "the node stops"))
	}
}

// failed is the answer to a request that did not come back from the core.
func (n *Node) failed(err *Error) Response {
	return Response{Err: err, Term: n.term.Load(), Applied: n.applied.Load()}
}

// reply writes an answer; describe makes its JSON, without it the body is the value of its one result.
func (n *Node) reply(w http.ResponseWriter, res Response, describe func(Response) any) {
	h := w.Header()
	number := func(name string, v uint64) { h[name] = []string{strconv.FormatUint(v, 10)} }
	number("Kv-Node", n.id.Load())
	number("Kv-Term", res.Term)
	number("Kv-Applied", res.Applied)
	switch {
	case res.Err != nil:
		replyJSON(w, res.Err.status(), res.Err)
		return
	case describe != nil:
		replyJSON(w, http.StatusOK, describe(res))
		return
	}
	one := res.Results[0]
	number("Kv-Revision", one.Rev)
	h["Kv-Found"] = []string{strconv.FormatBool(one.Found)}
	h["Content-Type"] = []string{"application/octet-stream"}
	switch {
	case res.Else:
		w.WriteHeader(http.StatusPreconditionFailed)
	case !one.Found && one.Rev == 0:
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write(one.Value) // a client that has gone is no concern of the node
}

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
		n.reply(w, n.failed(refusal(CodeStopping, "the node stops")), nil)
	}
}
