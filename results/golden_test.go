package results

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var styleBlock = regexp.MustCompile(`(?s)<style>.*?</style>`)

// golden compares with a file of testdata/golden. Style sheets are left out: they are looked at, not
// compared.
func golden(t *testing.T, root, name, got string) {
	t.Helper()
	got = styleBlock.ReplaceAllString(got, "<style></style>")
	path := filepath.Join(root, "testdata", "golden", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run with -update to make it")
	require.Equal(t, string(want), got, name)
}

// small writes a history by hand.
type small struct {
	events []history.Event
}

func (s *small) op(process int, f, key, node, in, out string, call, end time.Duration, kind history.Type, err string) int {
	raw := func(v string) json.RawMessage {
		if v == "" {
			return nil
		}
		return json.RawMessage(v)
	}
	index := len(s.events)
	s.events = append(s.events,
		history.Event{Index: index, Time: call, Process: process, Type: history.Invoke, F: f, Key: key, Value: raw(in), Node: node},
		history.Event{Index: index + 1, Time: end, Process: process, Type: kind, F: f, Key: key, Value: raw(out), Node: node, Term: 7, Revision: uint64(index), Err: err})
	return index
}

func (s *small) note(process int, e history.Event) {
	e.Index, e.Process, e.Type = len(s.events), process, history.Info
	s.events = append(s.events, e)
}

func (s *small) window(step int, fault, role, target string, from, to time.Duration, bit bool, evidence string) {
	v, _ := json.Marshal(history.WindowValue{Step: step, Phase: history.PhaseBegin, Role: role, Target: []string{target}})
	s.note(history.Nemesis, history.Event{Time: from, F: fault, Value: v})
	v, _ = json.Marshal(history.WindowValue{Step: step, Phase: history.PhaseEnd, Bit: bit, Evidence: evidence})
	s.note(history.Nemesis, history.Event{Time: to, F: fault, Value: v})
}

// staleCase is UX.md's example: a stale read through a node that had been paused.
func staleCase(t *testing.T, d *Dir) {
	var s small
	s.note(history.Observer, history.Event{Time: 90 * ms, F: history.SawLeader, Node: "n2", Term: 7})
	five := s.op(4, "write", "k3", "n1", "5", "5", 11980*ms, 12010*ms, history.OK, "")
	s.window(0, "pause", "one", "n3", 12050*ms, 12460*ms, true, "state T for 0.41 s")
	s.op(5, "cas", "k3", "n4", "[1,2]", "5", 12020*ms, 12030*ms, history.Fail, "409 current value is 5")
	nine := s.op(2, "write", "k3", "n2", "9", "9", 12100*ms, 12180*ms, history.OK, "")
	s.op(6, "write", "k3", "n3", "11", "", 12110*ms, 12610*ms, history.Info, "context deadline exceeded")
	seen := s.op(2, "read", "k3", "n2", "", "9", 12230*ms, 12290*ms, history.OK, "")
	bad := s.op(7, "read", "k3", "n3", "", "5", 12408*ms, 12480*ms, history.OK, "")
	s.op(8, "read", "k1", "n1", "", "null", 12600*ms, 12640*ms, history.OK, "")
	s.note(history.Observer, history.Event{Time: 13000 * ms, F: history.SawEnd})
	writeEvents(t, d, s.events)
	f := Finding{Checker: "register", Window: "pause n3 12.05s–12.46s"}
	f.Key, f.Rule = "k3", "stale read"
	f.Text = "get 5 by p7 via n3 began 118 ms after get 9 by p2 had finished; 9 was written after 5 was done."
	f.Proof = []string{
		"put 5 by p4 finished at 12.010 s, before put 9 by p2 began at 12.100 s.",
		"get 9 by p2 finished at 12.290 s: from then on the register holds 9 or something later.",
		"get 5 by p7 began at 12.408 s and returned 5, which is earlier than 9.",
	}
	f.Ops, f.From, f.To = []int{five, nine, seen, bad}, 11980*ms, 12480*ms
	v := Verdict{Status: checker.Invalid, Reason: "register: k3 is not linearizable", Ops: Counts{OK: 5, Fail: 1, Info: 1},
		Checkers: []CheckerRow{{Name: "register", Status: checker.Invalid, Reason: "1 of 2 keys is not linearizable", Engine: "zones", ElapsedMS: 1.2}, {Name: "replicas", ElapsedMS: 3}},
		Findings: []Finding{f}, RecoveryMS: map[string]float64{"n1": 12, "n3": 20.5}}
	require.NoError(t, d.WriteVerdict(v))
	require.NoError(t, os.WriteFile(d.NodeLog("n3"), []byte("    12.051000 --- paused\n    12.461000 --- resumed\n    12.462500 err raft: n3 is behind: 41 < 97\n"), 0o644))
	require.NoError(t, os.WriteFile(d.NodeLog("n2"), []byte("     3.000000 out long before\n    12.470000 out read index 97\n\tat kv.go:12\n"), 0o644))
}

// vacuousCase is a run whose only fault never bit.
func vacuousCase(t *testing.T, d *Dir) {
	var s small
	s.window(0, "partition", "one", "n1", 1000*ms, 2000*ms, false, "0 packets dropped")
	s.op(1, "write", "k1", "n1", "1", "1", 2100*ms, 2104*ms, history.OK, "")
	writeEvents(t, d, s.events)
	require.NoError(t, d.WriteVerdict(Verdict{Status: checker.Unknown, Reason: "partition n1 never bit: 0 packets dropped", Ops: Counts{OK: 1},
		Checkers: []CheckerRow{{Name: "register", Engine: "zones", ElapsedMS: 0.1}}, Findings: []Finding{}}))
}

// cleanCase is a run without anything to say against it.
func cleanCase(t *testing.T, d *Dir) {
	var s small
	s.note(history.Observer, history.Event{Time: 50 * ms, F: history.SawLeader, Node: "n1", Term: 2})
	s.window(0, "kill", "leader", "n1", 1000*ms, 2000*ms, true, "pid 12 gone, 13 started")
	for i := range 40 {
		at := time.Duration(i) * 100 * ms
		s.op(i, "write", "k1", fmt.Sprintf("n%d", i%3+1), strconv.Itoa(i), strconv.Itoa(i), at, at+time.Duration(2+i%7)*ms, history.OK, "")
	}
	writeEvents(t, d, s.events)
	require.NoError(t, d.WriteVerdict(Verdict{Ops: Counts{OK: 40}, Findings: []Finding{},
		Checkers: []CheckerRow{{Name: "register", Engine: "zones", ElapsedMS: 0.4}}, RecoveryMS: map[string]float64{"n1": 105, "n2": 202, "n3": 4}}))
}

func TestGolden(t *testing.T) {
	root, err := os.Getwd()
	require.NoError(t, err)
	for name, make := range map[string]func(*testing.T, *Dir){"stale": staleCase, "vacuous": vacuousCase, "clean": cleanCase} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			d, err := Create(DefaultOut, "register", 42, noon)
			require.NoError(t, err)
			require.NoError(t, d.WriteManifest(Manifest{Ordeal: "1a2b3c4d5e6f", Command: []string{"ordeal", "run", "register", "--faults", "kill,pause,partition", "--seed", "42", "--time", "60s"},
				Workload: "register", System: "kv", Nodes: 3, Faults: []string{"kill", "pause"}, Time: 60 * sec, Seed: 42, Concurrency: 10, Keys: 5, Started: noon}))
			require.NoError(t, os.WriteFile(d.Schedule(), []byte("[]\n"), 0o644))
			make(t, d)
			require.NoError(t, Render(d))
			require.NoError(t, WriteIndex(DefaultOut))
			r, err := Load(d)
			require.NoError(t, err)
			golden(t, root, name+"/terminal.txt", r.Text(false))
			for _, file := range []string{"violation-01.txt", "violation-01.html", "index.html", "junit.xml", "summary.md", "../index.html"} {
				data, err := os.ReadFile(d.file(file))
				if os.IsNotExist(err) && name != "stale" {
					continue
				}
				require.NoError(t, err)
				if file == "../index.html" {
					file = "runs.html"
				}
				golden(t, root, name+"/"+file, string(data))
			}
		})
	}
}
