// Package term draws a block of lines in place on a terminal.
//
// It does not know what the lines say.
package term

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// Live is a block that is drawn over itself. It is used by one goroutine.
type Live struct {
	w     io.Writer
	width func() int
	drawn int // lines on the screen
}

// Interactive tells whether f is a terminal that wants to be drawn on: TERM is not dumb and CI is unset.
func Interactive(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("CI") == ""
}

// Colour tells whether f wants colours: it is interactive and NO_COLOR is unset.
func Colour(f *os.File) bool { return Interactive(f) && os.Getenv("NO_COLOR") == "" }

// NewLive draws on f.
func NewLive(f *os.File) *Live {
	return &Live{w: f, width: func() int {
		w, _, err := term.GetSize(int(f.Fd()))
		if err != nil || w <= 0 {
			return 80
		}
		return w
	}}
}

// Draw replaces the block. Lines are cut to the terminal's width, since a wrapped line could not be erased.
func (l *Live) Draw(lines []string) {
	var b strings.Builder
	l.erase(&b)
	width := l.width()
	for _, line := range lines {
		b.WriteString(clip(line, width-1))
		b.WriteByte('\n')
	}
	l.drawn = len(lines)
	_, _ = io.WriteString(l.w, b.String()) // a terminal that is gone cannot be told
}

// Clear takes the block off the screen.
func (l *Live) Clear() {
	var b strings.Builder
	l.erase(&b)
	l.drawn = 0
	_, _ = io.WriteString(l.w, b.String())
}

func (l *Live) erase(b *strings.Builder) {
	if l.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\x1b[J", l.drawn)
	}
}

func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}
