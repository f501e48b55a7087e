package kv

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/raft/v3/raftpb"
)

// heartbeat is a message from node 1 to node 2 with a number in it.
func heartbeat(n uint64) *pb.Message {
	return &pb.Message{Type: pb.MsgHeartbeat.Enum(), From: new(uint64(1)), To: new(uint64(2)), Commit: &n}
}

// streamTo starts a transport whose only peer, node 2, is at addr; lost gets its reports.
func streamTo(t *testing.T, addr string) (tr *transport, lost chan uint64) {
	lost = make(chan uint64, 1000)
	tr = &transport{lost: func(id uint64) { lost <- id }, warn: t.Logf}
	ctx, cancel := context.WithCancel(t.Context())
	tr.start(ctx, 1, map[uint64]string{1: "", 2: addr})
	t.Cleanup(func() {
		cancel()
		tr.wait()
	})
	return tr, lost
}

// accepted is the receiver's end of a stream, by hand.
type accepted struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func accept(t *testing.T, l net.Listener) accepted {
	conn, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	in := bufio.NewReader(conn)
	req, err := http.ReadRequest(in)
	require.NoError(t, err)
	require.Equal(t, "POST /raft raft-stream", req.Method+" "+req.URL.Path+" "+req.Header.Get("Upgrade"))
	_, err = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
	require.NoError(t, err)
	return accepted{t: t, conn: conn, in: in}
}

// next reads the numbers in the heartbeats of one frame.
func (a accepted) next() (numbers []uint64) {
	var size [4]byte
	_, err := io.ReadFull(a.in, size[:])
	require.NoError(a.t, err)
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(a.in, body)
	require.NoError(a.t, err)
	messages, err := decodeMessages(body, 2)
	require.NoError(a.t, err)
	for _, m := range messages {
		numbers = append(numbers, m.GetCommit())
	}
	return numbers
}

func listen(t *testing.T, addr string) net.Listener {
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestSilentPeer: a stream without acknowledgements is given up and dialled again, however healthy TCP
// takes it to be; one with acknowledgements lives, and so does one that has nothing to carry.
func TestSilentPeer(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	tr, lost := streamTo(t, l.Addr().String())
	tr.Send(heartbeat(1))
	silent := accept(t, l)
	require.Equal(t, []uint64{1}, silent.next())
	require.Equal(t, uint64(2), <-lost)
	_, err := silent.in.ReadByte()
	require.ErrorIs(t, err, io.EOF)

	tr.Send(heartbeat(2))
	good := accept(t, l)
	for n := range uint64(8) {
		require.Equal(t, []uint64{2 + n}, good.next(), "frame 1 is not repeated")
		_, err := good.conn.Write([]byte{0})
		require.NoError(t, err)
		<-time.After(ackTimeout / 5) // time itself is what is tested: all of these take longer than ackTimeout
		tr.Send(heartbeat(3 + n))
	}
	require.Equal(t, []uint64{10}, good.next())
	_, err = good.conn.Write([]byte{0})
	require.NoError(t, err)
	<-time.After(ackTimeout + 100*time.Millisecond)
	tr.Send(heartbeat(11))
	require.Equal(t, []uint64{11}, good.next())
	require.Empty(t, lost)
}

// TestFullPipe: a peer that does not even read blocks a write, and is given up all the same.
func TestFullPipe(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	tr, lost := streamTo(t, l.Addr().String())
	big := heartbeat(1)
	big.Context = make([]byte, 16<<20)
	tr.Send(big)
	accept(t, l)
	require.Equal(t, uint64(2), <-lost)
	tr.Send(heartbeat(2))
	require.Equal(t, []uint64{2}, accept(t, l).next())
}

// TestPeerComesBack: whatever a peer that is down does to the dials, it is reached soon once it is up.
func TestPeerComesBack(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	tr, lost := streamTo(t, l.Addr().String())
	tr.Send(heartbeat(1))
	a := accept(t, l)
	require.Equal(t, []uint64{1}, a.next())
	require.NoError(t, l.Close())
	require.NoError(t, a.conn.Close())
	require.Equal(t, uint64(2), <-lost)
	down := time.Now()
	for n := range uint64(50) { // refused
		tr.Send(heartbeat(n))
		<-time.After(10 * time.Millisecond)
	}
	require.NotEmpty(t, lost)
	require.LessOrEqual(t, len(lost), int(time.Since(down)/dialPause)+2, "dials are paced")

	l = listen(t, l.Addr().String())
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				tr.Send(heartbeat(100))
			}
		}
	}()
	for b := accept(t, l); !slices.Contains(b.next(), 100); { // what was sent during the dial comes first
	}
}

// TestBadFrames: raft would panic on some of these, or take them for its own.
func TestBadFrames(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/ready", "")
	frames := map[string][]byte{
		"length":    {0xff, 0xff, 0xff, 0xff},
		"truncated": {0, 0, 0, 5, 0, 0, 0, 9, 0},
		"malformed": {0, 0, 0, 6, 0, 0, 0, 2, 0xff, 0xff},
	}
	for _, m := range unsound() {
		body, err := appendMessage(make([]byte, 4), m)
		require.NoError(t, err)
		binary.BigEndian.PutUint32(body, uint32(len(body)-4))
		frames[fmt.Sprint(m)] = body
	}
	for name, frame := range frames {
		s, err := openStream(t.Context(), c.peers[1])
		require.NoError(t, err)
		require.NoError(t, s.send(frame))
		err = s.awaitAcks()
		require.Error(t, err, name)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%s: closed, not only ignored", name)
	}
	c.must(http.StatusOK, 1, "PUT", "/kv/still", "alive")
}

// TestNothingStays: when nodes have stopped, so have their goroutines, those of streams included.
func TestNothingStays(t *testing.T) {
	before := runtime.NumGoroutine()
	c := newCluster(t, 3, nil)
	c.must(http.StatusOK, 1, "PUT", "/kv/k", "v")
	for id := range c.peers {
		c.stop(id)
	}
	c.client.CloseIdleConnections()
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 5*time.Second,
		10*time.Millisecond, "Eventually itself has one")
}
