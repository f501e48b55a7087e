package ordeal

import (
	"testing"
	"time"

	"ordeal/history"
)

// BenchmarkTrial is a fault-free trial of the reference KV on 3 nodes with 20 clients, 10 s of load an iteration:
// ok operations per second, time from the cluster's start to its first ok answer, time to take it down.
func BenchmarkTrial(b *testing.B) {
	var ok int
	var loaded, firstOK, teardown time.Duration
	for b.Loop() {
		p, err := Config{Nodes: 3, Concurrency: 20, Faults: "none", Time: 10 * time.Second, Out: b.TempDir()}.plan()
		if err != nil {
			b.Fatal(err)
		}
		t, err := newTrial(p, nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := t.record(b.Context()); err != nil {
			b.Fatal(err)
		}
		c, err := openCase(t.dir.History(), t.manifest)
		if err != nil {
			b.Fatal(err)
		}
		end, ended := c.saw(history.SawEnd)
		if !ended || c.counts().OK == 0 {
			b.Fatal("nothing was done")
		}
		ok += c.counts().OK
		loaded += end.Time - t.started
		teardown += t.teardown
		firstOK += c.firstOK()
	}
	b.ReportMetric(float64(ok)/loaded.Seconds(), "op/s")
	b.ReportMetric(firstOK.Seconds()/float64(b.N), "s-to-first-ok")
	b.ReportMetric(teardown.Seconds()/float64(b.N), "s-teardown")
	b.ReportMetric(0, "ns/op")
}

// firstOK is when the first operation succeeded, since the run began.
func (c *trialCase) firstOK() time.Duration {
	for _, e := range c.events {
		if e.Process >= 0 && e.Type == history.OK {
			return e.Time
		}
	}
	return 0
}
