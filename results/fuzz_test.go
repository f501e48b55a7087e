package results

import (
	"os"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// FuzzRecord: no manifest and no verdict crashes its reader, and what is read survives a round trip.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"command":["ordeal"],"workload":"register","seed":7,"nodes":5,"time":1e9,"notes":["x"]}`))
	f.Add([]byte(`{"status":"invalid","ops":{"ok":1},"checkers":[{"name":"x","status":"unknown"}],"findings":[{"rule":"r","text":"t","ops":[1]}],"windows":[{"from":1,"to":2}]}`))
	f.Add([]byte(`{"status":"valid"} {`))
	d := &Dir{f.TempDir()}
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(d.Manifest(), data, 0o600))
		if m, err := d.ReadManifest(); err == nil {
			require.NoError(t, d.WriteManifest(m))
			again, err := d.ReadManifest()
			require.NoError(t, err)
			require.Equal(t, m, again)
		}
		require.NoError(t, os.WriteFile(d.Verdict(), data, 0o600))
		if v, err := d.ReadVerdict(); err == nil {
			require.NoError(t, d.WriteVerdict(v))
			again, err := d.ReadVerdict()
			require.NoError(t, err)
			require.Equal(t, v.Status, again.Status)
		}
	})
}

// FuzzLogLine: no line of a node's log crashes the reader, and none is longer than what was written.
func FuzzLogLine(f *testing.F) {
	f.Add([]byte("   12.403512 err text"), "before")
	f.Add([]byte("1e300 out x"), "")
	f.Fuzz(func(t *testing.T, line []byte, before string) {
		l := parseLogLine(line, logLine{Text: before})
		require.GreaterOrEqual(t, l.Time, time.Duration(0))
		require.LessOrEqual(t, utf8.RuneCountInString(l.Text), len(line))
	})
}
