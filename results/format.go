package results

import (
	"fmt"
	"strconv"
	"time"

	"ordeal/history"
)

// thousands writes 231118 as 231,118.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// span writes a length of time with two or three significant digits: 420 µs, 2.1 ms, 118 ms, 1.3 s.
func span(d time.Duration) string {
	switch d = max(d, -history.Never); {
	case d == history.Never:
		return "∞"
	case d < 0:
		return "−" + span(-d)
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	case d < 2*time.Minute:
		return digits(d.Seconds()) + " s"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	default:
		return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
	}
}

func digits(f float64) string {
	if f < 9.95 {
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

// spanMS is span for milliseconds as verdict.json has them.
func spanMS(ms float64) string { return span(time.Duration(ms * float64(time.Millisecond))) }

// instant writes a moment of the run to the millisecond: 12.403 s.
func instant(t time.Duration) string {
	if t == history.Never {
		return "never"
	}
	return strconv.FormatFloat(t.Seconds(), 'f', 3, 64) + " s"
}

// between writes a stretch of the run: 42.0–43.3 s.
func between(from, to time.Duration) string {
	if to == history.Never {
		return fmt.Sprintf("from %.2f s to the end", from.Seconds())
	}
	return fmt.Sprintf("%.2f–%.2f s", from.Seconds(), to.Seconds())
}

// share writes n of all in per cent.
func share(n, all int) string {
	if all == 0 {
		return "0%"
	}
	return strconv.FormatFloat(100*float64(n)/float64(all), 'f', 1, 64) + "%"
}

// bytesOf writes a size: 812 B, 4.2 KiB, 23 MiB.
func bytesOf(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return digits(float64(n)/(1<<10)) + " KiB"
	case n < 1<<30:
		return digits(float64(n)/(1<<20)) + " MiB"
	default:
		return digits(float64(n)/(1<<30)) + " GiB"
	}
}

// plural writes "1 run", "2 runs".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}
