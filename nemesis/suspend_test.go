package nemesis

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Schedules written by hand overlap: a node that another fault has paused is that one's to continue.
func TestTwoPausesOfOneNode(t *testing.T) {
	for variant, log := range map[string]string{
		"process": "pause n2, pause n1, pause n2, resume n1, resume n2",
		"machine": "pause n2, cut, pause n1, pause n2, resume n1, heal, resume n2",
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			second := step("pause", All, variant)
			second.At += time.Second / 2
			err := f.runner().Run(t.Context(), Schedule{Steps: []Step{step("pause", "n2", ""), second}})
			require.ErrorIs(t, err, ErrAnothers)
			require.NotErrorIs(t, err, ErrNotHealed)
			require.Equal(t, log, strings.Join(f.log, ", "))
			for _, w := range f.ends(t) {
				require.Equal(t, w.Step == 0, w.Bit, "the first stood still to its end, the second did not come about")
			}
		})
	}
}

func TestSuspend(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      func(*fake)
		on       Target
		log      string
		bit      bool
		evidence string
		err      string
	}{
		{"a machine", func(f *fake) { f.dropped = 7 }, "n1", "cut, pause n1, resume n1, heal", true, "state T: n1 (pid 100); 7 packets dropped on 4 one-way links", ""},
		{"all machines", func(f *fake) { f.dropped = 7 }, All, "cut, pause n1, pause n2, pause n3, resume n1, resume n2, resume n3, heal", true, "on 6 one-way links", ""},
		{"nobody missed it", nil, "n1", "cut, pause n1, resume n1, heal", false, "0 packets", ""},
		{"a cut that fails", func(f *fake) { f.fail = "cut" }, "n1", "cut, heal", false, "", "pause machine: cut: broken"},
		{"a stop that fails", func(f *fake) { f.fail = "pause n1" }, "n1", "cut, pause n1, resume n1, heal", false, "", "pause n1: broken"},
		{"a panic", func(f *fake) { f.panics = "pause n1" }, "n1", "cut, pause n1, resume n1, heal", false, "", "panic: boom"},
		{"it is healed though it cannot be continued", func(f *fake) { f.dropped, f.fail = 7, "resume n1" }, "n1", "cut, pause n1, resume n1, heal", true, "", "undo pause:machine: a fault could not be undone: resume n1: broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				if c.set != nil {
					c.set(f)
				}
				w, err := f.window(t, step("pause", c.on, "machine"))
				require.Equal(t, c.log, strings.Join(f.log, ", "))
				require.Equal(t, c.bit, w.Bit)
				require.Contains(t, w.Evidence, c.evidence)
				require.Contains(t, w.Err, c.err)
				if c.err == "" {
					require.NoError(t, err)
					require.Equal(t, 3*time.Second+stillDeaf, w.To, "the network comes back after the machine")
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { newFake().undoneTwice(t, step("pause", "n1", "machine")) })
	synctest.Test(t, func(t *testing.T) { newFake().undoneTwice(t, step("pause", "n1", "process")) })
}
