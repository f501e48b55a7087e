package systems

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// serve answers each connection with script, called with each request in turn; false ends the connection
// without an answer.
func serve(t *testing.T, script func(conn net.Conn, request *http.Request) bool) (addr string, requests *atomic.Int64) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	requests = new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				for {
					request, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					requests.Add(1)
					if !script(conn, request) {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), requests
}

func answerOK(conn net.Conn, _ *http.Request) bool {
	_, err := fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
	return err == nil
}

func TestARequestIsSentOnce(t *testing.T) {
	// The server answers the first request of a connection, then drops it at the second: what net/http's
	// client would send again.
	var seen sync.Map // connections, by address
	addr, requests := serve(t, func(conn net.Conn, r *http.Request) bool {
		if _, again := seen.LoadOrStore(conn.RemoteAddr().String(), true); again {
			return false
		}
		return answerOK(conn, r)
	})
	c := httpConn{addr: addr}
	defer c.close()
	_, err := c.do(t.Context(), "GET", "/", nil)
	require.NoError(t, err)
	_, err = c.do(t.Context(), "GET", "/", nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, history.ErrNotApplied, "it was sent: nobody knows")
	require.EqualValues(t, 2, requests.Load())
	_, err = c.do(t.Context(), "GET", "/", nil)
	require.NoError(t, err, "the next request has a new connection")
}

func TestRefusedIsDefinite(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	c := httpConn{addr: l.Addr().String()}
	_, err = c.do(t.Context(), "PUT", "/", []byte("x"))
	require.ErrorIs(t, err, history.ErrNotApplied)
	require.ErrorContains(t, err, "connection refused")
}

func TestTimeoutIsIndefiniteAndALateAnswerIsNotTaken(t *testing.T) {
	late := make(chan struct{})
	var n atomic.Int64
	addr, _ := serve(t, func(conn net.Conn, r *http.Request) bool {
		if n.Add(1) == 1 {
			<-late // the first request is answered only when the second has been sent
			_, _ = fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
			return true
		}
		return answerOK(conn, r)
	})
	c := httpConn{addr: addr}
	defer c.close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.do(ctx, "PUT", "/", []byte("x"))
	require.Error(t, err)
	require.NotErrorIs(t, err, history.ErrNotApplied)
	close(late)
	a, err := c.do(t.Context(), "GET", "/", nil)
	require.NoError(t, err)
	require.Equal(t, "hi", string(a.body))
}

func TestBytesThatNobodyAskedForAreNotAnAnswer(t *testing.T) {
	var answered atomic.Bool
	addr, _ := serve(t, func(conn net.Conn, r *http.Request) bool {
		if !answered.Swap(true) {
			const two = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"
			_, err := fmt.Fprint(conn, two)
			return err == nil
		}
		return answerOK(conn, r)
	})
	c := httpConn{addr: addr}
	defer c.close()
	a, err := c.do(t.Context(), "GET", "/", nil)
	require.NoError(t, err)
	require.Equal(t, "a", string(a.body))
	a, err = c.do(t.Context(), "GET", "/", nil)
	require.NoError(t, err)
	require.Equal(t, "hi", string(a.body), "the second answer of the first request must not answer the second")
}
