package cluster_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ordeal/cluster"
)

// untimed returns the lines of a log without arrival times and pids; it checks that the times are
// well-formed and do not go back.
func untimed(t *testing.T, log string) []string {
	t.Helper()
	form := regexp.MustCompile(`(?s)^ *([0-9]+\.[0-9]{6}) ((?:out|err|---) .*)$`)
	pid := regexp.MustCompile(`^(--- started pid )[0-9]+$`)
	var lines []string
	last := 0.0
	for line := range strings.SplitSeq(strings.TrimSuffix(log, "\n"), "\n") {
		part := form.FindStringSubmatch(line)
		require.NotNil(t, part, "%.100q", line)
		require.GreaterOrEqual(t, strings.IndexByte(line, '.'), 5, "%.100q", line)
		at, err := strconv.ParseFloat(part[1], 64)
		require.NoError(t, err)
		require.GreaterOrEqual(t, at, last)
		last = at
		lines = append(lines, pid.ReplaceAllString(part[2], "${1}N"))
	}
	return lines
}

// Whatever a node writes is in its log: long lines in pieces, bytes as they are, an unfinished
// last line too.
func TestLog(t *testing.T) {
	const most = 64 << 10
	tests := []struct {
		name, text string
		want       []string
	}{
		{"lines", "a\n\nb\n", []string{"a", "", "b"}},
		{"unfinished", "a\nb", []string{"a", "b"}},
		{"hostile", "\x1b[31m\xff\xfe\x00<script>\r\n", []string{"\x1b[31m\xff\xfe\x00<script>\r"}},
		{"longest", strings.Repeat("x", most) + "\n", []string{strings.Repeat("x", most)}},
		{"too long", strings.Repeat("x", most+1) + "\n", []string{strings.Repeat("x", most), "x"}},
		{"much too long", strings.Repeat("x", 3*most) + "y", []string{
			strings.Repeat("x", most), strings.Repeat("x", most), strings.Repeat("x", most), "y",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tr := newTrial(t, 1, "print", map[string]string{"text": test.text})
			require.NoError(t, tr.Start(t.Context(), "n1"))
			tr.eventually(func() bool { return len(tr.exits.get()) > 0 }, "it ends")
			want := []string{"--- started pid N"}
			for _, line := range test.want {
				want = append(want, "out "+line)
			}
			require.Equal(t, append(want, "--- exit status 0"), untimed(t, tr.log("n1")))
		})
	}
}

// Much output at once, then the end: nothing is lost.
func TestLogFlood(t *testing.T) {
	var text strings.Builder
	const lines = 50_000
	for i := range lines {
		fmt.Fprintln(&text, "line", i)
	}
	tr := newTrial(t, 1, "print", map[string]string{"text": text.String()})
	require.NoError(t, tr.Start(t.Context(), "n1"))
	tr.eventually(func() bool { return len(tr.exits.get()) > 0 }, "it ends")
	got := untimed(t, tr.log("n1"))
	require.Len(t, got, lines+2)
	for i, line := range got[1 : lines+1] {
		require.Equal(t, fmt.Sprintf("out line %d", i), line)
	}
	require.Equal(t, cluster.Down, tr.State("n1"))
}
