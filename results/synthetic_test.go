package results

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// trial makes run directories without a cluster: clients whose operations take as long as faults make
// them, and, if asked for, one stale read in the middle.
type trial struct {
	rnd     *rand.Rand
	events  []history.Event
	windows []history.Window
	process int
}

// syntheticWindows are the faults of a synthetic run of 30 s.
func syntheticWindows() []history.Window {
	return []history.Window{
		{Step: 0, Fault: "kill", Role: "one", Target: []string{"n2"}, From: 4 * sec, To: 7 * sec, Bit: true, Evidence: "pid 4121 gone, restarted as 4190"},
		{Step: 1, Fault: "pause", Role: "leader", Target: []string{"n3"}, From: 9 * sec, To: 11400 * ms, Bit: true, Evidence: "state T for 2.4 s"},
		{Step: 2, Fault: "partition", Role: "one", Target: []string{"n5"}, From: 10 * sec, To: 13500 * ms, Bit: true, Evidence: "312 packets dropped"},
		{Step: 3, Fault: "partition", Role: "majority", Target: []string{"n1", "n4", "n5"}, From: 16 * sec, To: 18200 * ms, Bit: true, Evidence: "4,120 packets dropped"},
		{Step: 4, Fault: "pause", Role: "n3", Target: []string{"n3"}, From: 19 * sec, To: 21 * sec, Bit: true, Evidence: "state T for 2.0 s"},
		{Step: 5, Fault: "kill", Role: "minority", Target: []string{"n1", "n2"}, From: 24 * sec, To: 26 * sec, Evidence: "", Err: "kill n2: no such process"},
	}
}

// newDir is an empty run with a manifest.
func newDir(t testing.TB, workload string, seed uint64) (*Dir, Manifest) {
	t.Helper()
	started := time.Date(2025, 11, 24, 12, 0, 0, 0, time.UTC)
	d, err := Create(t.TempDir(), workload, seed, started)
	require.NoError(t, err)
	m := Manifest{Ordeal: "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d", Workload: workload, System: "kv", Nodes: 5, Seed: seed,
		Command: []string{"ordeal", "run", workload, "--faults", "kill,pause,partition", "--seed", strconv.FormatUint(seed, 10), "--time", "30s"},
		Faults:  []string{"kill", "pause@leader", "partition"}, Time: 30 * sec, Concurrency: 20, Keys: 10, Started: started,
		Machine: "linux 6.8.0, 2 processors", Firewall: "iptables-restore 1.8.10", Timeout: 500 * ms, Bound: 10 * sec}
	require.NoError(t, d.WriteManifest(m))
	require.NoError(t, os.WriteFile(d.Schedule(), []byte("[]\n"), 0o644))
	return d, m
}

// synthetic is a run of n operations in 30 s, judged and with logs.
func synthetic(t testing.TB, n int, stale bool) *Dir {
	t.Helper()
	d, _ := newDir(t, "register", 42)
	tr := &trial{rnd: rand.New(rand.NewPCG(1, 2)), windows: syntheticWindows(), process: 1000}
	tr.load(n)
	if stale {
		tr.staleRead()
	}
	tr.observe()
	slices.SortStableFunc(tr.events, func(a, b history.Event) int { return cmp.Compare(a.Time, b.Time) })
	for i := range tr.events {
		tr.events[i].Index = i
	}
	writeEvents(t, d, tr.events)
	v := Verdict{Status: checker.Valid, Windows: tr.windows, RecoveryMS: map[string]float64{"n1": 41.2, "n2": 320.9, "n3": 12.1, "n4": 3.4},
		Checkers: []CheckerRow{{Name: "register", Engine: "zones", ElapsedMS: 412.4}, {Name: "replicas", Engine: "apply logs", ElapsedMS: 31}, {Name: "liveness", ElapsedMS: 0.2}}}
	if stale {
		f := tr.finding()
		v.Status, v.Findings = checker.Invalid, []Finding{f}
		v.Checkers[0].Status, v.Checkers[0].Reason = checker.Invalid, "1 of 10 keys is not linearizable"
	}
	v.Checkers[2].Status, v.Checkers[2].Reason = checker.Unknown, "n5 was never asked after the last fault"
	require.NoError(t, d.WriteVerdict(v))
	tr.logs(t, d)
	return d
}

func writeEvents(t testing.TB, d *Dir, events []history.Event) {
	t.Helper()
	var data []byte
	for _, e := range events {
		var err error
		data, err = history.AppendJSON(data, e)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(d.History(), data, 0o644))
}

// load has 20 clients go on for 30 s, n operations in all.
func (tr *trial) load(n int) {
	const clients = 20
	pace := 30 * sec * clients / time.Duration(n)
	for c := range clients {
		process, at := c, time.Duration(c)*100*time.Microsecond
		for at < 30*sec {
			took, kind := tr.outcome(at, pace)
			tr.op(process, at, took, kind)
			if kind == history.Info {
				process = tr.process
				tr.process++
			}
			at += max(took, pace*9/10) + 1
		}
	}
}

func (tr *trial) outcome(at, pace time.Duration) (time.Duration, history.Type) {
	took := time.Duration(float64(min(pace/2, 3*ms)) * math.Exp(tr.rnd.NormFloat64()*0.5))
	for _, w := range tr.windows {
		since := at - w.From
		switch {
		case since < 0 || at > w.To:
		case w.Role == "leader" && since < 1300*ms, w.Role == "majority" && since < 1900*ms:
			return 500 * ms, history.Info
		case tr.rnd.IntN(80) == 0:
			return 500 * ms, history.Info
		default:
			took *= 3
		}
	}
	if tr.rnd.IntN(120) == 0 {
		return took, history.Fail
	}
	return took, history.OK
}

func (tr *trial) op(process int, at, took time.Duration, kind history.Type) {
	n := len(tr.events)
	e := history.Event{Time: at, Process: process, Type: history.Invoke, F: "read", Key: fmt.Sprintf("k%d", tr.rnd.IntN(10)), Node: fmt.Sprintf("n%d", 1+tr.rnd.IntN(5))}
	number := json.RawMessage(strconv.Itoa(n))
	if tr.rnd.IntN(2) == 0 {
		e.F, e.Value = "write", number
	}
	tr.events = append(tr.events, e)
	e.Time, e.Type, e.Term, e.Revision = at+took, kind, 7, uint64(n)
	switch {
	case kind == history.Info:
		e.Err, e.Term, e.Revision = "context deadline exceeded", 0, 0
	case kind == history.Fail:
		e.Err = "409 not the leader: not applied"
	case e.F == "read":
		e.Value = number
	}
	tr.events = append(tr.events, e)
}

// staleRead plants put 5, put 9, get 9, get 5 on k3.
func (tr *trial) staleRead() {
	for i, o := range []struct {
		f, node, value string
		at, took       time.Duration
	}{
		{"write", "n1", "5", 18900 * ms, 31 * ms},
		{"write", "n2", "9", 19010 * ms, 62 * ms},
		{"read", "n2", "9", 19095 * ms, 22 * ms},
		{"read", "n3", "5", 19235 * ms, 41 * ms},
	} {
		process := []int{8004, 8002, 8002, 8007}[i]
		e := history.Event{Time: o.at, Process: process, Type: history.Invoke, F: o.f, Key: "k3", Node: o.node}
		if o.f == "write" {
			e.Value = json.RawMessage(o.value)
		}
		tr.events = append(tr.events, e)
		e.Time, e.Type, e.Value, e.Term, e.Revision = o.at+o.took, history.OK, json.RawMessage(o.value), 8, uint64(900+i)
		tr.events = append(tr.events, e)
	}
}

func (tr *trial) finding() Finding {
	f := Finding{Checker: "register", Window: "pause n3 19.00–21.00 s"}
	f.Key, f.Rule = "k3", "stale read"
	f.Text = "get 5 by p8007 via n3 began 118 ms after get 9 by p8002 had finished; 9 was written after 5 was done."
	f.Proof = []string{
		"put 5 by p8004 finished at 18.931 s.",
		"put 9 by p8002 began at 19.010 s, after put 5 had finished: 9 comes after 5.",
		"get 9 by p8002 finished at 19.117 s: 9 had been written by then.",
		"get 5 by p8007 began at 19.235 s, after that, and 5 was never written again: it must not return 5, but it did.",
	}
	for _, e := range tr.events {
		if e.Process >= 8000 && e.Type == history.Invoke {
			f.Ops = append(f.Ops, e.Index)
		}
	}
	f.From, f.To = 18900*ms, 19276*ms
	return f
}

// observe adds the leaders, the faults and the end.
func (tr *trial) observe() {
	for i, l := range []struct {
		at   time.Duration
		node string
	}{{120 * ms, "n2"}, {4400 * ms, "n3"}, {10200 * ms, "n1"}, {17700 * ms, "n2"}, {24500 * ms, "n4"}} {
		tr.events = append(tr.events, history.Event{Time: l.at, Process: history.Observer, Type: history.Info, F: history.SawLeader, Node: l.node, Term: uint64(3 + i)})
	}
	for _, w := range tr.windows {
		v, _ := json.Marshal(history.WindowValue{Step: w.Step, Phase: history.PhaseBegin, Role: w.Role, Target: w.Target})
		tr.events = append(tr.events, history.Event{Time: w.From, Process: history.Nemesis, Type: history.Info, F: w.Fault, Value: v})
		v, _ = json.Marshal(history.WindowValue{Step: w.Step, Phase: history.PhaseEnd, Bit: w.Bit, Evidence: w.Evidence})
		tr.events = append(tr.events, history.Event{Time: w.To, Process: history.Nemesis, Type: history.Info, F: w.Fault, Value: v, Err: w.Err})
	}
	tr.events = append(tr.events, history.Event{Time: 30600 * ms, Process: history.Observer, Type: history.Info, F: history.SawEnd})
}

// logs has each node say 40 lines a second, and the harness mark what it does.
func (tr *trial) logs(t testing.TB, d *Dir) {
	for n := 1; n <= 5; n++ {
		var b strings.Builder
		for i := range 30 * 40 {
			at := float64(i)/40 + float64(n)/1000
			if i == 19*40 && n == 3 {
				fmt.Fprintf(&b, "%12.6f --- SIGSTOP\n", at)
			}
			fmt.Fprintf(&b, "%12.6f err raft: node %d at term %d: heartbeat %d from n2, commit %d\n", at, n, 3+i/300, i, i*90)
		}
		require.NoError(t, os.WriteFile(d.NodeLog(fmt.Sprintf("n%d", n)), []byte(b.String()), 0o644))
	}
}
