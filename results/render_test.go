package results

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

func size(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return int(info.Size())
}

func TestPagesOfALargeRunAreSmall(t *testing.T) {
	d := synthetic(t, 30_000, true) // the benchmark has more; columns do not
	require.NoError(t, Render(d))
	page, err := os.ReadFile(d.Index())
	require.NoError(t, err)
	require.Less(t, len(page), 150<<10)
	require.Less(t, len(tag.FindAllString(string(page), -1)), 2000)
	require.Less(t, size(t, d.Violation(1)), violationLimit)
	requireHarmlessPage(t, "index.html", string(page))
}

func TestPagesOfAnAwfulRunAreSmallToo(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	var s small
	for i := range 3000 {
		at := time.Duration(i) * 40 * ms
		s.note(history.Observer, history.Event{Time: at, F: history.SawLeader, Node: fmt.Sprint("n", i%5), Term: uint64(i + 1)})
		s.window(i, "kill", "one", fmt.Sprint("node-with-a-long-name-", i), at, at+time.Duration(30+i%90)*ms, i%2 == 0, strings.Repeat("evidence ", 30))
	}
	var v Verdict
	v.Status, v.Reason, v.RecoveryMS = checker.Invalid, "much", map[string]float64{}
	for i := range 400 {
		at := time.Duration(i) * 300 * ms
		op := s.op(i, "read", fmt.Sprint("k", i), "n1", "", "5", at, at+5*ms, history.OK, "")
		f := Finding{Checker: "register"}
		f.Key, f.Rule, f.Text, f.Ops, f.From, f.To = fmt.Sprint("k", i), "phantom", strings.Repeat("p read 5; nobody ever wrote 5. ", 30), []int{op}, at, at+5*ms
		f.Unconfirmed = "Porcupine did not confirm it within 2s."
		v.Findings = append(v.Findings, f)
	}
	for i := range 9 {
		v.Checkers = append(v.Checkers, CheckerRow{Name: fmt.Sprint("c", i), Status: checker.Invalid, Reason: strings.Repeat("why ", 100)})
		v.RecoveryMS[fmt.Sprint("n", i)] = float64(i)
		require.NoError(t, os.WriteFile(d.NodeLog(fmt.Sprint("n", i)), []byte(strings.Repeat("    60.000000 err "+strings.Repeat("<+>", 90)+"\n", 2000)), 0o644))
	}
	writeEvents(t, d, s.events)
	require.NoError(t, d.WriteVerdict(v))
	require.NoError(t, os.WriteFile(d.Violation(399), nil, 0o644))
	require.NoError(t, Render(d))

	page, err := os.ReadFile(d.Index())
	require.NoError(t, err)
	require.Less(t, len(page), 300<<10)
	require.Less(t, len(tag.FindAllString(string(page), -1)), 2000)
	pages, err := filepath.Glob(d.file("violation-*.html"))
	require.NoError(t, err)
	require.Len(t, pages, violationPages, "and the stale page is gone")
	for _, p := range pages {
		require.LessOrEqual(t, size(t, p), violationLimit, p)
	}
	text, err := os.ReadFile(d.ViolationText(violationPages))
	require.NoError(t, err)
	require.Contains(t, string(text), "k49: phantom")
	require.Contains(t, string(text), "Porcupine did not confirm it within 2s.")
	require.LessOrEqual(t, size(t, d.StepSummary()), summaryLimit)
	full, err := os.ReadFile(d.Violation(50))
	require.NoError(t, err)
	require.NotContains(t, string(full), "more lines of this time", "nothing was logged then")
}

func TestLogsThatDoNotFitAreCounted(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	staleCase(t, d)
	var b strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&b, "%12.6f err %s\n", 10+float64(i)/1000, strings.Repeat("<+>", 20))
	}
	require.NoError(t, os.WriteFile(d.NodeLog("n1"), []byte(b.String()), 0o644))
	require.NoError(t, Render(d))
	page, err := os.ReadFile(d.Violation(1))
	require.NoError(t, err)
	require.LessOrEqual(t, len(page), violationLimit)
	require.Greater(t, len(page), violationLimit*8/10, "the page is filled")
	require.Regexp(t, `[\d,]+ more lines of this time`, string(page))
	require.Contains(t, string(page), "resumed", "what the harness did is kept")
}

func TestRenderGoesAsFarAsTheRunDoes(t *testing.T) {
	t.Run("nothing but a history that is torn", func(t *testing.T) {
		d, _ := newDir(t, "register", 1)
		staleCase(t, d)
		for _, path := range []string{d.Manifest(), d.Verdict(), d.Schedule(), d.Nodes()} {
			require.NoError(t, os.RemoveAll(path))
		}
		data, err := os.ReadFile(d.History())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(d.History(), data[:len(data)-9], 0o644))
		require.NoError(t, Render(d))
		r, err := Load(d)
		require.NoError(t, err)
		require.Len(t, r.Ops, 7)
		require.Equal(t, checker.Unknown, r.Verdict.Status)
		require.Contains(t, r.Text(false), "why       this run has not been judged")
		require.Contains(t, r.Text(false), "note      the history is torn: line")
		require.Contains(t, r.Text(false), "note      the manifest cannot be read")
	})
	t.Run("a history that cannot be understood", func(t *testing.T) {
		d, _ := newDir(t, "register", 1)
		staleCase(t, d)
		require.NoError(t, os.WriteFile(d.History(), []byte("{}\n{}\n"), 0o644))
		require.NoError(t, Render(d))
		r, err := Load(d)
		require.NoError(t, err)
		require.Len(t, r.Windows, 0)
		require.Contains(t, r.Text(false), "k3: stale read", "the verdict still stands")
	})
	t.Run("nothing", func(t *testing.T) {
		_, err := Load(&Dir{t.TempDir()})
		require.Error(t, err)
	})
	t.Run("a verdict that is broken", func(t *testing.T) {
		d, _ := newDir(t, "register", 1)
		require.NoError(t, os.WriteFile(d.Verdict(), []byte("{}"), 0o644))
		_, err := Load(d)
		require.ErrorContains(t, err, "verdict.json: status is missing")
	})
	t.Run("an empty history", func(t *testing.T) {
		d, _ := newDir(t, "register", 1)
		require.NoError(t, os.WriteFile(d.History(), nil, 0o644))
		require.NoError(t, Render(d))
	})
}

func TestRenderIsTheSameEachTime(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	staleCase(t, d)
	require.NoError(t, Render(d))
	require.NoError(t, Render(d)) // the list of files has settled
	first, err := os.ReadFile(d.Index())
	require.NoError(t, err)
	require.NoError(t, Render(d))
	again, err := os.ReadFile(d.Index())
	require.NoError(t, err)
	require.Equal(t, string(first), string(again))
}

func TestColourIsOnlyAdded(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	staleCase(t, d)
	r, err := Load(d)
	require.NoError(t, err)
	plain := strings.NewReplacer("\x1b[1;35m", "", "\x1b[0m", "").Replace(r.Text(true))
	require.NotEqual(t, plain, r.Text(true))
	require.Equal(t, r.Text(false), plain)
}

func BenchmarkRender(b *testing.B) {
	d := synthetic(b, 150_000, true)
	r, err := Load(d)
	require.NoError(b, err)
	b.ReportMetric(float64(len(r.Ops)), "operations")
	for b.Loop() {
		require.NoError(b, Render(d))
	}
}

func BenchmarkRenderLoaded(b *testing.B) {
	r, err := Load(synthetic(b, 150_000, true))
	require.NoError(b, err)
	for b.Loop() {
		require.NoError(b, r.Render())
	}
}

func TestAFindingWithoutATimeHasNoPicture(t *testing.T) {
	d, _ := newDir(t, "register", 1)
	staleCase(t, d)
	v, err := d.ReadVerdict()
	require.NoError(t, err)
	f := Finding{Checker: "apply-log"}
	f.Rule, f.Text = "replicas diverged", "index 7 is command 1 on n1 and command 2 on n2."
	v.Findings = append(v.Findings, f)
	require.NoError(t, d.WriteVerdict(v))
	require.NoError(t, os.WriteFile(d.NodeLog("n1"), []byte("    12.900000 err the last word\n"), 0o644))
	require.NoError(t, Render(d))
	page, err := os.ReadFile(d.Violation(2))
	require.NoError(t, err)
	require.NotContains(t, string(page), "Witnesses")
	require.Contains(t, string(page), "the last word")
	require.Contains(t, string(page), `<li class="clinch">index 7 is command`)
}

func TestTheAccusedIsWhomTheSentenceNames(t *testing.T) {
	write := history.Op{Process: 1, F: "write", Input: []byte("7"), Type: history.OK}
	read := history.Op{Process: 12, F: "read", Output: []byte("7"), Type: history.OK}
	later := history.Op{Process: 1, F: "read", Output: []byte("7"), Type: history.OK}
	for text, want := range map[string]int{
		"get 7 by p12 had finished 3 ms before put 7 by p1 began.": 1,
		"p12 read 7 via n1; nobody ever wrote 7.":                  1,
		"get 7 by p1 began":       2,
		"put 7 by p1 was lost":    0,
		"no order explains this.": 2,
	} {
		var f Finding
		f.Text = text
		require.Equal(t, want, accused(f, []history.Op{write, read, later}), text)
	}
}
