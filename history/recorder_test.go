package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRecorderKeepsEverythingInOrder(t *testing.T) {
	const clients, each = 8, 500
	var file bytes.Buffer
	var tapped []Event
	r := NewRecorder(&file, time.Now(), func(e Event) { tapped = append(tapped, e) })
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				r.Record(Event{Time: r.Elapsed(), Process: c, Type: Invoke, F: "write", Value: json.RawMessage(fmt.Sprint(i))})
			}
		})
	}
	wg.Wait()
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "closing twice is harmless")
	r.Record(Event{Type: Invoke, F: "late"})

	h, err := Read("history.jsonl", &file)
	require.NoError(t, err)
	require.Empty(t, h.Torn)
	require.Len(t, h.Events, clients*each)
	require.Equal(t, tapped, h.Events)
	last := map[int]string{}
	count := map[int]int{}
	for _, e := range h.Events {
		require.Equal(t, fmt.Sprint(count[e.Process]), string(e.Value), "process %d after %s", e.Process, last[e.Process])
		count[e.Process]++
	}
}

func TestRecorderWritesWhileTheRunGoesOn(t *testing.T) {
	pr, pw := io.Pipe()
	r := NewRecorder(pw, time.Now(), nil)
	r.Record(Event{Time: 7, Type: Invoke, F: "read", Key: "k"})
	line := make([]byte, 200)
	n, err := pr.Read(line) // without Close: the harness may be killed at any moment
	require.NoError(t, err)
	require.Equal(t, `{"index":0,"time":7,"process":0,"type":"invoke","f":"read","key":"k"}`+"\n", string(line[:n]))
	require.NoError(t, r.Close())
}

// What is recorded after a flush comes after all that the tap made of what was recorded before it.
func TestRecorderFlush(t *testing.T) {
	var (
		file   bytes.Buffer
		tapped atomic.Int64
		r      *Recorder
	)
	r = NewRecorder(&file, time.Now(), func(e Event) {
		if tapped.Add(1); e.Process == 0 {
			r.Record(Event{Process: 1, Type: Invoke, F: "seen"})
		}
	})
	for round := range 100 {
		r.Record(Event{Process: 0, Type: Invoke, F: "read"})
		r.Flush()
		require.GreaterOrEqual(t, int(tapped.Load()), 3*round+1)
		r.Record(Event{Process: 2, Type: Invoke, F: "end"})
		r.Flush()
		require.Equal(t, 3*(round+1), int(tapped.Load()))
		require.Equal(t, 3*(round+1), bytes.Count(file.Bytes(), []byte("\n")))
	}
	require.NoError(t, r.Close())
	r.Flush() // there is nothing to wait for

	h, err := Read("history.jsonl", &file)
	require.NoError(t, err)
	for i, e := range h.Events {
		require.Equal(t, i%3, e.Process)
	}
}

type fullDisk struct{ room int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return d.room, errFull
	}
	d.room -= len(p)
	return len(p), nil
}

func TestRecorderReportsTheFirstError(t *testing.T) {
	tapped := 0
	r := NewRecorder(&fullDisk{room: 10}, time.Now(), func(Event) { tapped++ })
	r.Record(Event{Type: Invoke, F: "read"})
	require.Eventually(t, func() bool { return r.Err() != nil }, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, r.Err(), errFull)
	r.Record(Event{Type: Invoke, F: "read"})
	require.ErrorIs(t, r.Close(), errFull)
	require.Zero(t, tapped, "what is not on disk did not happen")
}

func TestRecorderRefusesValuesThatAreNotJSON(t *testing.T) {
	r := NewRecorder(io.Discard, time.Now(), nil)
	r.Record(Event{Type: OK, F: "read", Value: json.RawMessage("{\nbroken")})
	require.ErrorContains(t, r.Close(), `event 0: value "{\nbroken" is not JSON`)
}

func BenchmarkRecord(b *testing.B) {
	r := NewRecorder(io.Discard, time.Now(), nil)
	e := Event{Process: 3, Type: OK, F: "write", Key: "k17", Value: json.RawMessage(`"c3-1234"`), Node: "n2", Term: 4, Revision: 99}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		e := e
		for pb.Next() {
			e.Time = r.Elapsed()
			r.Record(e)
		}
	})
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
