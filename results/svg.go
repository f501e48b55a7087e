package results

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// picture is an inline SVG: shapes from back to front. Colours and hatchings are classes, which the
// page's style sheet defines for light and dark.
type picture struct {
	Width, Height px
	Label         string // says it to those who cannot see it
	Shapes        []shape
}

// shape is one element of a picture. It is a rect if it has no Path and no Text.
type shape struct {
	Class      string
	X, Y, W, H px
	Path       string // of a path
	Text       string // of a text
	Title      string // shown while the pointer rests on the shape
}

// px is a length in the picture. It prints with one decimal.
type px float64

func (p px) String() string {
	return strconv.FormatFloat(math.Round(float64(p)*10)/10, 'f', -1, 64)
}

func (p *picture) rect(class string, x, y, w, h px, title string) {
	p.Shapes = append(p.Shapes, shape{Class: class, X: x, Y: y, W: max(w, 0), H: h, Title: title})
}

func (p *picture) text(class string, x, y px, text string) {
	p.Shapes = append(p.Shapes, shape{Class: class, X: x, Y: y, Text: text})
}

func (p *picture) path(class, d string) {
	if d != "" {
		p.Shapes = append(p.Shapes, shape{Class: class, Path: d})
	}
}

func (p *picture) line(class string, x1, y1, x2, y2 px) {
	p.path(class, fmt.Sprintf("M%v %vL%v %v", x1, y1, x2, y2))
}

// rects gathers any number of rectangles into the description of one path.
type rects struct{ strings.Builder }

func (r *rects) add(x, y, w, h px) {
	if w > 0 && h > 0 {
		_, _ = fmt.Fprintf(r, "M%v %vh%vv%vh%vz", x, y, w, h, -w) // a Builder does not fail
	}
}

// timeAxis maps the time of a run to x, true to scale. Stretches in which nothing of interest
// happens can be cut out; they are drawn as a gap of fixed width and say how long they were.
type timeAxis struct {
	From, To    time.Duration
	Left, Right px
	Cuts        []stretch // sorted, inside From–To
}

const cutWidth px = 34

// scale is the picture's length of one nanosecond.
func (a timeAxis) scale() float64 {
	shown := a.To - a.From
	for _, c := range a.Cuts {
		shown -= c.length()
	}
	return float64(a.Right-a.Left-px(len(a.Cuts))*cutWidth) / float64(max(shown, 1))
}

// x is where t lies; what is outside lies at the ends.
func (a timeAxis) x(t time.Duration) px {
	t = max(a.From, min(t, a.To))
	shown, gaps := t-a.From, px(0)
	for _, c := range a.Cuts {
		switch {
		case t >= c.To:
			shown -= c.length()
			gaps += cutWidth
		case t > c.From:
			shown -= t - c.From
			gaps += cutWidth * px(float64(t-c.From)/float64(c.length()))
		}
	}
	return a.Left + gaps + px(float64(shown)*a.scale())
}

// inCut tells whether t is not drawn to scale.
func (a timeAxis) inCut(t time.Duration) bool {
	for _, c := range a.Cuts {
		if c.From < t && t < c.To {
			return true
		}
	}
	return false
}

// ticks are round moments, about one for each apart of the picture's width.
func (a timeAxis) ticks(apart px) (at []time.Duration, step time.Duration) {
	step = roundUp(time.Duration(float64(apart) / a.scale()))
	for t := (a.From + step - 1) / step * step; t <= a.To; t += step {
		if a.inCut(t) {
			continue
		}
		if n := len(at); n > 0 && a.x(t)-a.x(at[n-1]) < apart/2 {
			continue
		}
		at = append(at, t)
	}
	return at, step
}

// roundUp is the next 1, 2 or 5 times a power of ten.
func roundUp(d time.Duration) time.Duration {
	for unit := time.Microsecond; unit < 1e17; unit *= 10 {
		for _, times := range []time.Duration{1, 2, 5} {
			if unit*times >= d {
				return unit * times
			}
		}
	}
	return max(d, 1)
}

// tickLabel writes t with as many decimals as steps of that length need.
func tickLabel(t, step time.Duration) string {
	decimals := 0
	for unit := time.Second; unit > step && decimals < 6; unit /= 10 {
		decimals++
	}
	return strconv.FormatFloat(t.Seconds(), 'f', decimals, 64) + " s"
}
