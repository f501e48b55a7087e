package history

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// DrawOptions say how Draw draws.
type DrawOptions struct {
	Width   int      // columns of the time axis; 0 is 72
	Windows []Window // faults to show below the operations; those outside their time are left out
}

const (
	drawWidth = 72
	openEnd   = "···" // of an operation whose outcome is unknown
	instant   = '+'   // an operation that begins and ends in one column
)

// Draw draws a small history:
//
//	p2 n2 |--- put 9 ---|      |- get 9 -|
//	p7 n3                                      |- get 5 -|
//	n3    ........ pause ................|
//	      12.10s    12.20s    12.30s    12.40s    12.50s
//
// Columns are linear in time, except that two different moments never share one, so that what the
// picture shows as before, after or at once was so. (With more moments than columns that cannot be
// kept: + is an operation within one column.) A label stands between the bars if it fits, else after
// the closing bar if the row is free there, else on a line below, where its first letter is under
// the opening bar. An operation that touches the one before it on its row goes on a row of its own.
func Draw(ops []Op, o DrawOptions) string {
	if len(ops) == 0 {
		return ""
	}
	rows := drawRows(ops)
	margin := 0
	for _, r := range rows {
		margin = max(margin, len(r.label)+1)
	}
	windows, names := drawnWindows(ops, o.Windows)
	for _, n := range names {
		margin = max(margin, len(n)+1)
	}
	s := newScale(ops, cmp.Or(max(o.Width, 0), drawWidth), margin)
	var b strings.Builder
	for _, r := range rows {
		r.draw(&b, s)
	}
	for i, w := range windows {
		drawWindow(&b, s, names[i], w)
	}
	s.axis(&b)
	return b.String()
}

// drawRow is a row of operations one after the other, by one process through one node.
type drawRow struct {
	process int
	node    string
	label   string
	ops     []Op
}

func drawRows(ops []Op) []*drawRow {
	sorted := slices.Clone(ops)
	slices.SortStableFunc(sorted, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	var rows []*drawRow
	first := map[int]int{} // process → its first row, which keeps its rows together
	for _, op := range sorted {
		i := slices.IndexFunc(rows, func(r *drawRow) bool {
			return r.process == op.Process && r.node == op.Node && r.ops[len(r.ops)-1].Return < op.Call
		})
		if i < 0 {
			r := &drawRow{process: op.Process, node: op.Node, label: "p" + strconv.Itoa(op.Process)}
			if op.Node != "" {
				r.label += " " + Word(op.Node)
			}
			i, rows = len(rows), append(rows, r)
			if _, known := first[op.Process]; !known {
				first[op.Process] = i
			}
		}
		rows[i].ops = append(rows[i].ops, op)
	}
	slices.SortStableFunc(rows, func(a, b *drawRow) int { return cmp.Compare(first[a.process], first[b.process]) })
	return rows
}

// canvas is one line of text that is written by column.
type canvas []rune

func (c *canvas) put(col int, text string) {
	for _, r := range text {
		for len(*c) <= col {
			*c = append(*c, ' ')
		}
		(*c)[col] = r
		col++
	}
}

func (c canvas) flush(b *strings.Builder) {
	b.WriteString(strings.TrimRight(string(c), " "))
	b.WriteByte('\n')
}

// free tells whether nothing stands from column col on.
func (c canvas) free(col int) bool { return len(c) <= col }

func (r *drawRow) draw(b *strings.Builder, s scale) {
	var line canvas
	var below []canvas
	line.put(0, r.label)
	for i, op := range r.ops {
		label := op.Label()
		width := utf8.RuneCountInString(label)
		from, to := s.col(op.Call), s.right()
		if op.Return == Never {
			line.put(from, openBar(label, width, to-from))
			continue
		}
		to = s.col(op.Return)
		room := math.MaxInt // columns behind the bar, up to the next operation
		if i+1 < len(r.ops) {
			room = s.col(r.ops[i+1].Call) - to - 1
		}
		switch inner := to - from - 1; {
		case inner >= width+2:
			left := (inner - width - 2) / 2
			line.put(from, "|"+strings.Repeat("-", left)+" "+label+" "+strings.Repeat("-", inner-width-2-left)+"|")
			continue
		case inner < 0:
			line.put(from, string(instant))
		default:
			line.put(from, "|"+strings.Repeat("-", inner)+"|")
		}
		if i+1 == len(r.ops) || room >= width+2 {
			line.put(to+2, label)
		} else {
			below = putBelow(below, from, label)
		}
	}
	line.flush(b)
	for _, l := range below {
		l.flush(b)
	}
}

func openBar(label string, width, length int) string {
	right := max(1, length-width-10)
	return "|--- " + label + " " + strings.Repeat("-", right) + " " + openEnd
}

func putBelow(below []canvas, col int, label string) []canvas {
	for i := range below {
		if below[i].free(col - 2) {
			below[i].put(col, label)
			return below
		}
	}
	var c canvas
	c.put(col, label)
	return append(below, c)
}

// drawnWindows picks the windows that overlap the operations, with the names of their rows.
func drawnWindows(ops []Op, all []Window) (windows []Window, names []string) {
	from, to := span(ops)
	for _, w := range all {
		if w.To < from || w.From > to {
			continue
		}
		target := make([]string, len(w.Target))
		for i, n := range w.Target {
			target[i] = Word(n)
		}
		windows = append(windows, w)
		names = append(names, strings.Join(target, ","))
	}
	return windows, names
}

func drawWindow(b *strings.Builder, s scale, name string, w Window) {
	var line canvas
	line.put(0, name)
	from, to := s.col(max(w.From, s.times[0])), s.right()
	closed := w.To <= s.times[len(s.times)-1]
	if closed {
		to = s.col(w.To)
	}
	fault := Word(w.Fault)
	dots := max(0, to-from)
	if len(fault)+4 <= dots {
		left := min(8, (dots-len(fault)-2)/2)
		line.put(from, strings.Repeat(".", left)+" "+fault+" "+strings.Repeat(".", dots-left-len(fault)-2))
		fault = ""
	} else {
		line.put(from, strings.Repeat(".", max(2, dots)))
		to = from + max(2, dots)
	}
	if closed {
		line.put(to, "|")
	}
	if fault != "" {
		line.put(to+2, fault)
	}
	line.flush(b)
}

// span is the time from the first call to the last return or call.
func span(ops []Op) (from, to time.Duration) {
	from = Never
	for _, op := range ops {
		from, to = min(from, op.Call), max(to, op.Call)
		if op.Return != Never {
			to = max(to, op.Return)
		}
	}
	return from, to
}
