package cluster_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/cluster"
	"ordeal/internal/sandbox"
)

// nodeEnv makes the test binary a node: it is the node's behaviour; see node.
const nodeEnv = "CLUSTER_TEST_NODE"

// port is where nodes listen. Every node has an address of its own, so one port does for all.
const port = "7000"

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if behaviour := os.Getenv(nodeEnv); behaviour != "" {
		return node(behaviour)
	}
	code, done, err := sandbox.Enter()
	if done {
		return code
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // the tests that need it skip, or fail under ORDEAL_REQUIRE
	}
	return m.Run()
}

func needSandbox(tb testing.TB) {
	tb.Helper()
	if err := sandbox.Ready(); err != nil {
		if sandbox.Required("net") {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
}

// node is the program under test's tests.
func node(behaviour string) int {
	name, arg, _ := strings.Cut(behaviour, ":")
	switch name {
	case "serve":
		return serve(arg)
	case "exit": // with this code, saying so
		code, _ := strconv.Atoi(arg)
		fmt.Fprintln(os.Stderr, "leaving with", code)
		return code
	case "family": // leave at once, but a child in the same group, that holds the pipes, stays
		child := exec.Command("/proc/self/exe")
		child.Env = append(os.Environ(), nodeEnv+"=serve:"+arg)
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: arg == "fugitive"}
		if err := child.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 99
		}
		return 3
	case "print": // what the test wrote into the file
		text, err := os.ReadFile("text")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 99
		}
		if _, err := os.Stdout.Write(text); err != nil {
			return 98
		}
		return 0
	}
	fmt.Fprintln(os.Stderr, "no such behaviour:", behaviour)
	return 99
}

// serve answers each line "ADDR" with what ADDR answers to "hello", and "hello" with a greeting
// that counts the starts on this disk.
func serve(addr string) int {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP) // only SIGKILL ends it
	count, _ := os.ReadFile("count")
	count = append(count, '+')
	if err := os.WriteFile("count", count, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	l, err := net.Listen("tcp", net.JoinHostPort(addr, port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	fmt.Println("serving", addr, "home", os.Getenv("HOME"))
	for {
		conn, err := l.Accept()
		if err != nil {
			return 98
		}
		go func() {
			defer func() { _ = conn.Close() }()
			for sc := bufio.NewScanner(conn); sc.Scan(); {
				if sc.Text() == "hello" {
					_, _ = fmt.Fprintf(conn, "%s%s\n", addr, count)
				} else if answer, err := ask(sc.Text(), "hello"); err != nil {
					_, _ = fmt.Fprintln(conn, "error:", err)
				} else {
					_, _ = fmt.Fprintln(conn, answer)
				}
			}
		}()
	}
}

// ask sends one line to a node and returns the answer.
func ask(addr, question string) (string, error) {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(addr, port), 300*time.Millisecond)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	_, _ = fmt.Fprintln(conn, question)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(answer), err
}

// exits collects the calls of Options.Exited.
type exits struct {
	mu   sync.Mutex
	list []string
}

func (e *exits) add(id, state string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, id+" "+state)
}

func (e *exits) get() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.list...)
}

// trial is a cluster of test nodes.
type trial struct {
	*cluster.Cluster
	tb    testing.TB
	dir   string
	exits exits
}

// newTrial makes a cluster whose nodes behave as told, "serve" at their own address by default.
func newTrial(tb testing.TB, n int, behaviour string, files map[string]string) *trial {
	tb.Helper()
	needSandbox(tb)
	tr := &trial{tb: tb, dir: tb.TempDir()}
	var err error
	tr.Cluster, err = cluster.New(context.Background(), cluster.Options{
		Nodes: n,
		Dir:   tr.dir,
		Command: func(s cluster.NodeSpec) (cluster.Command, error) {
			b := behaviour
			if b == "serve" || b == "family" {
				b += ":" + s.Addr.String()
			}
			return cluster.Command{Path: "/proc/self/exe", Env: []string{nodeEnv + "=" + b}, Files: files}, nil
		},
		Exited: tr.exits.add,
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, tr.Close()) })
	return tr
}

func (tr *trial) addr(id string) string {
	for _, s := range tr.Specs() {
		if s.ID == id {
			return s.Addr.String()
		}
	}
	return ""
}

func (tr *trial) start(ids ...string) {
	tr.tb.Helper()
	for _, id := range ids {
		require.NoError(tr.tb, tr.Start(context.Background(), id))
	}
	for _, id := range ids {
		tr.eventually(func() bool { _, err := ask(tr.addr(id), "hello"); return err == nil }, id+" answers")
	}
}

func (tr *trial) eventually(ok func() bool, what string) {
	tr.tb.Helper()
	require.Eventually(tr.tb, ok, 10*time.Second, 2*time.Millisecond, what)
}

func (tr *trial) log(id string) string {
	tr.tb.Helper()
	text, err := os.ReadFile(filepath.Join(tr.dir, "nodes", id+".log"))
	require.NoError(tr.tb, err)
	return string(text)
}
