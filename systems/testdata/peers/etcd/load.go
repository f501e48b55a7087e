// Command load is the load of the side-by-side benchmark in kv/peers_test.go, the same for all that are
// compared: clients that each hold one connection to one node and have one operation open at a time. Only
// the protocol differs, and each is spoken by the client library that its users would take: HTTP by net/http,
// etcd's by clientv3 over gRPC. It knows nothing of how the nodes are started or measured.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	keys       = 1000
	valueBytes = 100
	fillWait   = 30 * time.Second // a cluster has that long to elect its first leader
	opWait     = 10 * time.Second
)

// client is one connection to one node.
type client interface {
	put(ctx context.Context, key, value string) error
	get(ctx context.Context, key string) (value string, err error) // an error if the key is absent
}

// tally is what one client has seen, and summed up what all have.
type tally struct {
	puts, gets []time.Duration
	failed     int
	failure    error // the first
}

// result is printed, as JSON.
type result struct {
	Ops, Failed                            int
	Failure                                string
	Seconds, CPUSeconds                    float64
	SettleSeconds                          float64 // until what was acknowledged had been applied
	PutP50µs, PutP99µs, GetP50µs, GetP99µs float64
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run() error {
	protocol := flag.String("protocol", "", "`http or etcd`")
	prefix := flag.String("prefix", "", "of the `path` of a key, http only")
	nodes := flag.String("nodes", "", "`host:port,…`, given to the clients in turn")
	count := flag.Int("clients", 16, "`number` of clients")
	length := flag.Duration("for", 0, "`time` of load; 0 fills in all keys instead, and waits until every node has them")
	seed := flag.Uint64("seed", 1, "`number` that keys and operations are drawn from")
	flag.Parse()
	addrs := strings.Split(*nodes, ",")
	clients := make([]client, *count)
	for i := range clients {
		var err error
		addr := addrs[i%len(addrs)]
		switch *protocol {
		case "http":
			clients[i] = newHTTPClient(addr, *prefix)
		case "etcd":
			clients[i], err = newEtcdClient(addr)
		default:
			err = fmt.Errorf("no protocol %q", *protocol)
		}
		if err != nil {
			return fmt.Errorf("client of %s: %w", addr, err)
		}
	}
	if *length == 0 {
		return fill(clients)
	}
	r := load(clients, *length, *seed)
	begin := time.Now()
	if err := settle(clients); err != nil {
		return err
	}
	r.SettleSeconds = time.Since(begin).Seconds()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// fill writes every key once and waits until every client's node has all of them. A cluster that has just
// been started refuses at first, and raftexample acknowledges what then gets lost: so it tries again.
func fill(clients []client) error {
	ctx, cancel := context.WithTimeout(context.Background(), fillWait)
	defer cancel()
	value := strings.Repeat("v", valueBytes)
	err := each(clients, func(i int, c client) error {
		for k := i; k < keys; k += len(clients) {
			err := retry(ctx, func(ctx context.Context) error {
				err := c.put(ctx, key(k), value)
				if err == nil {
					_, err = c.get(ctx, key(k))
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(clients, func(_ int, c client) error {
		for k := range keys {
			err := retry(ctx, func(ctx context.Context) error {
				_, err := c.get(ctx, key(k))
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// settle returns when every client has read back a last put from its node. A store that acknowledges
// what it has yet to commit has then caught up.
func settle(clients []client) error {
	ctx, cancel := context.WithTimeout(context.Background(), fillWait)
	defer cancel()
	return each(clients, func(i int, c client) error {
		last := fmt.Sprintf("last-%d", i)
		if err := retry(ctx, func(ctx context.Context) error { return c.put(ctx, last, "put") }); err != nil {
			return err
		}
		return retry(ctx, func(ctx context.Context) error {
			_, err := c.get(ctx, last)
			return err
		})
	})
}

// each runs one function for every client at once.
func each(clients []client, f func(i int, c client) error) error {
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { errs[i] = f(i, c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func retry(ctx context.Context, f func(context.Context) error) error {
	for {
		try, cancel := context.WithTimeout(ctx, time.Second)
		err := f(try)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready after %v: %w", fillWait, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func load(clients []client, length time.Duration, seed uint64) result {
	tallies := make([]tally, len(clients))
	begin, cpu := time.Now(), cpuTime()
	_ = each(clients, func(i int, c client) error {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		tallies[i].work(c, begin.Add(length), rng)
		return nil
	})
	r := result{Seconds: time.Since(begin).Seconds(), CPUSeconds: (cpuTime() - cpu).Seconds()}
	var sum tally
	for _, t := range tallies {
		sum.puts, sum.gets = append(sum.puts, t.puts...), append(sum.gets, t.gets...)
		sum.failed += t.failed
		if sum.failure == nil {
			sum.failure = t.failure
		}
	}
	r.Ops, r.Failed = len(sum.puts)+len(sum.gets), sum.failed
	if sum.failure != nil {
		r.Failure = sum.failure.Error()
	}
	r.PutP50µs, r.PutP99µs = quantiles(sum.puts)
	r.GetP50µs, r.GetP99µs = quantiles(sum.gets)
	return r
}

// work is one client's: half puts, half gets, one after the other.
func (t *tally) work(c client, end time.Time, rng *rand.Rand) {
	value := strings.Repeat("w", valueBytes)
	for begin := time.Now(); begin.Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), opWait)
		k, into := key(rng.IntN(keys)), &t.gets
		var err error
		if rng.IntN(2) == 0 {
			into = &t.puts
			err = c.put(ctx, k, value)
		} else {
			var got string
			if got, err = c.get(ctx, k); err == nil && len(got) != valueBytes {
				err = fmt.Errorf("get %s: %d bytes", k, len(got))
			}
		}
		cancel()
		now := time.Now()
		if err == nil {
			*into = append(*into, now.Sub(begin))
		} else if t.failed++; t.failure == nil {
			t.failure = err
		}
		begin = now
	}
}

func key(k int) string { return fmt.Sprintf("key-%04d", k) }

// quantiles sorts what it is given. Both are 0 for nothing.
func quantiles(d []time.Duration) (p50, p99 float64) {
	if len(d) == 0 {
		return 0, 0
	}
	slices.Sort(d)
	micros := func(q int) float64 { return float64(d[len(d)*q/100].Nanoseconds()) / 1000 }
	return micros(50), micros(99)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for this process
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
