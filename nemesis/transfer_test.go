package nemesis

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTransfer(t *testing.T) {
	for _, c := range []struct {
		name     string
		set      func(*fake)
		bit      bool
		evidence string
	}{
		{"from node to node", nil, true, `^[4-7] of [4-7] transfers completed: n2 → n[13] in term 2, n[13] → `},
		{"nobody leads", func(f *fake) { f.leader = "" }, false, "none of .* the last: no leader was known"},
		{"the leader does not mind", func(f *fake) { f.stubborn = true }, false, `none of .* then "n2" led in term 1`},
		{"one is refused", func(f *fake) { f.fail, f.panics = "transfer n2 n1", "transfer n2 n3" }, true, "^[34567] of [4-7] transfers completed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				if c.set != nil {
					c.set(f)
				}
				w, err := f.window(t, step("transfer", "", ""))
				require.NoError(t, err)
				require.Equal(t, c.bit, w.Bit)
				require.Regexp(t, c.evidence, w.Evidence)
				if c.bit {
					require.Contains(t, w.Target, "n2", "who took part")
					require.Equal(t, 3*time.Second, w.To)
				}
				transfers := len(f.log)
				sleepUntil(t.Context(), 5*time.Second)
				require.Len(t, f.log, transfers, "undone means that no more are made")
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { newFake().undoneTwice(t, step("transfer", "", "")) })
}

// A hand-over that is ignored is not one because the node that was named wins an election later.
func TestTransferThatIsIgnored(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(f *fake) // after a second, when the named node also begins to lead
		want string
	}{
		{"another has led in between", func(f *fake) { f.term += 2 }, `"n[13]" led in term 3, more than one after 1`},
		{"the old leader is dead", func(f *fake) { f.term, f.down["n2"] = 2, true }, "the old leader's process ended"},
		{"the old leader is another process", func(f *fake) { f.term, f.starts = 2, 1 }, "the old leader's process ended"},
		{"the old leader stands still", func(f *fake) { f.term, f.silent = 2, "n2" }, "the old leader did not answer: it does not answer"},
		{"the old leader does not know", func(f *fake) { f.term, f.lag, f.lags = 2, 1, "n2" }, `then "n[13]" led in term 2 \(context deadline exceeded\)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				kind, _ := kindOf("transfer")
				fault, ok := kind.New(nil, rand.New(rand.NewPCG(1, 1))).(*transferFault)
				require.True(t, ok)
				_, _, _, err := fault.handOver(t.Context(), ignoring{f, c.then}, f.Nodes())
				require.Error(t, err)
				require.Regexp(t, c.want, err.Error())
			})
		})
	}
}

// ignoring is a cluster that takes no notice of a transfer, and elects the named node a second later.
type ignoring struct {
	*fake
	then func(*fake)
}

func (d ignoring) Transfer(_ context.Context, _, to string) error {
	time.AfterFunc(time.Second, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.leader = to
		d.then(d.fake)
	})
	return nil
}

// The first transfer of a short window may still be under way at its end.
func TestTransferIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.leader = ""
		elected := time.AfterFunc(1500*time.Millisecond, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.leader = "n3"
		})
		defer elected.Stop()
		s := step("transfer", "", "")
		s.For = 100 * time.Millisecond
		w, err := f.window(t, s)
		require.NoError(t, err)
		require.True(t, w.Bit, w.Evidence)
	})
}

func TestTransferEndsWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.leader = ""
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		require.NoError(t, f.runner().Run(ctx, Schedule{Steps: []Step{step("transfer", "", "")}}))
		require.Equal(t, 1500*time.Millisecond, time.Since(f.start), "nobody waits for a transfer any more")
	})
}
