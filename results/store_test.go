package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

var noon = time.Date(2025, 11, 24, 13, 0, 0, 0, time.FixedZone("CET", 3600))

func TestCreateGivesEachRunAPlaceAndPointsLatestAtIt(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := Create(DefaultOut, "register", 42, noon)
	require.NoError(t, err)
	require.Equal(t, "results/_runs/20251124T120000Z-register-42", first.Path())
	require.DirExists(t, first.Nodes())
	second, err := Create(DefaultOut, "register", 42, noon)
	require.NoError(t, err)
	require.Equal(t, "20251124T120000Z-register-42-2", second.Name())

	target, err := os.Readlink("results/latest")
	require.NoError(t, err)
	require.Equal(t, "_runs/20251124T120000Z-register-42-2", target)
	entries, err := os.ReadDir("results")
	require.NoError(t, err)
	require.Len(t, entries, 2, "no temporary link is left")
}

func TestLatestLiesInsideAnyOtherOut(t *testing.T) {
	out := t.TempDir()
	d, err := Create(out, "register", 1, noon)
	require.NoError(t, err)
	require.NoError(t, d.WriteManifest(Manifest{Command: []string{"ordeal"}, Workload: "register", Seed: 1}))
	opened, err := Open(filepath.Join(out, "latest"))
	require.NoError(t, err)
	require.Equal(t, d.Name(), opened.Name())
}

func TestCreateSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	_, err := Create(filepath.Join(file, "runs"), "register", 1, noon)
	require.EqualError(t, err, "no run can be stored in "+file+"/runs: not a directory")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "latest"), 0o755))
	_, err = Create(dir, "register", 1, noon)
	require.ErrorContains(t, err, filepath.Join(dir, "latest")+" is in the way")
	entries, _ := os.ReadDir(dir)
	require.Len(t, entries, 2, "the run's directory is gone again")
}

func TestNamesCannotLeaveTheDirectory(t *testing.T) {
	d, err := Create(t.TempDir(), "../../etc/x y", 1, noon)
	require.NoError(t, err)
	require.Equal(t, "20251124T120000Z-.._.._etc_x_y-1", d.Name())
	for _, id := range []string{"..", "", "../n1", "/etc/passwd", "a\x00b", strings.Repeat("n", 300)} {
		require.Equal(t, d.Nodes(), filepath.Dir(d.NodeLog(id)), "%q", id)
		require.Equal(t, d.Nodes(), filepath.Dir(d.ApplyLog(id)), "%q", id)
	}
}

func TestOpenWantsARun(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(filepath.Join(dir, "none"))
	require.EqualError(t, err, "no run at "+dir+"/none: no such file or directory")
	_, err = Open(dir)
	require.ErrorContains(t, err, "neither manifest.json nor history.jsonl in it")
}

func TestVerdictAndManifestComeBackAsTheyWere(t *testing.T) {
	d, m := newDir(t, "register", 1<<63+7)
	got, err := d.ReadManifest()
	require.NoError(t, err)
	require.Equal(t, m, got)

	v := Verdict{Status: checker.Unknown, Reason: "no fault bit", Ops: Counts{OK: 1, Fail: 2, Info: 3},
		Checkers: []CheckerRow{{Name: "register", Engine: "zones", ElapsedMS: 1.5}}, Findings: []Finding{},
		Windows:    []history.Window{{Fault: "kill", Target: []string{"n1"}, From: 1, To: history.Never}},
		RecoveryMS: map[string]float64{"n1": 2.5}}
	require.NoError(t, d.WriteVerdict(v))
	back, err := d.ReadVerdict()
	require.NoError(t, err)
	require.Equal(t, v, back)
	left, _ := filepath.Glob(filepath.Join(d.Path(), ".*"))
	require.Empty(t, left, "no temporary file is left")
}

func TestAWriteThatFailsLeavesTheOldFile(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	require.NoError(t, d.WriteVerdict(Verdict{Status: checker.Valid, Checkers: []CheckerRow{}, Findings: []Finding{}, Windows: []history.Window{}}))
	require.Error(t, writeJSON(d.Verdict(), func() {}))
	_, err := d.ReadVerdict()
	require.NoError(t, err)
	require.ErrorContains(t, writeFile(filepath.Join(d.Path(), "none", "x"), nil), "write "+d.Path()+"/none/x: no such file or directory")
}

func TestReadErrorsNameFileAndField(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	whole := `"checkers":[],"findings":[],"windows":[]`
	for text, want := range map[string]string{
		``:                  "empty",
		`{}`:                "status is missing",
		`[]`:                "the whole is a JSON array",
		`{"status":"valid"`: "ends in the middle",
		"{\n\n!":            "line 3: invalid character",
		`{"status":"fine","ops":{},` + whole + `}`:                                              `status "fine" is none of valid, unknown, invalid`,
		`{"status":"valid","ops":{"ok":"many"},` + whole + `}`:                                  "ops.ok is a JSON string",
		`{"status":"valid","ops":{},` + whole + `} {}`:                                          "something follows",
		`{"status":"valid","ops":{},"checkers":[],"findings":[],"windows":[{"from":2,"to":1}]}`: "windows[0].to lies before its from",
	} {
		require.NoError(t, os.WriteFile(d.Verdict(), []byte(text), 0o644))
		_, err := d.ReadVerdict()
		require.ErrorContains(t, err, d.Verdict()+": ", text)
		require.ErrorContains(t, err, want, text)
	}
	require.NoError(t, os.WriteFile(d.Verdict(), []byte(`{"status":"valid","ops":{},"new":1,`+whole+`}`), 0o644))
	_, err := d.ReadVerdict()
	require.NoError(t, err, "a later version may add fields")
}

func TestListShowsEveryRunNewestFirst(t *testing.T) {
	out := t.TempDir()
	add := func(minute int, verdict, manifest string) {
		d, err := Create(out, "register", 1, noon.Add(time.Duration(minute)*time.Minute))
		require.NoError(t, err)
		require.NoError(t, d.WriteManifest(Manifest{Command: []string{"ordeal"}, Workload: "register", Seed: 1}))
		if manifest != "" {
			require.NoError(t, os.WriteFile(d.Manifest(), []byte(manifest), 0o644))
		}
		if verdict != "" {
			require.NoError(t, os.WriteFile(d.Verdict(), []byte(verdict), 0o644))
		}
	}
	rest := `,"ops":{},"checkers":[],"findings":[],"windows":[]}`
	add(1, `{"status":"valid"`+rest, "")
	add(2, `{"status":"invalid"`+rest, "")
	add(3, "", "")
	add(4, `{"status":`, "")
	add(5, "", `{"seed":"x"}`)
	require.NoError(t, os.Mkdir(filepath.Join(out, "other"), 0o755))

	runs, err := List(out)
	require.NoError(t, err)
	var states []State
	for _, s := range runs {
		states = append(states, s.State)
		require.Equal(t, s.State == Broken, s.Err != nil)
	}
	require.Equal(t, []State{Broken, Broken, Unfinished, IsInvalid, IsValid}, states)

	none, err := List(filepath.Join(out, "none"))
	require.NoError(t, err)
	require.Empty(t, none)
}
