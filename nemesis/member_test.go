package nemesis

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMember(t *testing.T) {
	const back = "kill n2, wipe n2, start n2"
	for _, c := range []struct {
		name, how string
		set       func(*fake)
		log       string
		bit       bool
		evidence  string
		err       string
	}{
		{"removed", "remove", nil, "remove n2, " + back, true, "n2 (member 2) removed: voters n1=1 n2=2 n3=3 before, n1=1 n3=3 after", ""},
		{"removed, says an error", "remove", func(f *fake) { f.fail = "remove n2" }, "remove n2, " + back, true, "removed", ""},
		{"removed, says a panic", "remove", func(f *fake) { f.panics = "remove n2" }, "remove n2, " + back, false, "", "panic: boom"},
		{"it ended by itself while it was out", "remove", func(f *fake) {
			time.AfterFunc(2*time.Second, func() { _ = f.note(func() { f.down["n2"] = true }, "crash") })
		}, "remove n2, crash, wipe n2, start n2", true, "", ""},
		{"removed, and not wiped", "remove", func(f *fake) { f.fail = "wipe n2" }, "remove n2, kill n2, wipe n2", true, "", "undo member:remove: a fault could not be undone: wipe n2: broken"},
		{"wiped", "wipe", nil, back, true, "n2 (member 2) lost 1 files, 1000 bytes", ""},
		{"nothing was on the disk", "wipe", func(f *fake) { f.disk["n2"] = 0 }, back, false, "0 bytes", ""},
		{"a disk half wiped is wiped before the start", "wipe", func(f *fake) { f.fail = "wipe n2" }, "kill n2, wipe n2, wipe n2, start n2", false, "", "wipe n2: broken"},
		{"a panic", "wipe", func(f *fake) { f.panics = "wipe n2" }, "kill n2, wipe n2, wipe n2, start n2", false, "", "panic: boom"},
		{"killed with a panic", "wipe", func(f *fake) { f.panics = "kill n2" }, "kill n2, start n2", false, "", "panic: boom"},
		{"it does not join", "wipe", func(f *fake) { f.joining = time.Hour }, back, true, "", "undo member:wipe: n2: a node has not joined again: it does not vote (context deadline exceeded)"},
		{"it does not join", "remove", func(f *fake) { f.joining = time.Hour }, "remove n2, " + back, true, "", "undo member:remove: n2: a node has not joined again"},
		{"it ends by itself instead", "wipe", func(f *fake) {
			f.joining = time.Hour
			time.AfterFunc(4*time.Second, func() { _ = f.note(func() { f.down["n2"] = true }, "crash") })
		}, back + ", crash", true, "", "not joined again: it ended by itself"},
		{"it is not started", "wipe", func(f *fake) { f.broken = "start n2" }, back, true, "", "undo member:wipe: a fault could not be undone: start n2: broken"},
		{"another is out", "wipe", func(f *fake) { delete(f.voters, "n3") }, "", false, "", "member wipe: n3 does not vote (context deadline exceeded)"},
		{"another is out", "remove", func(f *fake) { delete(f.voters, "n3") }, "", false, "", "member remove: n3 does not vote (context deadline exceeded)"},
	} {
		t.Run(c.how+"/"+c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				if c.set != nil {
					c.set(f)
				}
				w, err := f.window(t, step("member", Leader, c.how))
				require.Equal(t, c.log, strings.Join(f.log, ", "))
				require.Equal(t, c.bit, w.Bit)
				require.Contains(t, w.Evidence, c.evidence)
				require.Contains(t, w.Err, c.err)
				require.Equal(t, strings.Contains(c.err, "be undone"), errors.Is(err, ErrNotHealed))
				require.Equal(t, strings.Contains(c.err, "not joined"), errors.Is(err, ErrNotJoined))
				if c.err == "" {
					require.NoError(t, err)
					require.InDelta(t, 3500, w.To.Milliseconds(), 30, "the window ends when it votes again")
					require.Equal(t, "4", f.voters["n2"], "as a new member")
				}
			})
		})
	}
	for _, how := range []string{"remove", "wipe"} {
		synctest.Test(t, func(t *testing.T) { newFake().undoneTwice(t, step("member", "n1", how)) })
	}
}

// What an undo did not manage it can be asked for again.
func TestMemberUndoAgain(t *testing.T) {
	for _, failing := range []string{"kill n1", "wipe n1", "start n1"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake()
			undo, err := new(removeFault).Inject(t.Context(), f, []string{"n1"})
			require.NoError(t, err)
			f.panics = failing
			require.ErrorContains(t, undoWithin(t.Context(), undo), "boom")
			require.NoError(t, undo(t.Context()))
			require.NoError(t, f.Joined(t.Context(), "n1"))
			require.Equal(t, "4", f.voters["n1"])
		})
	}
}

// Two members are never lost at once, whatever the schedule says: three nodes would have no quorum left.
func TestMembersAreLostOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		again := step("member", "n3", "remove")
		again.At += time.Second / 2
		require.NoError(t, f.runner().Run(t.Context(), Schedule{Steps: []Step{step("member", "n1", "wipe"), again}}))
		require.Equal(t, "kill n1, wipe n1, start n1, remove n3, kill n3, wipe n3, start n3", strings.Join(f.log, ", "))
	})
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		require.NoError(t, f.runner().Run(ctx, Schedule{Steps: []Step{step("member", "n1", "wipe"), step("member", "n1", "wipe")}}))
		require.Equal(t, "kill n1, wipe n1, start n1", strings.Join(f.log, ", "), "the one that waits is left out")
	})
}

func TestMemberNeedsThree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := f.runner()
		r.Cluster = two{f}
		require.ErrorContains(t, r.Run(t.Context(), Schedule{Steps: []Step{step("member", "n1", "wipe")}}), "member:wipe needs 3 nodes")
		require.Empty(t, f.log)
	})
}

// two are a cluster of two nodes.
type two struct{ *fake }

func (two) Nodes() []string { return cluster(2) }

// Schedules written by hand overlap, and the end of a kill may start the node at any moment.
func TestMemberThatAnotherFaultStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		undo, err := new(removeFault).Inject(t.Context(), hasty{f}, []string{"n1"})
		require.NoError(t, err)
		require.NoError(t, undo(t.Context()))
		require.Equal(t, "remove n1, kill n1, start n1, wipe n1, kill n1, wipe n1, start n1", strings.Join(f.log, ", "))
		require.Equal(t, "4", f.voters["n1"])
	})
}

// hasty is a cluster in which somebody starts the node just before its disk is wiped, once.
type hasty struct{ *fake }

func (h hasty) Wipe(ctx context.Context, n string) (files int, bytes int64, err error) {
	if h.starts == 0 {
		_ = h.Start(ctx, n)
	}
	return h.fake.Wipe(ctx, n)
}
