package nemesis

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKillInAnElection(t *testing.T) {
	const all = `^kill n2, kill n[13], kill n[13], start n1, start n2, start n3$`
	for _, c := range []struct {
		name     string
		set      func(*fake)
		log      string
		bit      bool
		evidence string
		err      string
	}{
		{"in an election", nil, all, true, "gone: n2 (pid 100), n1 (pid 100), n3 (pid 100); the leader in term 1, the others in term 2", ""},
		{"that is long in coming", func(f *fake) { f.electing = 4 * time.Second }, all, true, "the others in term 2", ""},
		{"that does not come", func(f *fake) { f.electing = time.Hour }, "^kill n2, start n2$", false, "gone: n2 (pid 100); no term after 1 was seen", ""},
		{"nobody leads", func(f *fake) { f.leader = "" }, "^$", false, "", "no leader was known"},
		{"the leader's term is not known", func(f *fake) { f.silent = "n2" }, "^$", false, "", "kill in an election: n2, which leads, did not tell its term"},
		{"the others lag", func(f *fake) { f.term, f.lag, f.electing = 5, 2, time.Hour }, "^kill n2, start n2$", false, "no term after 5 was seen", ""},
		{"the others lag, and elect", func(f *fake) { f.term, f.lag = 5, 2 }, all, true, "the leader in term 5, the others in term 6", ""},
		{"the leader is not killed", func(f *fake) { f.fail = "kill n2" }, "^kill n2, start n2$", false, "", "kill n2: broken"},
		{"another is not killed", func(f *fake) { f.fail = "kill n3" }, all, false, "", "kill n3: broken"},
		{"a panic", func(f *fake) { f.panics = "kill n1" }, all, false, "", "panic: boom"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				if c.set != nil {
					c.set(f)
				}
				w, err := f.window(t, step("kill", "", "election"))
				require.Regexp(t, c.log, strings.Join(f.log, ", "))
				require.Equal(t, c.bit, w.Bit)
				require.Contains(t, w.Evidence, c.evidence)
				require.Contains(t, w.Err, c.err)
				if c.err == "" {
					require.NoError(t, err)
				}
				if c.bit {
					require.Equal(t, f.Nodes(), w.Target)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { newFake().undoneTwice(t, step("kill", "", "election")) })
}

// The others are killed when the term is new, not when somebody leads, nor when the window ends.
func TestKillInAnElectionIsSwift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		_, err := (&electionFault{}).Inject(t.Context(), f, nil)
		require.NoError(t, err)
		require.Less(t, time.Since(f.start), f.electing+2*termEvery)
	})
}

func TestKillInAnElectionEndsWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.electing = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		require.NoError(t, f.runner().Run(ctx, Schedule{Steps: []Step{step("kill", "", "election")}}))
		require.Equal(t, 1500*time.Millisecond, time.Since(f.start), "nobody waits for an election any more")
		require.Equal(t, "kill n2, start n2", strings.Join(f.log, ", "))
	})
}
