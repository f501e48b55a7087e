package kv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/raft/v3/raftpb"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protodelim"
)

// heartbeat is a message from node 1 to node 2 with a number in it.
func heartbeat(n uint64) *pb.Message {
	return &pb.Message{
		Type: pb.MsgHeartbeat.Enum(), From: new(uint64(1)), To: new(uint64(2)), Term: new(uint64(1)), Commit: &n,
	}
}

// snapshot is one from node 1 to node 2.
func snapshot(data []byte) *pb.Message {
	m := heartbeat(0)
	m.Type, m.Snapshot = pb.MsgSnap.Enum(), &pb.Snapshot{Data: data}
	return m
}

// sender is node 1's transport, and what its hooks were told.
type sender struct {
	transport
	losses chan uint64
	fates  chan string // of snapshots
	gones  chan struct{}
}

// sendTo starts a transport whose only peer, node 2, is at addr.
func sendTo(t *testing.T, addr string) *sender {
	s := &sender{
		losses: make(chan uint64, 10_000), fates: make(chan string, 100), gones: make(chan struct{}, 100),
	}
	s.lost = func(id uint64) { s.losses <- id }
	s.sent = func(id uint64, ok bool) { s.fates <- fmt.Sprintf("%d %t", id, ok) }
	s.gone = func() { s.gones <- struct{}{} }
	s.warn = func(string, ...any) {}
	ctx, cancel := context.WithCancel(t.Context())
	s.ctx, s.self, s.peers = ctx, 1, make(map[uint64]*peer)
	s.setPeers(map[uint64]string{1: "nowhere", 2: addr})
	t.Cleanup(func() {
		cancel()
		s.done.Wait()
	})
	return s
}

// accepted is the receiver's end of a request, by hand.
type accepted struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader // its body
}

// accept takes a connection, and reads the head of its request.
func accept(t *testing.T, l net.Listener) accepted {
	conn, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	req, err := http.ReadRequest(bufio.NewReader(conn))
	require.NoError(t, err)
	require.Equal(t, "POST /raft", req.Method+" "+req.URL.Path)
	require.Equal(t, "1 2", req.Header.Get("Kv-From")+" "+req.Header.Get("Kv-To"))
	return accepted{t: t, conn: conn, in: bufio.NewReader(req.Body)}
}

func (a accepted) answer(text string) {
	_, err := io.WriteString(a.conn, "HTTP/1.1 "+text+"\r\n\r\n")
	require.NoError(a.t, err)
	require.NoError(a.t, a.conn.Close())
}

// next reads the number in the next message.
func (a accepted) next() uint64 {
	a.t.Helper()
	m := new(pb.Message)
	require.NoError(a.t, (protodelim.UnmarshalOptions{MaxSize: messageBytes}).UnmarshalFrom(a.in, m))
	return m.GetCommit()
}

func (a accepted) requireClosed(what string) {
	a.t.Helper()
	_, err := io.Copy(io.Discard, a.in)
	require.False(a.t, errors.Is(err, os.ErrDeadlineExceeded), what)
}

// TestOrder: all messages arrive, in order, whatever waits behind whatever.
func TestOrder(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	s := sendTo(t, l.Addr().String())
	for n := range uint64(queueMessages) { // more than go into one read
		s.Send(heartbeat(n))
	}
	a := accept(t, l)
	for n := range uint64(queueMessages) {
		require.Equal(t, n, a.next())
	}
	require.Empty(t, s.losses)
}

// TestPeerComesBack: a peer that was down is reached soon once it is up. What waited meanwhile is lost, and said to
// be.
func TestPeerComesBack(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	s := sendTo(t, l.Addr().String())
	s.Send(heartbeat(1))
	a := accept(t, l)
	require.Equal(t, uint64(1), a.next())
	require.NoError(t, l.Close())
	require.NoError(t, a.conn.Close())
	require.Equal(t, uint64(2), <-s.losses, "an idle stream notices, too")
	s.Send(heartbeat(10))
	for range 4 {
		require.Equal(t, uint64(2), <-s.losses, "the next dials are refused")
	}
	l = listen(t, l.Addr().String())
	a = accept(t, l)
	s.Send(heartbeat(20))
	require.Equal(t, uint64(20), a.next())
}

// TestFullQueue: a peer that does not take anything is not waited for.
func TestFullQueue(t *testing.T) {
	s := sendTo(t, listen(t, "127.0.0.1:0").Addr().String())
	big := heartbeat(0)
	big.Context = make([]byte, 64<<10)
	for len(s.losses) == 0 { // the connection and its buffers take some
		s.Send(big)
	}
	require.Equal(t, uint64(2), <-s.losses)
	s.Send(&pb.Message{To: new(uint64(3))})
	s.Send(&pb.Message{To: new(uint64(3)), Type: pb.MsgSnap.Enum()})
	require.Empty(t, s.fates, "there is no node 3")
}

// TestRefused: a node that is told that it was removed says so; anything else is one loss more.
func TestRefused(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	s := sendTo(t, l.Addr().String())
	for _, step := range []struct {
		text string
		gone bool
	}{
		{"400 Bad Request", false},
		{"204 No Content", false}, // though a stream does not end
		{"410 Gone", true},
		{"nonsense", false},
		{"410 Gone", true},
	} {
		s.Send(heartbeat(1))
		accept(t, l).answer(step.text)
		require.Equal(t, uint64(2), <-s.losses)
		require.Equal(t, step.gone, len(s.gones) == 1, step.text)
		for range len(s.gones) {
			<-s.gones
		}
	}
	a := accept(t, l)
	s.Send(heartbeat(2))
	require.Equal(t, uint64(2), a.next())
}

// TestSetPeers: streams follow the membership.
func TestSetPeers(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	here, there := listen(t, "127.0.0.1:0"), listen(t, "127.0.0.1:0")
	s := sendTo(t, here.Addr().String())
	s.Send(heartbeat(1))
	a := accept(t, here)
	require.Equal(t, uint64(1), a.next())
	s.setPeers(map[uint64]string{2: here.Addr().String()})
	s.Send(heartbeat(2))
	require.Equal(t, uint64(2), a.next(), "a peer that stays keeps its stream")

	s.setPeers(map[uint64]string{2: there.Addr().String()})
	a.requireClosed("moved")
	s.Send(heartbeat(3))
	a = accept(t, there)
	require.Equal(t, uint64(3), a.next())

	s.Send(snapshot(nil))
	b := accept(t, there)
	s.setPeers(nil)
	a.requireClosed("removed")
	b.requireClosed("removed")
	require.Equal(t, "2 false", <-s.fates)
	s.Send(heartbeat(4))
	s.done.Wait()

	s.setPeers(map[uint64]string{2: here.Addr().String()})
	s.Send(heartbeat(5))
	require.Equal(t, uint64(5), accept(t, here).next(), "back")
	s.setPeers(nil)
	s.done.Wait()
}

// TestSnapshotFates: how the delivery of a snapshot ends is reported once.
func TestSnapshotFates(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	s := sendTo(t, l.Addr().String())
	stream := accept(t, l) // it dials before there is anything to send
	big := snapshot(make([]byte, 10<<20))
	s.Send(big)
	a := accept(t, l)
	a.next()
	a.requireClosed("all has come")
	require.Empty(t, s.fates, "not acknowledged")
	a.answer("204 No Content")
	require.Equal(t, "2 true", <-s.fates)

	s.Send(big)
	require.NoError(t, accept(t, l).conn.Close())
	require.Equal(t, "2 false", <-s.fates, "cut off")

	s.Send(snapshot(nil))
	accept(t, l).next()
	require.Equal(t, "2 false", <-s.fates, "taken, but never acknowledged")

	s.Send(snapshot(nil))
	a = accept(t, l)
	a.next()
	a.answer("400 Bad Request")
	require.Equal(t, "2 false", <-s.fates, "unsound")

	s.Send(snapshot(nil))
	a = accept(t, l)
	a.next()
	a.answer("410 Gone")
	require.Equal(t, "2 false", <-s.fates)
	<-s.gones

	s.Send(heartbeat(1))
	require.Equal(t, uint64(1), stream.next(), "the stream was not disturbed")
	require.NoError(t, l.Close())
	s.Send(big)
	require.Equal(t, "2 false", <-s.fates, "refused")
	require.Empty(t, s.fates)
}
