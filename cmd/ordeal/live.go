package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"ordeal"
	"ordeal/history"
	"ordeal/internal/term"
	"ordeal/results"
)

// viewer shows a run while it goes on. Its methods are called one after another.
type viewer interface {
	watch(ordeal.Progress)
	end()
}

// plainEvery is the time between two lines where nothing can be drawn.
const plainEvery = 10 * time.Second

// newScreen draws on f if it is a terminal that wants it, and writes plain lines otherwise.
func newScreen(f *os.File) viewer {
	if term.Interactive(f) {
		return &block{live: term.NewLive(f)}
	}
	return &plain{w: f}
}

// block is the live view of a terminal.
type block struct {
	live *term.Live
	rate float64 // smoothed
}

func (b *block) end() { b.live.Clear() }

func (b *block) watch(p ordeal.Progress) {
	b.rate += (p.Rate - b.rate) / 4
	lines := []string{
		"  " + strings.Join(p.Command, " "),
		fmt.Sprintf("  %s %s/%s   %s ops  %s/s  %s", bar(p.Elapsed, p.Load, 18), seconds(p.Elapsed), seconds(p.Load),
			thousands(p.Ops.All()), thousands(int(b.rate)), shares(p.Ops)),
		"  " + nodes(p),
		"  now  " + windows(p),
		fmt.Sprintf("  p50 %s  p99 %s  longest outage %s (%s–%s)", latency(p.P50), latency(p.P99),
			seconds(p.Outage.To-p.Outage.From), seconds(p.Outage.From), seconds(p.Outage.To)),
	}
	if p.Violation != "" {
		lines = append(lines, "  violation in "+p.Violation)
	}
	b.live.Draw(lines)
}

// plain is a line every ten seconds, and one when a violation is seen.
type plain struct {
	w    io.Writer
	last time.Duration
	seen bool // the violation
}

func (v *plain) end() {}

func (v *plain) watch(p ordeal.Progress) {
	if p.Violation != "" && !v.seen {
		v.seen = true
		_, _ = fmt.Fprintln(v.w, "violation in", p.Violation)
	}
	if p.Elapsed-v.last < plainEvery {
		return
	}
	v.last = p.Elapsed
	_, _ = fmt.Fprintf(v.w, "%s/%s  %s ops  %s  now: %s\n", seconds(p.Elapsed), seconds(p.Load), thousands(p.Ops.All()), shares(p.Ops), windows(p))
}

// jsonView is one JSON object a line on stdout: progress about once a second, then the verdict.
type jsonView struct {
	enc  *json.Encoder
	last time.Duration
	seen bool // the violation, which is told at once
}

func (v *jsonView) end() {}

func (v *jsonView) watch(p ordeal.Progress) {
	news := p.Violation != "" && !v.seen
	if p.Elapsed-v.last < time.Second && !news {
		return
	}
	v.last, v.seen = p.Elapsed, v.seen || news
	_ = v.enc.Encode(progressLine{"progress", p.Elapsed, p.Load, p.Ops, len(p.Windows), p.Out, p.Violation}) // a reader that is gone cannot be told
}

// progressLine is one of the lines of --json before the last.
type progressLine struct {
	Event   string         `json:"event"`
	Elapsed time.Duration  `json:"elapsed"` // nanoseconds, as Load
	Load    time.Duration  `json:"load"`
	Ops     results.Counts `json:"ops"`
	Windows int            `json:"windows"`
	Dir     string         `json:"dir"`

	Violation string `json:"violation,omitempty"` // as far as was seen while the run goes on
}

// verdictLine is the last line of --json.
type verdictLine struct {
	Event   string          `json:"event"`
	Dir     string          `json:"dir"`
	Seed    uint64          `json:"seed"`
	Verdict results.Verdict `json:"verdict"`
}

func (v *jsonView) verdict(r *results.Run) {
	_ = v.enc.Encode(verdictLine{"verdict", r.Dir.Path(), r.Manifest.Seed, r.Verdict})
}

func bar(done, all time.Duration, width int) string {
	filled := min(width, int(int64(width)*int64(done)/int64(max(all, 1))))
	return "▕" + strings.Repeat("█", filled) + strings.Repeat(" ", width-filled) + "▏"
}

// nodes says of each node what it is and what is done to it: n3 ⏸ paused 3.1s.
func nodes(p ordeal.Progress) string {
	var parts []string
	for _, n := range p.Nodes {
		sign, role := "●", "follower"
		switch {
		case n.State == "paused":
			sign, role = "⏸", "paused"+since(p, "pause", n.ID)
		case n.State == "down":
			sign, role = "✖", "down"+since(p, "kill", n.ID)
		case since(p, "partition", n.ID) != "":
			sign, role = "✖", "cut"+since(p, "partition", n.ID)
		case since(p, "member", n.ID) != "":
			sign, role = "✖", "out"+since(p, "member", n.ID)
		case !n.Answers:
			sign, role = "?", "silent"
		case n.Leads:
			role = "LEADER"
		}
		if n.Term > 0 {
			role += fmt.Sprintf(" t%d", n.Term)
		}
		parts = append(parts, fmt.Sprintf("%s %s %s", n.ID, sign, role))
	}
	return strings.Join(parts, "   ")
}

// since is how long a node has been the target of a kind of fault, "" if it is not.
func since(p ordeal.Progress, fault, node string) string {
	for _, w := range p.Windows {
		if kind, _, _ := strings.Cut(w.Fault, ":"); kind == fault && slices.Contains(w.Target, node) {
			return " " + seconds(p.Now-w.From)
		}
	}
	return ""
}

func windows(p ordeal.Progress) string {
	if len(p.Windows) == 0 {
		return "no fault"
	}
	var parts []string
	for i, w := range p.Windows {
		parts = append(parts, fmt.Sprintf("%s until %s", aimed(w), seconds(p.Until[i])))
	}
	return strings.Join(parts, " · ")
}

// aimed is a fault with its target: pause n3 (leader).
func aimed(w history.Window) string {
	text := strings.TrimSpace(w.Fault + " " + strings.Join(w.Target, ","))
	if w.Role != "" {
		text += " (" + w.Role + ")"
	}
	return text
}

func shares(c results.Counts) string {
	all := float64(max(1, c.All()))
	return fmt.Sprintf("ok %.1f%%  info %.1f%%  fail %.1f%%", 100*float64(c.OK)/all, 100*float64(c.Info)/all, 100*float64(c.Fail)/all)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

func latency(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000) }

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
