package history

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// drainEvery is how long an event may wait in memory before it is written: what a killed harness
// can lose, and how far behind the live view may be.
const drainEvery = 50 * time.Millisecond

// Recorder writes the events of many clients as one history. Record takes no lock: it pushes onto a
// list with one compare-and-swap (R. K. Treiber, IBM RJ 5118, 1986), and a single goroutine takes
// the whole list at a time, turns it round and writes it. So the order of the history is the order
// of the pushes, and a client is never held up by a disk, not even by one that a fault has slowed.
type Recorder struct {
	start time.Time
	w     io.Writer
	tap   func(Event)
	head  atomic.Pointer[recorded]
	next  int    // index of the next event; the writer's
	buf   []byte // of one drain; the writer's
	err   atomic.Pointer[error]
	flush chan chan struct{} // who waits for a drain
	stop  chan struct{}
	done  chan struct{}
	shut  atomic.Bool
}

type recorded struct {
	event Event
	below *recorded
}

// closed is what head points to when nothing is accepted any more.
var closed = new(recorded)

// NewRecorder starts a recorder that writes history.jsonl to w, one Write for all events of a drain.
// start is the zero of all times. tap, unless nil, is called with every event in the order of the
// history, after it was written, by one goroutine; it must not call the recorder's Flush or Close.
func NewRecorder(w io.Writer, start time.Time, tap func(Event)) *Recorder {
	r := &Recorder{start: start, w: w, tap: tap, flush: make(chan chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
	go r.write()
	return r
}

// Elapsed is the time since the start of the run, by the monotonic clock.
func (r *Recorder) Elapsed() time.Duration { return time.Since(r.start) }

// Record adds e to the history. Time is the caller's, who knows when it was (see Elapsed); Index is
// set by the recorder. The bytes of e.Value must not change afterwards. What comes after Close is
// not recorded.
func (r *Recorder) Record(e Event) {
	n := &recorded{event: e}
	for {
		head := r.head.Load()
		if head == closed {
			return
		}
		n.below = head
		if r.head.CompareAndSwap(head, n) {
			return
		}
	}
}

// Err is the first error of writing, or nil. After one nothing more is written: the run should stop,
// for a history with a hole proves nothing.
func (r *Recorder) Err() error {
	if err := r.err.Load(); err != nil {
		return *err
	}
	return nil
}

// Flush returns when what was recorded before the call has been written, and tap has been called with it. What tap
// recorded comes in the history before all that is recorded afterwards.
func (r *Recorder) Flush() {
	drained := make(chan struct{})
	select {
	case r.flush <- drained:
		<-drained
	case <-r.done:
	}
}

// Close writes what is left and returns the first error of writing. It may be called more than once.
func (r *Recorder) Close() error {
	if r.shut.CompareAndSwap(false, true) {
		close(r.stop)
	}
	<-r.done
	return r.Err()
}

func (r *Recorder) write() {
	defer close(r.done)
	tick := time.NewTicker(drainEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.drain(r.head.Swap(nil))
		case drained := <-r.flush:
			r.drain(r.head.Swap(nil))
			close(drained)
		case <-r.stop:
			r.drain(r.head.Swap(closed))
			return
		}
	}
}

// drain writes a list of events, of which the latest is on top.
func (r *Recorder) drain(top *recorded) {
	if top == nil || r.Err() != nil {
		return
	}
	var first *recorded
	for top != nil {
		top, top.below, first = top.below, first, top
	}
	r.buf = r.buf[:0]
	var bad error
	for n := first; n != nil && bad == nil; n = n.below {
		n.event.Index = r.next
		r.next++
		if buf, err := AppendJSON(r.buf, n.event); err != nil {
			bad = fmt.Errorf("record history: %w", err)
		} else {
			r.buf = buf
		}
	}
	if _, err := r.w.Write(r.buf); err != nil {
		r.fail(fmt.Errorf("write history: %w", err))
		return
	}
	if bad != nil {
		r.fail(bad) // what came before it is written
		return
	}
	if r.tap == nil {
		return
	}
	for n := first; n != nil; n = n.below {
		r.tap(n.event)
	}
}

func (r *Recorder) fail(err error) { r.err.CompareAndSwap(nil, &err) }
