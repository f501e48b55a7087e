package main

import (
	"fmt"
	"io"
	"os"

	"ordeal/internal/term"
)

// campaignView shows a campaign while it goes on: a line in place on a terminal, elsewhere a line for each trial.
type campaignView struct {
	live *term.Live // nil where nothing can be drawn
	w    io.Writer
}

// newCampaignView shows it on w, or not at all.
func newCampaignView(w io.Writer, quiet bool) campaignView {
	if quiet {
		return campaignView{w: io.Discard}
	}
	if f, ok := w.(*os.File); ok && term.Interactive(f) {
		return campaignView{live: term.NewLive(f), w: w}
	}
	return campaignView{w: w}
}

// show replaces what is drawn.
func (v campaignView) show(line string) {
	if v.live != nil {
		v.live.Draw([]string{"  " + line})
	}
}

func (v campaignView) clear() {
	if v.live != nil {
		v.live.Clear()
	}
}

// done tells of a trial. On a terminal the convictions are only counted.
func (v campaignView) done(line string, convicted bool) {
	if v.live == nil || !convicted {
		_, _ = fmt.Fprintln(v.w, line)
	}
}
