package results

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ordeal/history"
)

// accused is the position, among the witnesses, of the operation that shows the violation: the one
// that the sentence names first, else the last that read something, else the last.
func accused(f Finding, ops []history.Op) int {
	first, at := len(ops)-1, len(f.Text)
	for i, op := range ops {
		if op.Type == history.OK && op.F == "read" {
			first = i
		}
	}
	for i, op := range ops {
		if named := namedAt(f.Text, op); named >= 0 && named < at {
			first, at = i, named
		}
	}
	return first
}

// namedAt is where a sentence names an operation, as "get 5 by p7" or "p7 read 5"; -1 if nowhere.
func namedAt(text string, op history.Op) int {
	name := fmt.Sprintf("%s by p%d", short(op).Label(), op.Process)
	i := strings.Index(text, name)
	if end := i + len(name); i >= 0 && (end == len(text) || text[end] < '0' || text[end] > '9') {
		return i
	}
	return strings.Index(text, fmt.Sprintf("p%d read %s", op.Process, history.ValueLabel(short(op).Output)))
}

// endOf is when an operation stopped being open, as far as the drawing goes.
func endOf(op history.Op, end time.Duration) time.Duration {
	if op.Return != history.Never {
		return op.Return
	}
	return max(op.Call, min(op.Ended, end))
}

// witnessAxis shows all witnesses true to scale, and cuts out what lies far between them.
func witnessAxis(f Finding, ops []history.Op, end time.Duration, left, right px) timeAxis {
	busy := make([]stretch, 0, len(ops)+1)
	for _, op := range ops {
		busy = append(busy, stretch{op.Call, endOf(op, end)})
	}
	if len(busy) == 0 {
		busy = append(busy, stretch{f.From, max(f.From, min(f.To, end))})
	}
	slices.SortFunc(busy, func(a, b stretch) int { return cmp.Compare(a.From, b.From) })
	var merged []stretch
	var sum time.Duration
	for _, s := range busy {
		if n := len(merged); n > 0 && s.From <= merged[n-1].To {
			merged[n-1].To = max(merged[n-1].To, s.To)
			continue
		}
		merged = append(merged, s)
	}
	for _, s := range merged {
		sum += s.length()
	}
	pad := max(sum/4, time.Millisecond/2)
	a := timeAxis{From: max(0, merged[0].From-pad), To: merged[len(merged)-1].To + pad, Left: left, Right: right}
	for i := 1; i < len(merged); i++ {
		gap := stretch{merged[i-1].To + pad, merged[i].From - pad}
		if gap.length() > 6*(sum+pad) {
			a.Cuts = append(a.Cuts, gap)
		}
	}
	return a
}

const (
	witnessWidth  px = 1080
	witnessLeft   px = 110
	laneHeight    px = 54
	barHeight     px = 22
	witnessMargin px = 14
)

// witnessPicture draws the witnesses of a finding, a lane each process, before the faults and the
// leader of that time.
func (r *Run) witnessPicture(f Finding, ops []history.Op) picture {
	p := picture{Width: witnessWidth, Label: "The operations that show the violation, on a time axis: " + clean(f.Text, sentenceLimit)}
	a := witnessAxis(f, ops, r.figures.End, witnessLeft, witnessWidth-witnessMargin)
	open := overlapping(r.Windows, a.From, a.To)
	open = open[:min(len(open), maxWitnesses)]
	lanes := lanesOf(ops)
	faults, rows := layFaults(a, open)
	top := rowHeight*px(rows+1) + 8
	bottom := top + laneHeight*px(max(len(lanes), 1)) + 4
	y := p.drawLeaders(a, r.reigns, 0)
	p.drawFaults(a, faults, y, bottom)
	p.drawAxis(a, top, bottom)
	guilty := accused(f, ops)
	for i, process := range lanes {
		y := top + laneHeight*px(i)
		p.line("lane", a.Left, y+36, a.Right, y+36)
		var above px
		for j, op := range ops {
			if op.Process == process {
				p.drawWitness(a, op, y, r.figures.End, j == guilty, f.Rule, &above)
			}
		}
		p.text("gutter strong", a.Left-10, y+40, fmt.Sprintf("p%d", process))
	}
	if guilty > 0 {
		p.drawGap(a, ops, guilty, top+laneHeight*px(slices.Index(lanes, ops[guilty].Process)), r.figures.End)
	}
	p.Height = bottom + 24
	if len(a.Cuts) > 0 {
		p.Height += 14
	}
	return p
}

// lanesOf are the witnesses' processes in the order of their first call.
func lanesOf(ops []history.Op) []int {
	var lanes []int
	for _, op := range ops {
		if !slices.Contains(lanes, op.Process) {
			lanes = append(lanes, op.Process)
		}
	}
	return lanes
}

// drawWitness draws one operation: ok filled, fail hollow, info hatched with an open end, the accused
// with a double outline and the name of the rule. above is how far the labels over the lane's bars
// reach; where they are in the way the label goes below the bar.
func (p *picture) drawWitness(a timeAxis, op history.Op, y px, end time.Duration, guilty bool, rule string, above *px) {
	x, to := a.x(op.Call), a.x(endOf(op, end))
	bar := y + 36 - barHeight/2
	w := max(to-x, 3)
	class := "op " + op.Type.String()
	if op.Return == history.Never {
		p.path(class+" open", openEnd(x, bar, w))
	} else {
		p.rect(class, x, bar, w, barHeight, opTitle(op))
	}
	name, text := label(op), "oplabel"
	if op.Node != "" {
		name += " via " + clean(op.Node, nameLimit)
	}
	if guilty {
		p.rect("guilty", x-3.5, bar-3.5, w+7, barHeight+7, opTitle(op))
		name, text = "✗ "+clean(rule, nameLimit)+": "+name, "oplabel wrong"
	}
	width := textWidth(name, 12)
	at := max(0, min(x, a.Right-width))
	if at > *above || *above == 0 {
		*above = at + width + 8
		p.text(text, at, bar-8, name)
	} else {
		p.text(text, at, bar+barHeight+13, name)
	}
}

// openEnd is a bar whose right side is torn off: nobody knows when, or whether, it ended.
func openEnd(x, y, w px) string {
	const teeth = 4
	step := barHeight / teeth
	var b strings.Builder
	fmt.Fprintf(&b, "M%v %vh%v", x+w, y, -w)
	fmt.Fprintf(&b, "v%vh%v", barHeight, w)
	for i := range teeth {
		fmt.Fprintf(&b, "l%v %v", []px{6, -6}[i%2], -step)
	}
	return b.String()
}

// drawGap marks how long before the accused began the last of the other witnesses had ended.
func (p *picture) drawGap(a timeAxis, ops []history.Op, guilty int, y px, end time.Duration) {
	call := ops[guilty].Call
	last := time.Duration(-1)
	for _, op := range ops {
		if t := endOf(op, end); op.Return != history.Never && t < call {
			last = max(last, t)
		}
	}
	if last < 0 {
		return
	}
	x, to := a.x(last), a.x(call)-5
	label := span(call - last)
	if to-x < textWidth(label, 11)+60 {
		return
	}
	mid := y + 36
	p.path("gap", fmt.Sprintf("M%v %vv12M%v %vh%vM%v %vl-5 -4M%v %vl-5 4", x, mid-6, x, mid, to-x, to, mid, to, mid))
	p.text("gaplabel", (x+to)/2, mid-5, label+" later")
}

func opTitle(op history.Op) string {
	s := fmt.Sprintf("#%d p%d %s, %s, called %s", op.Index, op.Process, label(op), op.Type, instant(op.Call))
	if op.Return != history.Never {
		s += fmt.Sprintf(", returned %s (%s)", instant(op.Return), span(op.Return-op.Call))
	}
	if op.Err != "" {
		s += ", " + clean(op.Err, errLimit)
	}
	return s
}
