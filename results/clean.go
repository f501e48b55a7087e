package results

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits, in bytes, of what is shown of one piece of text that a system or a log gave us.
const (
	nameLimit     = 24   // a name in a drawing
	valueLimit    = 60   // a value or a name in a table cell
	errLimit      = 160  // an error
	sentenceLimit = 600  // a finding's sentence, one step of a proof, a verdict's reason
	logLineLimit  = 400  // a line of a node's log
	commandLimit  = 2000 // a command line
)

// clean makes any text harmless to print on one line: everything that could steer a terminal, reorder
// what is read or hide from it (control characters, escape sequences, bidirectional overrides,
// zero-width characters, broken UTF-8) is written as a Go escape. Beyond limit bytes of output the
// rest is only counted.
func clean(s string, limit int) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		piece := s[i : i+size]
		switch {
		case r == utf8.RuneError && size == 1:
			piece = fmt.Sprintf(`\x%02x`, s[i])
		case !unicode.IsPrint(r):
			quoted := strconv.QuoteToASCII(piece)
			piece = quoted[1 : len(quoted)-1]
		}
		if b.Len()+len(piece) > limit {
			fmt.Fprintf(&b, "…(+%s B)", thousands(len(s)-i))
			break
		}
		b.WriteString(piece)
		i += size
	}
	return b.String()
}

// cleanAll cleans each of many.
func cleanAll(list []string, limit int) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = clean(s, limit)
	}
	return out
}

// shell quotes one argument so that a shell reads back exactly s, and a terminal is left alone.
func shell(s string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("@%+=:,./-_", r)
	}
	printable := utf8.ValidString(s)
	safe := s != ""
	for _, r := range s {
		printable = printable && unicode.IsPrint(r)
		safe = safe && plain(r)
	}
	switch {
	case safe:
		return s
	case printable:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	b.WriteString("$'")
	for _, c := range []byte(s) {
		if c < ' ' || c >= utf8.RuneSelf || c == 0x7f || c == '\'' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	b.WriteString("'")
	return b.String()
}

// Again is the command line that runs m's trial again, quoted for a shell.
func Again(m Manifest) string {
	args := make([]string, len(m.Command))
	for i, a := range m.Command {
		args[i] = shell(a)
	}
	return strings.Join(args, " ")
}
