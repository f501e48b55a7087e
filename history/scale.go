package history

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// scale maps the moments of a drawing to its columns.
type scale struct {
	times  []time.Duration // distinct moments, ascending
	cols   []int           // of times
	margin int             // columns before the first
}

// newScale lays the moments of ops out on width columns: linearly, then pushed apart until no two
// share a column, which moves each by as little as its neighbours allow.
func newScale(ops []Op, width, margin int) scale {
	s := scale{margin: margin}
	for _, op := range ops {
		s.times = append(s.times, op.Call)
		if op.Return != Never {
			s.times = append(s.times, op.Return)
		}
	}
	slices.Sort(s.times)
	s.times = slices.Compact(s.times)
	n := len(s.times)
	s.cols = make([]int, n)
	last := max(width, 2) - 1
	first, length := s.times[0], float64(max(1, s.times[n-1]-s.times[0]))
	for i, t := range s.times {
		s.cols[i] = int(math.Round(float64(t-first) / length * float64(last)))
	}
	if n > width {
		return s
	}
	for i := 1; i < n; i++ {
		s.cols[i] = max(s.cols[i], s.cols[i-1]+1)
	}
	s.cols[n-1] = min(s.cols[n-1], last)
	for i := n - 2; i >= 0; i-- {
		s.cols[i] = min(s.cols[i], s.cols[i+1]-1)
	}
	return s
}

// col is the column of a moment; between two that are drawn it is interpolated.
func (s scale) col(t time.Duration) int {
	i := sort.Search(len(s.times), func(i int) bool { return s.times[i] >= t })
	switch {
	case i == len(s.times):
		return s.right()
	case s.times[i] == t || i == 0:
		return s.margin + s.cols[i]
	}
	a, b := s.times[i-1], s.times[i]
	part := float64(t-a) / float64(b-a)
	return s.margin + s.cols[i-1] + int(math.Round(part*float64(s.cols[i]-s.cols[i-1])))
}

// right is the last column.
func (s scale) right() int { return s.margin + s.cols[len(s.cols)-1] }

const tickColumns = 10 // between two labels of the axis, at least

// axis writes the times below the drawing; each begins at its column.
func (s scale) axis(b *strings.Builder) {
	first, last := s.times[0], s.times[len(s.times)-1]
	step := tick(float64(last-first) / float64(max(1, s.right()-s.margin)) * tickColumns)
	decimals := 2
	for unit := 10 * time.Millisecond; step%unit != 0 && decimals < 9; unit /= 10 {
		decimals++
	}
	var line canvas
	free := 0
	for t := (first + step - 1) / step * step; t <= last; t += step {
		if col := s.col(t); col >= free {
			label := strconv.FormatFloat(t.Seconds(), 'f', decimals, 64) + "s"
			line.put(col, label)
			free = col + len(label) + 1
		}
	}
	if len(line) == 0 {
		line.put(s.margin, strconv.FormatFloat(first.Seconds(), 'f', decimals+1, 64)+"s")
	}
	line.flush(b)
}

// tick is the smallest of 1, 2, 5, 10, 20, … nanoseconds that is not below least.
func tick(least float64) time.Duration {
	for unit := time.Duration(1); ; unit *= 10 {
		for _, n := range [...]time.Duration{1, 2, 5} {
			if float64(n*unit) >= least || unit > time.Hour*1000 {
				return n * unit
			}
		}
	}
}
