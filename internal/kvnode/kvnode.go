// Package kvnode is the command line of a node of the reference key-value store: flags, signals, log. It
// knows nothing of clusters under trial.
package kvnode

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/raft/v3"

	"ordeal/kv"
)

// Main runs one node until SIGTERM, SIGINT or an error, and returns the exit code: 0 after a signal, 1
// after an error, 2 for arguments that make no sense.
func Main(args []string, stdout, stderr io.Writer) int {
	cfg, applyLog, err := parseFlags(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "kvnode: %v\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log := logger{&raft.DefaultLogger{Logger: stdlog.New(stderr, fmt.Sprintf("kvnode %d ", cfg.ID), stdlog.Ltime|stdlog.Lmicroseconds|stdlog.Lmsgprefix)}}
	cfg.Logger = log
	var boot [8]byte
	_, _ = rand.Read(boot[:]) // never fails
	cfg.Boot = binary.BigEndian.Uint64(boot[:])
	journal, err := OpenApplyLog(applyLog)
	if err != nil {
		log.Errorf("apply log: %v", err)
		return 1
	}
	cfg.Journal = journal
	if err := errors.Join(kv.Run(ctx, cfg), journal.Close()); err != nil {
		log.Errorf("stopped: %v", err)
		return 1
	}
	log.Infof("stopped")
	return 0
}

// logger leaves out what raft says of every message that it drops for want of a leader.
type logger struct{ *raft.DefaultLogger }

func (l logger) Infof(format string, v ...any) {
	if !strings.Contains(format, "; dropping ") {
		l.DefaultLogger.Infof(format, v...)
	}
}

func parseFlags(args []string, stdout io.Writer) (cfg kv.Config, applyLog string, err error) {
	var peers, contacts string
	fs := flag.NewFlagSet("kvnode", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Uint64Var(&cfg.ID, "id", 0, "this node's `number`, from 1")
	fs.StringVar(&peers, "peers", "", "all members at the cluster's birth: `1=host:port,2=host:port,…`")
	fs.StringVar(&contacts, "join", "", "instead of --id and --peers: join the cluster of these: `host:port,…`")
	fs.StringVar(&cfg.Dir, "dir", "", "data `directory`, made if absent")
	fs.StringVar(&applyLog, "apply-log", "", "write what is applied to this `file`")
	fs.StringVar(&cfg.Advertise, "advertise", "", "`host:port` at which others reach this node (default: its of --peers, or --listen)")
	fs.StringVar(&cfg.Listen, "listen", "", "`host:port` to serve on (default: --advertise)")
	fs.DurationVar(&cfg.Tick, "tick", 25*time.Millisecond, "raft's unit of time")
	fs.IntVar(&cfg.HeartbeatTicks, "heartbeat-ticks", 2, "ticks between heartbeats")
	fs.IntVar(&cfg.ElectionTicks, "election-ticks", 12, "ticks without a leader before an election")
	fs.Uint64Var(&cfg.SnapshotEvery, "snapshot-every", 10_000, "applied entries between snapshots")
	fs.DurationVar(&cfg.RequestTimeout, "request-timeout", 2*time.Second, "longest wait of a request")
	err = fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(stdout)
		fs.PrintDefaults()
	}
	if err != nil {
		return cfg, "", err
	}
	if fs.NArg() > 0 {
		return cfg, "", fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if (peers == "") == (contacts == "") {
		return cfg, "", errors.New("--peers is missing (or --join; not both)")
	}
	for i, addr := range strings.Split(contacts, ",") {
		if contacts != "" {
			peers += fmt.Sprintf(",%d=%s", i+1, addr)
		}
	}
	if cfg.Peers, err = parsePeers(strings.TrimPrefix(peers, ",")); err != nil {
		return cfg, "", err
	}
	cfg.Advertise = cmp.Or(cfg.Advertise, cfg.Peers[cfg.ID], cfg.Listen)
	cfg.Listen = cmp.Or(cfg.Listen, cfg.Advertise)
	return cfg, applyLog, check(&cfg, contacts != "")
}

func parsePeers(list string) (map[uint64]string, error) {
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

func check(c *kv.Config, joins bool) error {
	_, _, badListen := net.SplitHostPort(c.Listen)
	for _, rule := range []struct {
		ok   bool
		text string
	}{
		{joins != (c.ID > 0), "--id goes with --peers"},
		{joins || c.Peers[c.ID] != "", fmt.Sprintf("--id %d is not among --peers", c.ID)},
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
