package kv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Bounds of what other nodes send at once: a stream's frame, a snapshot.
const (
	maxRaftBody     = 64 << 20
	maxSnapshotBody = 2 << 30
)

// ServeHTTP serves clients and other nodes. It looks at the escaped path itself: a ServeMux would
// redirect keys that look like paths (a//b, ..).
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	route := r.Method + " " + r.URL.EscapedPath()
	key, isKey := strings.CutPrefix(r.URL.EscapedPath(), "/kv/")
	switch {
	case isKey:
		n.reply(w, n.serveKey(w, r, key))
	case route == "GET /status":
		n.serveStatus(w, r)
	case route == "POST /raft":
		n.serveStream(w, r)
	case route == "POST /raft/snapshot":
		n.serveSnapshot(w, r)
	default:
		n.reply(w, n.failed(refusal(CodeBadRequest, "no such path: "+route)))
	}
}

// failed is the answer to a request that did not come back from the core.
func (n *Node) failed(err *Error) Response {
	return Response{Err: err, Term: n.term.Load(), Applied: n.applied.Load()}
}

// serveKey takes one operation through the core. If the client hangs up the request is abandoned, and
// what is returned goes nowhere.
func (n *Node) serveKey(w http.ResponseWriter, r *http.Request, escaped string) Response {
	defer n.open.Add(-1)
	if n.open.Add(1) > MaxOpenRequests {
		return n.failed(refusal(CodeOverloaded, "too many open requests"))
	}
	cmd, bad := parseCommand(w, r, escaped)
	if bad != nil {
		return n.failed(bad)
	}
	answered := make(chan Response, 1)
	req := &Request{
		Command: cmd, Deadline: time.Now().Add(n.cfg.RequestTimeout),
		Done: func(res Response) { answered <- res },
	}
	if !n.post(func(c *Core) { c.Submit(req) }) {
		return n.failed(refusal(CodeOverloaded, "the node is behind"))
	}
	select {
	case res := <-answered:
		return res
	case <-r.Context().Done():
		req.Abandon()
		return n.failed(loss(cmd.Op, CodeTimeout, "the client has gone"))
	case <-n.ctx.Done():
		return n.failed(loss(cmd.Op, CodeStopping, "the node stops"))
	}
}

func parseCommand(w http.ResponseWriter, r *http.Request, escaped string) (Command, *Error) {
	ops := map[string]Op{http.MethodGet: Get, http.MethodPut: Put, http.MethodDelete: Delete}
	key, err := url.PathUnescape(escaped)
	cmd := Command{Op: ops[r.Method], Key: key}
	switch {
	case cmd.Op == 0:
		return cmd, refusal(CodeBadRequest, "method "+r.Method+" is not GET, PUT or DELETE")
	case err != nil:
		return cmd, refusal(CodeBadRequest, err.Error())
	case key == "":
		return cmd, refusal(CodeBadRequest, "empty key")
	case len(key) > MaxKeyBytes:
		return cmd, refusal(CodeKeyTooLarge, fmt.Sprintf("key longer than %d bytes", MaxKeyBytes))
	}
	if err := parseCondition(r, &cmd); err != nil {
		return cmd, refusal(CodeBadRequest, err.Error())
	}
	if cmd.Op != Put {
		return cmd, nil
	}
	cmd.Value, err = readBody(w, r, MaxValueBytes)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return cmd, refusal(CodeValueTooLarge, fmt.Sprintf("value longer than %d bytes", MaxValueBytes))
	case err != nil:
		return cmd, refusal(CodeBadRequest, "body: "+err.Error())
	}
	return cmd, nil
}

// parseCondition reads the query. A parameter that it does not know is an error: a misspelt condition
// must not become an unconditional write.
func parseCondition(r *http.Request, cmd *Command) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if len(query) > 1 || len(query) > 0 && cmd.Op == Get {
		return errors.New("PUT and DELETE take one condition, GET none")
	}
	for name, values := range query {
		switch {
		case len(values) > 1:
			return errors.New("more than one condition")
		case name == "absent":
			cmd.If = IfRevision // 0
		case name == "old":
			cmd.If, cmd.Old = IfValue, []byte(values[0])
		case name == "rev":
			cmd.If = IfRevision
			cmd.Rev, err = strconv.ParseUint(values[0], 10, 64)
		default:
			return fmt.Errorf("unknown condition %q", name)
		}
	}
	return err
}

// readBody reads a body of at most limit bytes.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	var buf bytes.Buffer
	buf.Grow(int(min(max(r.ContentLength, 0), 4<<20)) + bytes.MinRead)
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, limit))
	return buf.Bytes(), err
}

// reply writes an answer.
func (n *Node) reply(w http.ResponseWriter, res Response) {
	h := w.Header()
	for name, v := range map[string]uint64{
		"Kv-Node": n.cfg.ID, "Kv-Term": res.Term, "Kv-Applied": res.Applied, "Kv-Revision": res.Revision,
	} {
		h[name] = []string{strconv.FormatUint(v, 10)}
	}
	if res.Err != nil {
		replyJSON(w, res.Err.status(), res.Err)
		return
	}
	h["Kv-Found"] = []string{strconv.FormatBool(res.Found)}
	h["Content-Type"] = []string{"application/octet-stream"}
	switch {
	case res.Conflict:
		w.WriteHeader(http.StatusPreconditionFailed)
	case !res.Found && res.Revision == 0:
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = w.Write(res.Value) // a client that has gone is no concern of the node
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
		n.reply(w, n.failed(refusal(CodeStopping, "the node stops")))
	}
}

// serveSnapshot takes in a snapshot from another node.
func (n *Node) serveSnapshot(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, maxSnapshotBody)
	var event func(*Core)
	if err == nil {
		event, err = n.messages(body)
	}
	switch {
	case err != nil:
		n.reply(w, n.failed(refusal(CodeBadRequest, err.Error())))
	case !n.post(event):
		n.reply(w, n.failed(refusal(CodeOverloaded, "the node is behind")))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// messages makes an event of messages from another node, if all of them are sound and from members.
func (n *Node) messages(body []byte) (func(*Core), error) {
	messages, err := decodeMessages(body, n.cfg.ID)
	for _, m := range messages {
		if _, member := n.cfg.Peers[m.GetFrom()]; !member {
			return nil, fmt.Errorf("node %d is no member", m.GetFrom())
		}
	}
	return func(c *Core) {
		for _, m := range messages {
			c.Step(m)
		}
	}, err
}
