package kv

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

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
