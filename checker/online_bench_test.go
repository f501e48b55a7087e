package checker

import (
	"encoding/json"
	"math/rand/v2"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"ordeal/history"
)

// onlineLoad is an endless run as the register workload makes it: clients that do one operation at a time on a few
// keys, each of which is replaced after 400 operations, and looked at for as long again.
type onlineLoad struct {
	r        *rand.Rand
	clients  []onlineClient
	slots    []onlineSlot
	unknown  float64 // share of operations, of which half took effect
	stuck    int     // operations of others while one client waits
	forever  bool    // keys are not replaced
	now      time.Duration
	unknowns int // outcomes
}

type onlineClient struct {
	process int
	op      history.Event // open; Type is Invoke
	slot    *onlineSlot
	old     bool // the key before
	wait    int
}

type onlineSlot struct {
	keys  [2]string // now, before
	state [2]int64
	ops   int
	fresh int64
	index int
	made  int // keys
}

func newOnlineLoad(clients, slots int, unknown float64, forever bool) *onlineLoad {
	l := &onlineLoad{r: rand.New(rand.NewPCG(1, 2)), clients: make([]onlineClient, clients), slots: make([]onlineSlot, slots), unknown: unknown, forever: forever}
	for i := range l.clients {
		l.clients[i].process = i
	}
	for i := range l.slots {
		l.slots[i].index, l.slots[i].keys = i, [2]string{"k" + strconv.Itoa(i), "k" + strconv.Itoa(i)}
	}
	return l
}

// next is the next event. An operation takes effect when its answer is drawn, or when its client gives it up.
func (l *onlineLoad) next() history.Event {
	i := l.r.IntN(len(l.clients))
	c := &l.clients[i]
	for ; c.wait > 0; c = &l.clients[i] {
		c.wait--
		i = l.r.IntN(len(l.clients))
	}
	l.now += 50 * time.Microsecond
	if c.op.Type == history.Invoke {
		return l.answer(c)
	}
	s := &l.slots[l.r.IntN(len(l.slots))]
	if s.ops++; s.ops == 400 && !l.forever {
		s.ops = 0
		s.made++
		s.keys = [2]string{"k" + strconv.Itoa(s.made*len(l.slots)+s.index), s.keys[0]}
		s.state = [2]int64{0, s.state[0]}
		s.fresh = 0
	}
	c.slot, c.old = s, l.r.IntN(20) == 0
	c.op = history.Event{Type: history.Invoke, Process: c.process, Time: l.now, F: "read", Key: s.keys[0]}
	switch p := l.r.IntN(100); {
	case c.old:
		c.op.Key = s.keys[1]
	case p < 50:
	case p < 85:
		s.fresh++
		c.op.F, c.op.Value = "write", strconv.AppendInt(nil, s.fresh, 10)
	default:
		expects := "null"
		if s.fresh > 0 {
			expects = strconv.FormatInt(s.fresh, 10)
		}
		s.fresh++
		c.op.F, c.op.Value = "cas", []byte("["+expects+","+strconv.FormatInt(s.fresh, 10)+"]")
	}
	if l.stuck > 0 && l.r.Float64() < l.unknown {
		c.wait = l.stuck / len(l.clients)
	}
	return c.op
}

func (l *onlineLoad) answer(c *onlineClient) history.Event {
	e := c.op
	e.Type, e.Time, c.op.Type = history.OK, l.now, history.OK
	key := 0
	for key == 0 && e.Key != c.slot.keys[0] {
		if key = 1; e.Key != c.slot.keys[1] {
			e.Type, e.Value = history.Info, nil // long ago: nobody looks any more
		}
	}
	state := &c.slot.state[key]
	happens := true
	if l.r.Float64() < l.unknown {
		happens = l.r.IntN(2) == 0
		e.Type = history.Info
	}
	if e.Type == history.Info {
		c.process += len(l.clients)
		l.unknowns++
	}
	switch e.F {
	case "read":
		if e.Value = nil; e.Type == history.OK {
			e.Value = onlineValue(*state)
		}
	case "write":
		if happens && e.Value != nil {
			*state, _ = strconv.ParseInt(string(e.Value), 10, 64)
		}
	case "cas":
		if e.Value == nil {
			break
		}
		from, to, _ := history.CASValue(e.Value)
		if found := onlineValue(*state); string(from) != string(found) {
			if e.Type == history.OK {
				e.Type, e.Value = history.Fail, found
			}
		} else if happens {
			*state, _ = strconv.ParseInt(string(to), 10, 64)
		}
	}
	if e.Type == history.Info {
		e.Value = nil
	}
	return e
}

func onlineValue(n int64) json.RawMessage {
	if n == 0 {
		return json.RawMessage("null")
	}
	return strconv.AppendInt(nil, n, 10)
}

// onlineBatch is the number of events of an iteration.
const onlineBatch = 1 << 16

func (l *onlineLoad) batch() []history.Event {
	events := make([]history.Event, onlineBatch)
	for i := range events {
		events[i] = l.next()
	}
	return events
}

// BenchmarkOnline feeds runs to Online and tells events a second of processor time, and how fast its memory grows: by
// the second half of the events, at the pace of a day of 10,000 operations a second. A whole day is 26,367 iterations.
func BenchmarkOnline(b *testing.B) {
	for _, c := range []struct {
		name           string
		clients, slots int
		unknown        float64
		stuck          int
		forever        bool
	}{
		{"rotating-keys-20-clients", 20, 5, 0.01, 0, false},
		{"rotating-keys-20-percent-unknown", 20, 5, 0.2, 0, false},
		{"rotating-keys-stuck-clients", 20, 5, 0.01, 5000, false},
		{"one-key-for-ever-20-clients", 20, 1, 0.01, 0, true},
		{"one-key-for-ever-100-clients-5-percent-unknown", 100, 1, 0.05, 0, true},
		{"one-key-for-ever-stuck-clients", 100, 1, 0.01, 10_000, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			load := newOnlineLoad(c.clients, c.slots, c.unknown, c.forever)
			load.stuck = c.stuck
			o := OnlineRegister(c.clients)
			var spent time.Duration
			var heap [2]int64 // after the first half, after all
			before := heapInUse()
			b.StopTimer()
			for i := range b.N {
				events := load.batch()
				from := processorTime(b)
				b.StartTimer()
				for _, e := range events {
					if o.Take(e) {
						b.Fatalf("convicted: %v", e)
					}
				}
				b.StopTimer()
				spent += processorTime(b) - from
				if i == (b.N-1)/2 {
					heap[0] = heapInUse()
				}
			}
			heap[1] = heapInUse()
			events := float64(b.N) * onlineBatch
			b.ReportMetric(events/spent.Seconds()/1e6, "M-events/cpu-s")
			b.ReportMetric(float64(heap[1]-heap[0])/(events/2)*10_000*2*86_400/(1<<20), "MiB/day")
			b.ReportMetric(float64(heap[1]-before)/(1<<20), "MiB")
			b.ReportMetric(float64(heap[1]-heap[0])/float64(load.unknowns/2), "B/unknown")
			b.ReportMetric(0, "ns/op")
			runtime.KeepAlive(o)
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// processorTime is what all threads have used; on a busy machine it says more than the clock.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
