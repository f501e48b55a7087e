package systems

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"ordeal/history"
)

// httpConn is one HTTP/1.1 connection that sends each request exactly once.
//
// net/http's client is not used since it sends some requests again on its own when a kept connection
// turns out to be dead: one operation of the history would then be two on the wire.
type httpConn struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

// bodyMax bounds an answer's body, in bytes.
const bodyMax = 1 << 20

type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends one request. target is the escaped path with its query; headers are whole lines. An error wraps
// history.ErrNotApplied if not one byte was sent; after any error the next request has a new connection.
func (c *httpConn) do(ctx context.Context, method, target string, body []byte, headers ...string) (answer, error) {
	if c.in != nil && c.in.Buffered() > 0 {
		c.close() // bytes that nobody asked for: what follows might answer an earlier request
	}
	if c.conn == nil {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", c.addr)
		if err != nil {
			return answer{}, fmt.Errorf("%w: %w", history.ErrNotApplied, short(err))
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	a, err := c.roundTrip(ctx, method, target, body, headers)
	if err != nil {
		c.close()
		return answer{}, short(err)
	}
	return a, nil
}

func (c *httpConn) roundTrip(ctx context.Context, method, target string, body []byte, headers []string) (answer, error) {
	conn := c.conn
	if err := conn.SetDeadline(time.Time{}); err != nil {
		return answer{}, err
	}
	// A deadline in the past ends reads and writes that are under way.
	release := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer release()
	request := fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", method, target, c.addr, len(body))
	for _, line := range headers {
		request = fmt.Appendf(request, "%s\r\n", line)
	}
	request = append(request, "\r\n"...)
	if _, err := conn.Write(append(request, body...)); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, bodyMax+1))
	if err != nil {
		return answer{}, err
	}
	if len(data) > bodyMax {
		return answer{}, fmt.Errorf("answer over %d bytes", bodyMax)
	}
	if resp.Close || !release() {
		c.close() // the server ends it, or our deadline is on it
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: data}, nil
}

func (c *httpConn) close() {
	if c.conn != nil {
		_ = c.conn.Close() // nothing is left to be lost
	}
	c.conn, c.in = nil, nil
}

// short drops the addresses from a network error: they differ from run to run and say nothing new.
func short(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		text = text[i+2:]
	}
	return errors.New(text)
}
