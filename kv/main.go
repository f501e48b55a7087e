package kv

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Main runs one node until SIGTERM, SIGINT or an error, and returns the exit code: 0 after a signal, 1
// after an error, 2 for arguments that make no sense.
func Main(args []string, stdout, stderr io.Writer) int {
	cfg, err := parseFlags(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "kvnode: %v\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := newLogger(stderr, cfg.ID)
	cfg.Logger = log
	var boot [8]byte
	_, _ = rand.Read(boot[:]) // never fails
	cfg.Boot = binary.BigEndian.Uint64(boot[:])
	node, err := Start(cfg)
	if err != nil {
		log.Errorf("%v", err)
		return 1
	}
	log.Infof("serving on %s", cfg.Listen)
	select {
	case <-ctx.Done():
	case <-node.Stopped():
	}
	if err := node.Stop(); err != nil {
		log.Errorf("stopped: %v", err)
		return 1
	}
	log.Infof("stopped")
	return 0
}

func parseFlags(args []string, stdout io.Writer) (Config, error) {
	var cfg Config
	var peers string
	fs := flag.NewFlagSet("kvnode", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Uint64Var(&cfg.ID, "id", 0, "this node's `number`, from 1")
	fs.StringVar(&peers, "peers", "", "all members: `1=host:port,2=host:port,…`")
	fs.StringVar(&cfg.Dir, "dir", "", "data `directory`, made if absent")
	fs.StringVar(&cfg.ApplyLog, "apply-log", "", "write what is applied to this `file`")
	fs.StringVar(&cfg.Listen, "listen", "", "`host:port` to serve on (default: this node's of --peers)")
	fs.DurationVar(&cfg.Tick, "tick", 25*time.Millisecond, "raft's unit of time")
	fs.IntVar(&cfg.HeartbeatTicks, "heartbeat-ticks", 2, "ticks between heartbeats")
	fs.IntVar(&cfg.ElectionTicks, "election-ticks", 12, "ticks without a leader before an election")
	fs.Uint64Var(&cfg.SnapshotEvery, "snapshot-every", 10_000, "applied entries between snapshots")
	fs.DurationVar(&cfg.RequestTimeout, "request-timeout", 2*time.Second, "longest wait of a request")
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(stdout)
		fs.PrintDefaults()
	}
	if err != nil {
		return cfg, err
	}
	if fs.NArg() > 0 {
		return cfg, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if cfg.Peers, err = parsePeers(peers); err != nil {
		return cfg, err
	}
	if cfg.Listen == "" {
		cfg.Listen = cfg.Peers[cfg.ID]
	}
	return cfg, cfg.check()
}

func parsePeers(list string) (map[uint64]string, error) {
	if list == "" {
		return nil, errors.New("--peers is missing")
	}
	peers := make(map[uint64]string)
	for item := range strings.SplitSeq(list, ",") {
		number, addr, _ := strings.Cut(item, "=")
		id, err := strconv.ParseUint(number, 10, 63)
		if err != nil || id == 0 {
			return nil, fmt.Errorf("--peers: %q is not of the form number=host:port", item)
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("--peers: node %d: %w", id, err)
		}
		if _, twice := peers[id]; twice {
			return nil, fmt.Errorf("--peers: node %d appears twice", id)
		}
		peers[id] = addr
	}
	return peers, nil
}

func (c *Config) check() error {
	_, _, badListen := net.SplitHostPort(c.Listen)
	for _, rule := range []struct {
		ok   bool
		text string
	}{
		{c.ID > 0, "--id is missing"},
		{c.Peers[c.ID] != "", fmt.Sprintf("--id %d is not among --peers", c.ID)},
		{c.Dir != "", "--dir is missing"},
		{c.Tick > 0, "--tick must be positive"},
		{c.HeartbeatTicks > 0, "--heartbeat-ticks must be positive"},
		{c.ElectionTicks > c.HeartbeatTicks, "--election-ticks must be greater than --heartbeat-ticks"},
		{c.SnapshotEvery > 0, "--snapshot-every must be positive"},
		{c.RequestTimeout > 0, "--request-timeout must be positive"},
		{badListen == nil, fmt.Sprintf("--listen: %v", badListen)},
	} {
		if !rule.ok {
			return errors.New(rule.text)
		}
	}
	return nil
}
