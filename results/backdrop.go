package results

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ordeal/history"
)

// reign is the time in which a node was the latest known leader.
type reign struct {
	Node     string
	Term     uint64
	From, To time.Duration
}

// reignsOf reads the reigns from what the observer saw. Each lasts until a later term is seen.
func reignsOf(events []history.Event, end time.Duration) []reign {
	var reigns []reign
	for _, e := range events {
		if e.Process != history.Observer || e.F != history.SawLeader {
			continue
		}
		if n := len(reigns); n > 0 {
			if e.Term < reigns[n-1].Term || e.Term == reigns[n-1].Term && e.Node == reigns[n-1].Node {
				continue
			}
			reigns[n-1].To = e.Time
		}
		reigns = append(reigns, reign{Node: e.Node, Term: e.Term, From: e.Time, To: max(e.Time, end)})
	}
	return reigns
}

// leaderAt is who led at t, as far as anybody saw.
func leaderAt(reigns []reign, t time.Duration) (reign, bool) {
	for _, r := range slices.Backward(reigns) {
		if r.From <= t {
			return r, t <= r.To
		}
	}
	return reign{}, false
}

// faultName is a window in few words: pause n3.
func faultName(w history.Window) string {
	target := strings.Join(cleanAll(w.Target, valueLimit), ",")
	if target == "" {
		target = clean(w.Role, valueLimit)
	}
	return strings.TrimSpace(clean(w.Fault, valueLimit) + " " + target)
}

// overlapping are the windows that were open between from and to.
func overlapping(windows []history.Window, from, to time.Duration) []history.Window {
	var open []history.Window
	for _, w := range windows {
		if w.From <= to && w.To >= from {
			open = append(open, w)
		}
	}
	return open
}

// textWidth estimates, from above, the width of a label in the fixed-width font of that size.
func textWidth(s string, size px) px { return px(utf8.RuneCountInString(s))*size*0.62 + 2 }

const rowHeight px = 20

// drawLeaders draws one strip of reigns and returns the y below it.
func (p *picture) drawLeaders(a timeAxis, reigns []reign, y px) px {
	var short rects // elections in a row are too narrow to be told apart
	p.text("gutter", a.Left-10, y+14, "leader")
	for i, r := range reigns {
		if r.To < a.From || r.From > a.To {
			continue
		}
		x, w := a.x(r.From), a.x(r.To)-a.x(r.From)
		if w < 10 {
			short.add(x, y+2, w, rowHeight-4)
			continue
		}
		label := fmt.Sprintf("%s t%d", clean(r.Node, valueLimit), r.Term)
		title := fmt.Sprintf("%s led term %d, %s", clean(r.Node, valueLimit), r.Term, between(r.From, r.To))
		p.rect([]string{"reign", "reign odd"}[i%2], x, y+2, w, rowHeight-4, title)
		if textWidth(label, 11)+6 < w {
			p.text("small", x+4, y+14, label)
		}
	}
	p.path("fault", short.String())
	if len(reigns) == 0 || reigns[0].From > a.To {
		p.text("small faint", a.Left+4, y+14, "nobody was seen leading")
	}
	return y + rowHeight
}

// faultBar is a window with its place in a picture.
type faultBar struct {
	history.Window
	X, W   px
	Label  string
	LabelX px
	Inside bool // the label stands on the bar
	Row    int
}

// layFaults places windows in as few rows as keep the bars of a row, with their labels, apart.
func layFaults(a timeAxis, windows []history.Window) (bars []faultBar, rows int) {
	var ends []px // of the rows
	for _, w := range windows {
		b := faultBar{Window: w, X: a.x(w.From), Label: faultName(w)}
		b.W = max(a.x(w.To)-b.X, 1.5)
		width := textWidth(b.Label, 11)
		begin, end := b.X, b.X+b.W
		switch {
		case width+8 < b.W:
			b.Inside, b.LabelX = true, b.X+4
		case end+width+4 < a.Right:
			b.LabelX = end + 4
			end += width + 4
		case begin-width-4 > a.Left:
			begin -= width + 4
			b.LabelX = begin
		default: // a name longer than all the room there is
			b.Inside, b.LabelX = true, b.X+4
			b.Label = clean(b.Label, max(0, int((b.W-70)/7)))
		}
		b.Row = slices.IndexFunc(ends, func(taken px) bool { return taken < begin })
		if b.Row < 0 {
			b.Row, ends = len(ends), append(ends, 0)
		}
		ends[b.Row] = end + 2
		bars = append(bars, b)
	}
	return bars, len(ends)
}

// drawFaults draws a bar for each window, in rows from y on, and behind everything below its bar a
// band down to bottom. A fault that never bit is dashed.
func (p *picture) drawFaults(a timeAxis, bars []faultBar, y, bottom px) {
	if len(bars) > 0 {
		p.text("gutter", a.Left-10, y+14, "faults")
	}
	for _, b := range bars {
		top := y + rowHeight*px(b.Row) + 3
		p.rect("band", b.X, top, b.W, bottom-top, "")
	}
	for _, b := range bars {
		top := y + rowHeight*px(b.Row)
		class, text := "fault", "small"
		if !b.Bit {
			class = "fault toothless"
		} else if b.Inside {
			text = "small onfault"
		}
		p.rect(class, b.X, top+3, b.W, rowHeight-6, windowTitle(b.Window))
		p.text(text, b.LabelX, top+14, b.Label)
	}
}

// drawBands draws the time of all windows as bands, those that run into each other as one.
func (p *picture) drawBands(a timeAxis, windows []history.Window, top, bottom px) {
	var bands rects
	var x, end px
	for _, w := range windows {
		from, to := a.x(w.From), max(a.x(w.To), a.x(w.From)+1)
		if from > end+0.5 {
			bands.add(x, top, end-x, bottom-top)
			x = from
		}
		end = max(end, to)
	}
	bands.add(x, top, end-x, bottom-top)
	p.path("band", bands.String())
}

func windowTitle(w history.Window) string {
	return fmt.Sprintf("%s, %s, %s", faultName(w), between(w.From, w.To), clean(proofOfBite(w), errLimit))
}

// proofOfBite says whether a fault took effect, and how that is known.
func proofOfBite(w history.Window) string {
	var parts []string
	if !w.Bit {
		parts = append(parts, "never bit")
	}
	if w.Evidence != "" {
		parts = append(parts, w.Evidence)
	}
	if w.Err != "" {
		parts = append(parts, "error: "+w.Err)
	}
	if len(parts) == 0 {
		return "bit"
	}
	return strings.Join(parts, "; ")
}

// drawAxis draws the ticks, their lines from top down to y, and the cuts.
func (p *picture) drawAxis(a timeAxis, top, y px) {
	ticks, step := a.ticks(90)
	for _, t := range ticks {
		p.line("grid", a.x(t), top, a.x(t), y+4)
		p.text("tick", a.x(t), y+18, tickLabel(t, step))
	}
	p.line("axis", a.Left, y, a.Right, y)
	for _, c := range a.Cuts {
		x := a.x(c.From)
		p.rect("cut", x+5, top, cutWidth-10, y-top+6, "nothing here for "+span(c.length()))
		p.text("tick", x+cutWidth/2, y+32, span(c.length())+" left out")
	}
}
