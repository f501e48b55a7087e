// Package words writes lengths of time and numbers of things as sentences take them.
package words

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Span shows a length of time with about three digits: 4 ms, 1.3 s.
func Span(d time.Duration) string {
	scale, name := time.Second, "s"
	switch {
	case d < time.Microsecond:
		scale, name = time.Nanosecond, "ns"
	case d < time.Millisecond:
		scale, name = time.Microsecond, "µs"
	case d < time.Second:
		scale, name = time.Millisecond, "ms"
	}
	n, digits := float64(d)/float64(scale), 0
	if n < 10 {
		digits = 1
	}
	return strings.TrimSuffix(strconv.FormatFloat(n, 'f', digits, 64), ".0") + " " + name
}

// Count writes "1 key" and "3 keys".
func Count(n int, what string) string { return Plural(n, what, what+"s") }

// Plural is Count for what has a plural of its own.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
