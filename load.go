package ordeal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"ordeal/cluster"
	"ordeal/history"
	"ordeal/workloads"
)

// After an operation that the system did not answer, a client waits this long, give or take half, so
// that a node that refuses connections is asked, but not flooded.
const backoff = 20 * time.Millisecond

// dueMax is how far ahead the pace looks, in seconds: longer than any load.
const dueMax = 1e8

// Bounds of what a client may put into a completion: it may come from a node. They keep a line of the
// history short enough to be read again.
const (
	errBytesMax   = 200
	valueBytesMax = 8 << 20
)

// load runs the workload's clients until stop is closed, and returns when each has recorded the
// outcome of its last operation. If ctx ends, operations under way are abandoned: their outcome is info.
// A client that breaks tells fail.
func (t *trial) load(ctx context.Context, stop <-chan struct{}, fail context.CancelCauseFunc) {
	var clients sync.WaitGroup
	for i := range t.Concurrency {
		clients.Go(func() {
			if err := guarded(func() error { return t.client(ctx, stop, i) }); err != nil {
				fail(fmt.Errorf("client %d: %w", i, err))
			}
		})
	}
	clients.Wait()
}

// guarded turns a panic of f into an error: what somebody's client does wrong must not look like a verdict.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// client sends one operation at a time, each once, over connections of its own.
func (t *trial) client(ctx context.Context, stop <-chan struct{}, i int) error {
	links, err := t.dial(ctx, i)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range links {
			_ = l.client.Close() // all outcomes are recorded
		}
	}()
	rng := rand.New(rand.NewPCG(t.Seed, 1<<32+uint64(i)))
	process, sent := i, 0
	for op := range t.workload.Ops(rng, i) {
		if !t.pace(stop, i, sent) {
			return nil
		}
		l := &links[sent%len(links)]
		sent++
		op.Process, op.Node = process, l.node.ID
		done := t.invoke(ctx, l.client, op)
		if t.workload.Done != nil {
			t.workload.Done(i, done)
		}
		if done.Type == history.Info {
			process += t.Concurrency // what is still open belongs to the old id for ever
			if err := t.redial(ctx, l); err != nil {
				return err
			}
		}
		if done.Type != history.OK && done.Value == nil {
			wait(stop, backoff/2+rand.N(backoff)) //nolint:gosec // pacing, not the operation stream
		}
	}
	return nil
}

// invoke is one operation: its invocation is timed before anything is sent, its completion after
// everything was received.
func (t *trial) invoke(ctx context.Context, client workloads.Client, op history.Event) history.Event {
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	op.Type, op.Time = history.Invoke, t.rec.Elapsed()
	t.rec.Record(op)
	done, err := client.Invoke(ctx, op)
	done.Time = t.rec.Elapsed()
	done.Process, done.F, done.Key, done.Type = op.Process, op.F, op.Key, history.Outcome(err)
	if err != nil {
		text := err.Error()
		done.Err = strings.ToValidUTF8(text[:min(len(text), errBytesMax)], "\uFFFD")
		if bytes.Equal(done.Value, op.Value) {
			done.Value = nil // the invocation's, handed back: it must not be taken for an answer
		}
	}
	if len(done.Value) > valueBytesMax || len(done.Value) > 0 && !json.Valid(done.Value) {
		done.Type, done.Value, done.Err = history.Info, nil, "the client returned a value that is too long or no JSON"
	}
	t.rec.Record(done)
	return done
}

// link is a client's connection to a node.
type link struct {
	node   cluster.NodeSpec
	client workloads.Client
}

// dial connects client i to its node, or, if there are fewer clients than nodes, to its share of them.
func (t *trial) dial(ctx context.Context, i int) ([]link, error) {
	var links []link
	specs := t.cluster.Specs()
	for j := i % len(specs); j < len(specs); j += t.Concurrency {
		client, err := t.System.Dial(ctx, specs[j])
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", specs[j].ID, err)
		}
		links = append(links, link{specs[j], client})
	}
	return links, nil
}

// redial gives a link a new client, so that an answer that is still to come finds nobody.
func (t *trial) redial(ctx context.Context, l *link) error {
	_ = l.client.Close() // its last outcome is recorded
	client, err := t.System.Dial(ctx, l.node)
	if err != nil {
		return fmt.Errorf("dial %s: %w", l.node.ID, err)
	}
	l.client = client
	return nil
}

// pace waits until client i may send its next operation and tells whether the load still goes on.
func (t *trial) pace(stop <-chan struct{}, i, sent int) bool {
	var due time.Duration
	if t.Rate > 0 {
		// Clients take turns: client i sends operations i, i+C, i+2C, … of the whole stream.
		turn := float64(i + sent*t.Concurrency)
		due = t.started + time.Duration(min(turn/t.Rate, dueMax)*float64(time.Second)) - t.rec.Elapsed()
	}
	return wait(stop, due)
}

// wait sleeps for d and tells whether stop was not closed meanwhile.
func wait(stop <-chan struct{}, d time.Duration) bool {
	if d <= 0 {
		select {
		case <-stop:
			return false
		default:
			return true
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-stop:
		return false
	}
}
