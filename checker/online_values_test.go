package checker

import (
	"context"
	"encoding/json"
	"math"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// longRun is an endless run of one key, of whose values those that end in 7 are strings. Now and then a client is stuck.
type longRun struct {
	load   *onlineLoad
	sevens *regexp.Regexp
	events []history.Event
	found  []json.RawMessage // by reads, each as often as it was found after another
}

func (l *longRun) next() history.Event {
	e := l.load.next()
	e.Index, e.Value = len(l.events), l.sevens.ReplaceAll(e.Value, []byte(`"$0"`))
	if e.Type == history.OK && e.F == "read" && (len(l.found) == 0 || string(l.found[len(l.found)-1]) != string(e.Value)) {
		l.found = append(l.found, e.Value)
	}
	l.events = append(l.events, e)
	return e
}

// zonesSay is what zones say of the first n events.
func (l *longRun) zonesSay(t *testing.T, n int) result {
	ops, err := history.Pair(l.events[:n])
	require.NoError(t, err)
	p, err := parseRegister(pointers(ops))
	require.NoError(t, err)
	return p.(*registerProblem).zoned(context.Background(), 1<<30).Result
}

// However many values a stuck client keeps from being forgotten, and whatever they are, one that was replaced long
// before is not found again; and what is done with is forgotten.
func TestOnlineManyValues(t *testing.T) {
	for _, kind := range []byte{'"', '1'} {
		run := &longRun{load: newOnlineLoad(20, 1, 0.001, true), sevens: regexp.MustCompile(`\d*7\b`)}
		run.load.stuck = 5_000
		o := OnlineRegister(20)
		most := 0
		for range 100_000 {
			require.False(t, o.Take(run.next()))
			most = max(most, len(o.keys["k0"].values))
		}
		t.Logf("%d values at most", most)
		require.Greater(t, most, 20*zoneBlockSize)
		require.Less(t, most, 5_000)
		for {
			e := run.next()
			stale := run.found[len(run.found)-zoneBlockSize]
			w, ok := wordOf(stale)
			require.True(t, ok)
			n := o.keys["k0"].values[w]
			if e.Type == history.OK && e.F == "read" && n != nil && n.next == nil && n.zone.slot > 2*zoneBlockSize && (stale[0] == '"') == (kind == '"') {
				e.Value = stale
				run.events[e.Index] = e
				require.True(t, o.Take(e))
				require.Equal(t, illegal, run.zonesSay(t, e.Index+1))
				require.Equal(t, legal, run.zonesSay(t, e.Index))
				break
			}
			require.False(t, o.Take(e))
		}
	}
}

// A key of which much is unknown becomes quiet, too, but it must fit.
func TestOnlineQuietKeyOfManyUnknowns(t *testing.T) {
	q := quiet{at: map[uint64]uint64{}}
	k := untouched(false)
	k.lost = map[word]word{}
	for i := range word(quietMax/2 - 2) {
		k.lost[math.MaxUint64-i] = math.MaxUint64 - i - 1
	}
	lost := k.lost
	require.True(t, q.keep("k", k, time.Second))
	require.Less(t, q.live, quietChunk)
	require.Equal(t, lost, q.wake("k", false).lost)
	lost[5], lost[7], lost[9] = noWord, noWord, noWord
	require.False(t, q.keep("k", k, time.Second))
}
