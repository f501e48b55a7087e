package results

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"ordeal/checker"
	"ordeal/history"
)

// hostiles are texts that harm whoever prints them as they are.
var hostiles = map[string]string{
	"script":    `</script></style></title><script>alert(1)</script><img src=x onerror=alert(1)>`,
	"attribute": `" onmouseover="alert(1)" x='`,
	"cdata":     `]]>]]&gt;<!-- --><![CDATA[`,
	"ansi":      "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
	"nul":       "a\x00b\x01\x7f\r\nINVALID faked\n\n",
	"utf8":      "\xff\xfe\xc0\xaf\xed\xa0\x80",
	"bidi":      "user\u202e txt.exe\u2066\u200b\u2028\ufeff",
	"url":       `javascript:alert(1) https://evil.example/x www.evil.example`,
	"markdown":  "``` ````\n| a | b |\n# h\n![x](https://evil.example/x.png) @all #1 $x$",
	"template":  "{{.}} {{template \"head\"}} ${x} `x`",
	"huge":      strings.Repeat("<A+&é\x1b", 1<<20/7),
}

// hostileRun has text in every field that a system, a schedule or a log can fill.
func hostileRun(t *testing.T, text string) *Dir {
	// Names are long, sentences longer, one value, one finding and one line of a log huge.
	name, long := text[:min(len(text), 4<<10)], text[:min(len(text), 64<<10)]
	d, err := Create(t.TempDir(), name, 7, noon)
	require.NoError(t, err)
	quoted := func(s string) string {
		data, err := json.Marshal(s)
		require.NoError(t, err)
		return string(data)
	}
	value := quoted(long)
	require.NoError(t, d.WriteManifest(Manifest{Ordeal: name, Command: []string{"ordeal", name}, Workload: name, System: name, Nodes: 3,
		Faults: []string{name, name}, Time: sec, Seed: 7, Concurrency: 2, Keys: 1, Bug: name, Started: noon, Machine: name, Firewall: name, Notes: []string{name}}))
	require.NoError(t, os.WriteFile(d.Schedule(), []byte(name), 0o644))
	var s small
	s.note(history.Observer, history.Event{Time: ms, F: history.SawLeader, Node: name, Term: 1})
	s.window(0, "f"+name, name, name, 2*ms, 300*ms, true, name)
	s.window(1, "f"+name, name, name, 12*ms, 400*ms, false, name)
	ops := []int{
		s.op(1, "write", name, name, quoted(text), value, 10*ms, 20*ms, history.OK, name),
		s.op(2, "f"+name, name, name, value, `{"`+"k"+`":`+value+`}`, 15*ms, 30*ms, history.OK, name),
		s.op(3, "cas", name, name, "["+value+","+value+"]", value, 31*ms, 33*ms, history.Fail, name),
		s.op(4, "read", name, name, value, "", 32*ms, 60*ms, history.Info, name),
		s.op(5, "read", name, name, "", value, 40*ms, 50*ms, history.OK, name),
	}
	writeEvents(t, d, s.events)
	f := Finding{Checker: name, Window: name}
	f.Key, f.Rule, f.Text, f.Ops, f.From, f.To = name, name, text, ops, 10*ms, 60*ms
	for range min(200, 1+1<<20/len(long)) {
		f.Proof = append(f.Proof, long)
	}
	f.Unconfirmed = text
	g := f
	g.Text = long
	require.NoError(t, d.WriteVerdict(Verdict{Status: checker.Invalid, Reason: long, Ops: Counts{OK: 3, Fail: 1, Info: 1}, Findings: []Finding{f, g},
		Checkers:   []CheckerRow{{Name: name, Status: checker.Invalid, Reason: long, Engine: name}, {Name: name, Status: checker.Unknown, Reason: long}},
		RecoveryMS: map[string]float64{name: 3, "n1": 4}}))
	log := fmt.Sprintf("    0.020000 err %s\n%s\n    0.030000 %s\n", text, long, long)
	require.NoError(t, os.WriteFile(d.NodeLog("n1"), []byte(strings.Repeat(log, 3)), 0o644))
	return d
}

var (
	tag      = regexp.MustCompile(`<[a-zA-Z]`)
	fetched  = regexp.MustCompile(`(?i)(src|href|action|data|srcset|poster)\s*=\s*["']?\s*(https?:|//|javascript:|data:)`)
	handler  = regexp.MustCompile(`(?i)<[^>"]*("[^"]*"[^>"]*)*\son[a-z]+\s*=`)
	codeText = regexp.MustCompile("(?s)(`{3,})text\n.*?\n`{3,}\n")
)

func requireHarmless(t *testing.T, name, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text), "%s is UTF-8", name)
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			require.Fail(t, "a character that is not printable", "%s: %U near %q", name, r, text[max(0, i-40):i])
		}
	}
}

func requireHarmlessPage(t *testing.T, name, html string) {
	t.Helper()
	requireHarmless(t, name, html)
	require.Contains(t, html, `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"`)
	require.NotRegexp(t, `(?i)<script|<img|<iframe|<!--`, html, name)
	require.NotRegexp(t, fetched, html, name)
	require.NotRegexp(t, handler, html, name)
	require.NotContains(t, html, "ZgotmplZ", name)
	require.Less(t, len(tag.FindAllString(html, -1)), 2000, name)
}

func TestHostileTextIsHarmlessEverywhere(t *testing.T) {
	for name, text := range hostiles {
		t.Run(name, func(t *testing.T) {
			d := hostileRun(t, text)
			require.NoError(t, Render(d))
			require.NoError(t, WriteIndex(filepath.Dir(d.Path())))
			read := func(path string) string {
				data, err := os.ReadFile(path)
				require.NoError(t, err)
				return string(data)
			}
			for _, path := range []string{d.Index(), d.Violation(1), d.Violation(2), filepath.Join(filepath.Dir(d.Path()), "index.html")} {
				html := read(path)
				requireHarmlessPage(t, filepath.Base(path), html)
				require.LessOrEqual(t, len(html), violationLimit, path)
			}
			requireHarmless(t, "text", read(d.ViolationText(1)))
			requireXML(t, read(d.JUnit()))

			summary := read(d.StepSummary())
			requireHarmless(t, "summary", summary)
			require.LessOrEqual(t, len(summary), summaryLimit)
			outside := codeText.ReplaceAllString(summary, "")
			require.NotRegexp(t, `<[a-zA-Z/!]|[^\\]\]\(|https?://|@all`, outside)

			r, err := Load(d)
			require.NoError(t, err)
			terminal := r.Text(false)
			requireHarmless(t, "terminal", terminal)
			require.NotContains(t, terminal, "\nINVALID faked")
			require.Less(t, len(terminal), 64<<10)
			if name == "huge" {
				require.Contains(t, terminal, "…(+1,0", "what was cut off is counted")
			}
		})
	}
}

func requireXML(t *testing.T, text string) {
	t.Helper()
	requireHarmless(t, "junit", text)
	for dec := xml.NewDecoder(strings.NewReader(text)); ; {
		_, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

func TestAgainIsReadBackByAShell(t *testing.T) {
	sh, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	for name, text := range hostiles {
		if name == "huge" || name == "nul" {
			continue // longer than a command line; cannot be in one
		}
		out, err := exec.CommandContext(t.Context(), sh, "-c", Again(Manifest{Command: []string{"printf", "%s.", text, "it's", ""}})).Output()
		require.NoError(t, err)
		require.Equal(t, text+".it's..", string(out), name)
	}
}

func TestCleanCountsWhatItCuts(t *testing.T) {
	require.Equal(t, `a\x1b[31m\n\xff\u202eé`, clean("a\x1b[31m\n\xff\u202eé", 100))
	require.Equal(t, "aaaa…(+1,048,572 B)", clean(strings.Repeat("a", 1<<20), 4))
	require.Equal(t, "", clean("", 4))
}
