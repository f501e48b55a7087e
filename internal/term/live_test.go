package term

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDrawReplacesTheBlock(t *testing.T) {
	var b strings.Builder
	l := Live{w: &b, width: func() int { return 10 }}
	l.Draw([]string{"one", "two, which is too long"})
	require.Equal(t, "one\ntwo, whi…\n", b.String())
	b.Reset()
	l.Draw([]string{"three"})
	require.Equal(t, "\x1b[2A\x1b[Jthree\n", b.String())
	b.Reset()
	l.Clear()
	l.Clear()
	require.Equal(t, "\x1b[1A\x1b[J", b.String())
}
