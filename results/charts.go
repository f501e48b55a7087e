package results

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	chartWidth  px = 1100
	chartLeft   px = 84
	chartRight  px = 1050 // the rest is for the names of the lines
	chartHeight px = 170
)

func (r *Run) chartAxis() timeAxis {
	return timeAxis{To: max(r.figures.End, time.Millisecond), Left: chartLeft, Right: chartRight}
}

// overview draws how many operations ended when, with which outcome, under which faults and leader,
// and where the findings lie. Its columns tell their numbers to the pointer.
func (r *Run) overview() picture {
	p := picture{Width: chartWidth, Label: "Operations over time by outcome, with faults, leaders and violations"}
	a := r.chartAxis()
	y := p.drawLeaders(a, r.reigns, 14)
	windows := r.Windows[:min(len(r.Windows), windowRows)]
	faults, rows := layFaults(a, windows)
	top := y + rowHeight*px(rows) + 10
	bottom := top + 120
	p.drawViolations(a, r.Verdict, top)
	p.drawFaults(a, faults, y, bottom)
	p.drawBands(a, r.Windows[len(windows):], top, bottom)
	most := 1
	for _, b := range r.figures.Buckets {
		most = max(most, b.Ops.All())
	}
	scale := float64(bottom-top) / float64(most)
	p.yGrid(a, bottom-px(float64(most)*scale), thousands(most))
	p.yGrid(a, bottom-px(float64(most)*scale/2), thousands(most/2))
	var ok, info, fail rects
	for _, b := range r.figures.Buckets {
		x, w := a.x(b.From), a.x(b.From+r.figures.Width)-a.x(b.From)
		y := bottom
		for _, part := range []struct {
			into *rects
			n    int
		}{{&ok, b.Ops.OK}, {&info, b.Ops.Info}, {&fail, b.Ops.Fail}} {
			h := px(float64(part.n) * scale)
			if part.n > 0 {
				h = max(h, 1.5)
			}
			part.into.add(x, y-h, w-0.5, h)
			y -= h
		}
	}
	p.path("area-ok", ok.String())
	p.path("area-fail", fail.String())
	p.path("area-info", info.String())
	for _, f := range r.Verdict.Findings[:min(len(r.Verdict.Findings), findingRows)] {
		if timed(f) {
			p.line("verdict-line", a.x(f.To), top, a.x(f.To), bottom)
		}
	}
	p.drawAxis(a, bottom, bottom)
	p.text("gutter", chartLeft-10, 11, "per "+span(r.figures.Width))
	p.drawColumns(a, r.figures, top, bottom)
	p.Height = bottom + 24
	return p
}

// drawColumns lays an invisible column over each bucket.
func (p *picture) drawColumns(a timeAxis, f figures, top, bottom px) {
	for _, b := range f.Buckets {
		if b.Ops.All() == 0 {
			continue
		}
		title := fmt.Sprintf("%s: %s ok, %d info, %d fail", between(b.From, b.From+f.Width), thousands(b.Ops.OK), b.Ops.Info, b.Ops.Fail)
		if b.Latency.Max > 0 {
			title += fmt.Sprintf("; p50 %s, p99 %s, max %s", span(b.Latency.P50), span(b.Latency.P99), span(b.Latency.Max))
		}
		x := a.x(b.From)
		p.rect("column", x, top, a.x(b.From+f.Width)-x, bottom-top, title)
	}
}

// drawViolations draws a mark for each finding, with its number where there is room, and a line from
// it down to bottom.
func (p *picture) drawViolations(a timeAxis, v Verdict, bottom px) {
	findings := v.Findings[:min(len(v.Findings), findingRows)]
	for i, f := range findings {
		if !timed(f) {
			continue
		}
		x := a.x(f.To)
		p.line("verdict-line", x, 12, x, bottom)
		p.path("verdict-mark", fmt.Sprintf("M%v 12l-6 -9h12z", x))
		label := fmt.Sprintf("✗ %d", i+1)
		if len(v.Findings) == 1 {
			label += " " + clean(findingTitle(f), 2*nameLimit)
		}
		width := textWidth(label, 11)
		at := x + 9
		if at+width > chartRight {
			at = x - 9 - width
		}
		crowded := slices.ContainsFunc(findings, func(o Finding) bool {
			mark := a.x(o.To)
			return timed(o) && mark != x && at-8 < mark && mark < at+width+8
		})
		if !crowded {
			p.text("wrong", at, 10, label)
		}
	}
}

func (p *picture) yGrid(a timeAxis, y px, label string) {
	p.line("grid", a.Left, y, a.Right, y)
	p.text("ytick", a.Left-8, y+4, label)
}

// series is one line of a chart. Where it has no value its points are negative.
type series struct {
	Name   string
	Points []float64 // one a bucket
}

// logChart draws up to four series over time on a logarithmic axis. Zero lies on the base line.
func (r *Run) logChart(label string, lines []series, unit func(float64) string) picture {
	p := picture{Width: chartWidth, Height: chartHeight + 24, Label: label}
	a := r.chartAxis()
	top, bottom := px(10), chartHeight
	low, high := rangeOf(lines)
	decades := math.Log10(high / low)
	height := func(v float64) px {
		if v < low {
			return bottom
		}
		return bottom - 8 - px(math.Log10(v/low)/decades)*(bottom-8-top)
	}
	p.drawBands(a, r.Windows, top, bottom)
	for v := low; v <= high*1.001; v *= 10 {
		p.yGrid(a, height(v), unit(v))
	}
	p.drawAxis(a, bottom, bottom)
	ends := make([]px, len(lines))
	for i, l := range lines {
		d, level := polyline(l.Points, func(i int) px { return a.x(r.figures.Buckets[i].From + r.figures.Width/2) }, height)
		p.path("l"+strconv.Itoa(i+1), d)
		ends[i] = level
	}
	p.placeNames(lines, ends, top+4, bottom)
	return p
}

// rangeOf is the power of ten below the smallest positive value, and the highest value.
func rangeOf(lines []series) (low, high float64) {
	low, high = math.Inf(1), 0
	for _, l := range lines {
		for _, v := range l.Points {
			high = max(high, v)
			if v > 0 {
				low = min(low, v)
			}
		}
	}
	if high == 0 {
		return 1, 10
	}
	low = math.Pow(10, math.Floor(math.Log10(low)+1e-9))
	return low, max(high, low*10)
}

// polyline joins the points that have a value. level is about where the line ends: the middle one of
// its last points above zero.
func polyline(points []float64, x func(int) px, height func(float64) px) (d string, level px) {
	var b strings.Builder
	var positive []float64
	pen := "M"
	for i, v := range points {
		if v < 0 {
			pen = "M"
			continue
		}
		if v > 0 {
			positive = append(positive, v)
		}
		fmt.Fprintf(&b, "%s%v %v", pen, x(i), height(v))
		if pen == "M" && (i+1 == len(points) || points[i+1] < 0) {
			b.WriteString("h1.5") // a lone point
		}
		pen = "L"
	}
	if len(positive) == 0 {
		return b.String(), height(0)
	}
	last := positive[max(0, len(positive)-9):]
	slices.Sort(last)
	return b.String(), height(last[len(last)/2])
}

// placeNames writes the lines' names beside their ends, in the order of the ends and apart.
func (p *picture) placeNames(lines []series, ends []px, top, bottom px) {
	const apart = 12
	order := make([]int, len(lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(ends[a], ends[b]) })
	y := make([]px, len(lines))
	free := top
	for _, i := range order {
		y[i] = max(ends[i]+4, free)
		free = y[i] + apart
	}
	free = bottom
	for _, i := range slices.Backward(order) {
		y[i] = min(y[i], free)
		free = y[i] - apart
	}
	for i, l := range lines {
		p.text("n"+strconv.Itoa(i+1), chartRight+6, y[i], l.Name)
	}
}

// rateChart draws operations per second by outcome.
func (r *Run) rateChart() picture {
	var ok, info, fail []float64
	for _, b := range r.figures.Buckets {
		width := max(min(r.figures.Width, r.figures.End-b.From), time.Millisecond).Seconds()
		ok = append(ok, float64(b.Ops.OK)/width)
		info = append(info, float64(b.Ops.Info)/width)
		fail = append(fail, float64(b.Ops.Fail)/width)
	}
	return r.logChart("Operations per second by outcome, logarithmic", []series{{"ok", ok}, {"info", info}, {"fail", fail}},
		func(v float64) string { return thousands(int(v)) + "/s" })
}

// latencyChart draws how long ok operations took.
func (r *Run) latencyChart() picture {
	lines := []series{{Name: "p50"}, {Name: "p95"}, {Name: "p99"}, {Name: "max"}}
	for _, b := range r.figures.Buckets {
		for i, d := range []time.Duration{b.Latency.P50, b.Latency.P95, b.Latency.P99, b.Latency.Max} {
			v := d.Seconds()
			if b.Latency.Max == 0 {
				v = -1
			}
			lines[i].Points = append(lines[i].Points, v)
		}
	}
	return r.logChart("Latency of ok operations, logarithmic", lines,
		func(v float64) string { return span(time.Duration(v * float64(time.Second)).Round(time.Microsecond)) })
}
