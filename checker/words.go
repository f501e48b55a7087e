package checker

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ordeal/history"
)

// name is how sentences call an operation: "get 5 by p7 via n3".
func (s *story) name(c call) string { return nameOp(s.ops[c.index]) }

func nameOp(op history.Op) string { return op.Label() + " by " + process(op) + via(op) }

func process(op history.Op) string { return "p" + strconv.Itoa(op.Process) }

// via names the node, escaped: its name may come from the system under test.
func via(op history.Op) string {
	if op.Node == "" {
		return ""
	}
	return " via " + history.Word(op.Node)
}

func (s *story) value(v value) string { return history.ValueLabel(s.problem.values[v]) }

// at shows a moment of the run to the digit at which the story's moments differ, in seconds.
func (s *story) at(t time.Duration) string {
	if s.digits == 0 {
		s.digits = s.precision()
	}
	return strconv.FormatFloat(t.Seconds(), 'f', s.digits, 64) + " s"
}

// precision is the number of decimals at which no two moments of the story look the same.
func (s *story) precision() int {
	digits := 3
	for _, a := range s.calls {
		for _, b := range s.calls {
			for _, d := range [...]time.Duration{a.begin - b.begin, a.begin - b.end} {
				for d = d.Abs(); digits < 9 && d > 0 && d < unit(digits); {
					digits += 3
				}
			}
		}
	}
	return digits
}

func unit(digits int) time.Duration {
	d := time.Second
	for range digits {
		d /= 10
	}
	return d
}

// span shows a length of time with about three digits, in words that a sentence can take.
func span(d time.Duration) string {
	scale, name := time.Second, "s"
	switch {
	case d < time.Microsecond:
		scale, name = time.Nanosecond, "ns"
	case d < time.Millisecond:
		scale, name = time.Microsecond, "µs"
	case d < time.Second:
		scale, name = time.Millisecond, "ms"
	}
	n := float64(d) / float64(scale)
	digits := 0
	if n < 10 {
		digits = 1
	}
	text := strconv.FormatFloat(n, 'f', digits, 64)
	return strings.TrimSuffix(text, ".0") + " " + name
}

// count writes "1 key" and "3 keys".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
