package results

import (
	"cmp"
	"math"
	"slices"
	"time"

	"ordeal/history"
)

// figures are the numbers of a run: in all, over time, and around every fault.
type figures struct {
	End     time.Duration // when the load ended
	Width   time.Duration // of one bucket
	Buckets []bucket
	Latency latency // of all ok operations
	Ops     Counts
	Outage  stretch // the longest time in which no operation ended ok
	Windows []windowFigures
}

// bucket counts the operations that ended in one stretch of time.
type bucket struct {
	From    time.Duration
	Ops     Counts
	Latency latency
}

// latency says how long ok operations took. All are 0 if there were none.
type latency struct{ P50, P95, P99, Max time.Duration }

// stretch is a part of the run.
type stretch struct{ From, To time.Duration }

func (s stretch) length() time.Duration { return s.To - s.From }

// windowFigures say what the load saw of one fault.
type windowFigures struct {
	history.Window
	Ops                   Counts        // that began inside
	Outage                stretch       // the longest time inside in which no operation ended ok
	Before, During, After time.Duration // p99 of the ok operations that ended in the 5 s before, inside, in the 5 s after
	Recovery              time.Duration // from the end of the window until every target had answered ok; Never if one did not
	Slowest               string        // the target that took longest, or did not answer
}

const (
	maxBuckets = 200             // columns of a chart
	around     = 5 * time.Second // what counts as just before and just after a fault
)

// measure computes the figures of a run that ended at end.
func measure(ops []history.Op, windows []history.Window, end time.Duration) figures {
	f := figures{End: end, Width: bucketWidth(end)}
	f.Buckets = make([]bucket, int(end/f.Width)+1)
	took := make([][]time.Duration, len(f.Buckets))
	var all []time.Duration
	for i := range f.Buckets {
		f.Buckets[i].From = time.Duration(i) * f.Width
	}
	done := okByEnd(ops)
	for _, op := range ops {
		i := int(max(0, min(op.Ended, end)) / f.Width)
		f.Buckets[i].Ops.add(op.Type)
		f.Ops.add(op.Type)
		if op.Type == history.OK {
			took[i] = append(took[i], op.Return-op.Call)
			all = append(all, op.Return-op.Call)
		}
	}
	for i := range took {
		f.Buckets[i].Latency = latencyOf(took[i])
	}
	f.Latency = latencyOf(all)
	f.Outage = outage(done, 0, end)
	for _, w := range windows {
		f.Windows = append(f.Windows, measureWindow(w, ops, done, end))
	}
	return f
}

// answer is an ok operation, as far as the figures need it.
type answer struct {
	Call, Return time.Duration
	Node         string
}

// okByEnd is the ok operations in the order in which they ended.
func okByEnd(ops []history.Op) []answer {
	done := make([]answer, 0, len(ops))
	for _, op := range ops {
		if op.Type == history.OK {
			done = append(done, answer{op.Call, op.Return, op.Node})
		}
	}
	slices.SortStableFunc(done, func(a, b answer) int { return cmp.Compare(a.Return, b.Return) })
	return done
}

// bucketWidth is the shortest round width that needs no more than maxBuckets.
func bucketWidth(end time.Duration) time.Duration {
	for unit := 10 * time.Millisecond; ; unit *= 10 {
		for _, times := range []time.Duration{1, 2, 5} {
			if end/(unit*times) < maxBuckets {
				return unit * times
			}
		}
	}
}

func (c *Counts) add(t history.Type) {
	switch t {
	case history.OK:
		c.OK++
	case history.Fail:
		c.Fail++
	default:
		c.Info++
	}
}

func latencyOf(took []time.Duration) latency {
	if len(took) == 0 {
		return latency{}
	}
	slices.Sort(took)
	return latency{quantile(took, 0.50), quantile(took, 0.95), quantile(took, 0.99), took[len(took)-1]}
}

// quantile is the smallest of the sorted values that at least a share q of them do not exceed.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

// from is the position of the first of done that ended at t or later.
func from(done []answer, t time.Duration) int {
	i, _ := slices.BinarySearchFunc(done, t, func(op answer, t time.Duration) int {
		if op.Return < t {
			return -1
		}
		return 1
	})
	return i
}

func outage(done []answer, begin, end time.Duration) stretch {
	longest, last := stretch{begin, begin}, begin
	for _, op := range done[from(done, begin):] {
		if op.Return > end {
			break
		}
		if op.Return-last > longest.length() {
			longest = stretch{last, op.Return}
		}
		last = op.Return
	}
	if end-last > longest.length() {
		longest = stretch{last, end}
	}
	return longest
}

func measureWindow(w history.Window, ops []history.Op, done []answer, end time.Duration) windowFigures {
	f := windowFigures{Window: w}
	to := min(w.To, end)
	first, _ := slices.BinarySearchFunc(ops, w.From, func(op history.Op, t time.Duration) int {
		if op.Call < t {
			return -1
		}
		return 1
	})
	for _, op := range ops[first:] {
		if op.Call > to {
			break
		}
		f.Ops.add(op.Type)
	}
	f.Outage = outage(done, w.From, to)
	f.Before = p99(done, w.From-around, w.From)
	f.During = p99(done, w.From, to)
	f.After = p99(done, to, to+around)
	f.Recovery, f.Slowest = recovery(w, done)
	return f
}

func p99(done []answer, begin, end time.Duration) time.Duration {
	var took []time.Duration
	for _, op := range done[from(done, begin):] {
		if op.Return >= end {
			break
		}
		took = append(took, op.Return-op.Call)
	}
	slices.Sort(took)
	return quantile(took, 0.99)
}

// recovery finds the last of the window's targets to give an ok answer to a request sent after it.
func recovery(w history.Window, done []answer) (time.Duration, string) {
	if w.To == history.Never {
		return history.Never, ""
	}
	missing := make(map[string]bool, len(w.Target))
	for _, n := range w.Target {
		missing[n] = true
	}
	var took time.Duration
	var slowest string
	for _, op := range done[from(done, w.To):] {
		if len(missing) == 0 {
			break
		}
		if op.Call >= w.To && missing[op.Node] {
			delete(missing, op.Node)
			took, slowest = op.Return-w.To, op.Node
		}
	}
	for _, n := range w.Target {
		if missing[n] {
			return history.Never, n
		}
	}
	return took, slowest
}
