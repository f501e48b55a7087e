package results

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

func okOp(node string, call, took time.Duration) history.Op {
	return history.Op{Type: history.OK, Node: node, Call: call, Return: call + took, Ended: call + took}
}

func TestWindowFigures(t *testing.T) {
	ops := []history.Op{
		okOp("n1", 100*ms, 10*ms),
		okOp("n1", 900*ms, 20*ms),
		{Type: history.Info, Node: "n2", Call: 1100 * ms, Return: history.Never, Ended: 1600 * ms},
		okOp("n1", 1200*ms, 30*ms),
		{Type: history.Fail, Node: "n2", Call: 1300 * ms, Return: 1310 * ms, Ended: 1310 * ms},
		okOp("n2", 1900*ms, 400*ms), // asked before the end: no sign of recovery
		okOp("n1", 2100*ms, 5*ms),
		okOp("n2", 2500*ms, 50*ms),
	}
	w := history.Window{Fault: "kill", Target: []string{"n1", "n2"}, From: 1000 * ms, To: 2000 * ms}
	f := measure(ops, []history.Window{w}, 3000*ms)
	require.Equal(t, Counts{OK: 6, Fail: 1, Info: 1}, f.Ops)
	require.Equal(t, stretch{1230 * ms, 2105 * ms}, f.Outage)
	got := f.Windows[0]
	require.Equal(t, Counts{OK: 2, Fail: 1, Info: 1}, got.Ops)
	require.Equal(t, stretch{1230 * ms, 2000 * ms}, got.Outage)
	require.Equal(t, []time.Duration{20 * ms, 30 * ms, 400 * ms}, []time.Duration{got.Before, got.During, got.After})
	require.Equal(t, 550*ms, got.Recovery)
	require.Equal(t, "n2", got.Slowest)

	w.Target = []string{"n1", "n3"}
	got = measure(ops, []history.Window{w}, 3000*ms).Windows[0]
	require.Equal(t, history.Never, got.Recovery)
	require.Equal(t, "n3", got.Slowest)
	w.To = history.Never
	require.Equal(t, Counts{OK: 4, Fail: 1, Info: 1}, measure(ops, []history.Window{w}, 3000*ms).Windows[0].Ops)
}

func TestBucketsCoverEveryOperation(t *testing.T) {
	for _, end := range []time.Duration{0, ms, sec, 30 * sec, 8 * time.Hour} {
		ops := []history.Op{okOp("n1", 0, end), {Type: history.Info, Call: end, Return: history.Never, Ended: history.Never}}
		f := measure(ops, nil, end)
		require.LessOrEqual(t, len(f.Buckets), maxBuckets)
		sum := 0
		for _, b := range f.Buckets {
			sum += b.Ops.All()
		}
		require.Equal(t, 2, sum)
	}
}

func TestReignsFollowTerms(t *testing.T) {
	saw := func(at time.Duration, node string, term uint64) history.Event {
		return history.Event{Time: at, Process: history.Observer, Type: history.Info, F: history.SawLeader, Node: node, Term: term}
	}
	reigns := reignsOf([]history.Event{saw(1, "n1", 2), saw(2, "n1", 2), saw(5, "n2", 4), saw(6, "n1", 2)}, 9)
	require.Equal(t, []reign{{"n1", 2, 1, 5}, {"n2", 4, 5, 9}}, reigns)
	_, ok := leaderAt(reigns, 0)
	require.False(t, ok)
	l, ok := leaderAt(reigns, 5)
	require.True(t, ok)
	require.Equal(t, "n2", l.Node)
}

func TestAxisIsTrueToScaleOutsideItsCuts(t *testing.T) {
	a := timeAxis{From: 0, To: 1100, Left: 100, Right: 100 + cutWidth + 200, Cuts: []stretch{{100, 1000}}}
	require.InDelta(t, 1, a.scale(), 1e-9)
	require.InDelta(t, 150, float64(a.x(50)), 1e-9)
	require.InDelta(t, 200, float64(a.x(100)), 1e-9)
	require.InDelta(t, float64(200+cutWidth), float64(a.x(1000)), 1e-9)
	require.InDelta(t, float64(300+cutWidth), float64(a.x(5000)), 1e-9, "beyond the end is the end")
	last := px(-1)
	for at := time.Duration(0); at <= 1100; at += 10 {
		require.Greater(t, a.x(at), last, "time never goes back")
		last = a.x(at)
	}
}

func TestLogLinesAreMergedByTime(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	long := strings.Repeat("x", 200<<10)
	require.NoError(t, os.WriteFile(d.NodeLog("n1"), []byte("     1.000000 err one\n  continued\n     3.000000 out three\n"), 0o644))
	require.NoError(t, os.WriteFile(d.NodeLog("n2"), []byte("no prefix\n     2.000000 --- killed\n     2.500000 out "+long+"\n    nan out x\n     9.000000 out late"), 0o644))
	ranges, err := d.readLogs([]logQuery{{Of: stretch{500 * ms, 2 * sec}}, {Of: stretch{2500 * ms, 9 * sec}}})
	require.NoError(t, err)
	require.Equal(t, []logLine{{sec, "n1", "err", "one"}, {sec, "n1", "err", "  continued"}, {2 * sec, "n2", "---", "killed"}}, ranges[0].Lines)
	require.Len(t, ranges[1].Lines, 4)
	require.Less(t, len(ranges[1].Lines[0].Text), 65<<10, "a line is kept only as far as it can be shown")
	require.Equal(t, "late", ranges[1].Lines[3].Text)
}

func TestAChattyNodeLeavesRoomForWhatMatters(t *testing.T) {
	var r logRange
	focus := stretch{2 * sec, 2500 * ms}
	for at := time.Duration(0); at < 4*sec; at += ms {
		r.add(logLine{Time: at, Text: strings.Repeat("x", 170)}, focus)
	}
	require.Equal(t, rangeLimit/r.Lines[0].size(), len(r.Lines))
	require.Equal(t, 4000-len(r.Lines), r.Left)
	require.Less(t, r.Lines[0].Time, focus.From)
	require.Greater(t, r.Lines[len(r.Lines)-1].Time, focus.To)
}
