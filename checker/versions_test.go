package checker

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ordeal/history"
)

// versionedKey is a key that is read, written, compared-and-set and deleted, and tells revisions.
type versionedKey struct {
	r       *rand.Rand
	unique  bool   // no value comes back, but null
	old     string // what it was before
	state   string
	at      uint64 // revision of state, 0 if it is absent
	last    uint64
	fresh   int
	values  int // how many there are, if they come back; 0 for 3
	corrupt int // one answer in so many is wrong; 0 for none
	blind   int // one failed cas in so many does not tell what it found; 0 for none
}

// versionedHistory is a small history of a key, with ties, unknown outcomes and failed cas.
func versionedHistory(r *rand.Rand, corrupt int) []history.Op {
	k := versionedKey{r: r, unique: r.IntN(3) != 0, old: "null", state: "null", corrupt: corrupt, blind: 3}
	return randomOps(r, 3+r.IntN(10), 1+r.IntN(4), 1+r.IntN(4), k.answer)
}

func (k *versionedKey) one(n int) bool { return n > 0 && k.r.IntN(n) == 0 }

// change makes a revision that leaves v behind.
func (k *versionedKey) change(v string) uint64 {
	k.last += 1 + k.r.Uint64N(2)
	k.old, k.state, k.at = k.state, v, k.last
	if v == "null" {
		k.at = 0
	}
	return k.last
}

func (k *versionedKey) value() string {
	if k.fresh++; k.unique {
		return fmt.Sprint(k.fresh)
	}
	return fmt.Sprint(k.r.IntN(max(3, k.values)))
}

func (k *versionedKey) answer(op *history.Op) {
	op.Type = history.OK
	happens := true
	if k.one(5) {
		op.Type, op.Return = history.Info, history.Never
		happens = k.one(2)
	}
	var revision uint64
	switch kind := k.r.IntN(10); {
	case kind < 4:
		op.F, op.Output, revision = "read", json.RawMessage(k.state), k.at
	case kind < 6:
		op.F, op.Input = "write", json.RawMessage(k.value())
		if happens {
			revision = k.change(string(op.Input))
		}
	case kind < 7:
		op.F = "delete"
		if happens {
			revision = k.change("null")
		}
	default:
		revision = k.cas(op, happens)
	}
	k.spoil(op, &revision)
	if op.Type == history.Info {
		op.Output, revision = nil, k.r.Uint64N(9) // of no meaning
	}
	op.Revision = revision
}

func (k *versionedKey) cas(op *history.Op, happens bool) (revision uint64) {
	from, to := k.state, k.value()
	if k.one(4) {
		from = k.old
	}
	op.F, op.Input = "cas", json.RawMessage("["+from+","+to+"]")
	switch {
	case from == k.state && happens:
		return k.change(to)
	case from != k.state && op.Type == history.OK:
		op.Type, op.Output, revision = history.Fail, json.RawMessage(k.state), k.at
		if k.one(k.blind) {
			op.Output, op.Err = nil, history.Mismatch
			revision *= k.r.Uint64N(2) // some do not even tell that
		}
	}
	return revision
}

// spoil makes an answer wrong now and then: the value, the revision, or what became of the key.
func (k *versionedKey) spoil(op *history.Op, revision *uint64) {
	if !k.one(k.corrupt) {
		return
	}
	switch k.r.IntN(4) {
	case 0:
		op.Output = json.RawMessage(k.old)
	case 1:
		*revision = k.r.Uint64N(k.last + 2)
	case 2:
		k.state, k.at = k.old, max(k.last, 1)-1
	default:
		if op.F == "read" {
			op.Output, *revision = json.RawMessage(k.old), max(k.last, 1)-1
		}
	}
}

// byVersion is what the engine says by itself.
func byVersion(t *testing.T, p Problem) Answer {
	a := p.Engines()[0].Decide(context.Background(), 1<<30)
	require.NotEqual(t, illegal, a.Result, "revisions prove nothing against values")
	if a.Result == legal {
		require.NoError(t, p.Replay(a.Order))
	}
	return a
}

func TestVersionOrderAgreesWithPorcupine(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	cases := histories(t, 20_000)
	bad, decidedByIt, good := 0, 0, 0
	for range cases {
		ops := versionedHistory(r, 2)
		p, err := parseKV(pointers(ops))
		require.NoError(t, err)
		want := plain(p)
		require.Equal(t, want, decided(t, p) == legal, picture(ops))
		a := byVersion(t, p)
		require.True(t, want || a.Result == unfit && a.Why != "", picture(ops))
		if !want {
			bad++
			continue
		}
		good++
		if a.Result == legal {
			decidedByIt++
		}
	}
	t.Logf("%d of %d illegal; version order decided %d of %d legal ones", bad, cases, decidedByIt, good)
	require.Greater(t, bad, cases/4)
	require.Less(t, bad, cases*3/4)
	require.Greater(t, decidedByIt, good/2)
}

// Of a system that does what it should, nearly every key is decided, although values come back.
func TestVersionOrderDecidesWhatIsRight(t *testing.T) {
	r := rand.New(rand.NewPCG(33, 34))
	cases := histories(t, 20_000)
	unfits := 0
	for range cases {
		ops := versionedHistory(r, 0)
		p, err := parseKV(pointers(ops))
		require.NoError(t, err)
		if a := byVersion(t, p); a.Result == unfit && a.Why != "no operation has a revision" {
			unfits++
		}
	}
	t.Logf("%d of %d not decided", unfits, cases)
	require.Less(t, unfits, cases/1000)
}

// versioned draws a key under load: deletes, revisions, unknown outcomes.
func (l load) versioned(seed uint64, k versionedKey) []history.Op {
	r := rand.New(rand.NewPCG(seed, 9))
	all := l.times(r, "k")
	slices.SortFunc(all, func(a, b drawn) int { return int(min(max(a.point-b.point, -1), 1)) })
	k.r, k.old, k.state = r, "null", "null"
	ops := make([]history.Op, 0, len(all))
	for _, d := range all {
		op, happens := d.op, d.point != history.Never
		switch kind := r.IntN(20); {
		case kind < 10:
			op.F, op.Output, op.Revision = "read", json.RawMessage(k.state), k.at
		case kind < 14:
			op.F, op.Input = "write", json.RawMessage(k.value())
			if happens {
				op.Revision = k.change(string(op.Input))
			}
		case kind < 16:
			if op.F = "delete"; happens {
				op.Revision = k.change("null")
			}
		default:
			op.Revision = k.cas(&op, happens)
		}
		if d.op.Type == history.Info {
			op.Type, op.Output, op.Revision = history.Info, nil, 0
		}
		ops = append(ops, op)
	}
	slices.SortStableFunc(ops, func(a, b history.Op) int { return int(a.Call - b.Call) })
	for i := range ops {
		ops[i].Index = i
	}
	return ops
}

func TestVersionOrderDecidesWhatExplodes(t *testing.T) {
	for _, c := range []struct {
		unique  bool
		blind   int
		unknown []float64
		decided int // of 10
	}{
		{true, 0, []float64{0, 0.01, 0.05}, 10},
		{false, 0, []float64{0}, 10},
		{false, 0, []float64{0.01, 0.05}, 7},
		{true, 3, []float64{0, 0.01, 0.05}, 9},
		{false, 3, []float64{0}, 10},
	} {
		for _, unknown := range c.unknown {
			decided := 0
			for seed := range uint64(10) {
				k := versionedKey{unique: c.unique, values: 100, blind: c.blind}
				p, err := parseKV(pointers(load{ops: 10_000, clients: 30, unknown: unknown}.versioned(seed, k)))
				require.NoError(t, err)
				if byVersion(t, p).Result == legal {
					decided++
				}
			}
			require.GreaterOrEqual(t, decided, c.decided, "%+v %v", c, unknown)
		}
	}
}

func TestVersionOrderSaysWhyNot(t *testing.T) {
	at := func(i int, f, in, out string, revision uint64) history.Op {
		return history.Op{Index: i, Process: i, Key: "k", F: f, Type: history.OK, Input: json.RawMessage(in), Output: json.RawMessage(out),
			Revision: revision, Call: time.Duration(2 * i), Return: time.Duration(2*i + 1)}
	}
	for why, ops := range map[string][]history.Op{
		"no operation has a revision":                                              {at(0, "read", "", "null", 0)},
		"operation 1 has no revision":                                              {at(0, "write", "1", "", 4), at(1, "read", "", "1", 0)},
		"operation 0 has no revision":                                              {at(0, "delete", "", "", 0), at(1, "read", "", "1", 4)},
		"the revision of operation 1 is 2^31 or more from the first":               {at(0, "write", "1", "", 4), at(1, "write", "2", "", 1<<31+4)},
		"the revision of operation 2 is 2^31 or more from the first":               {at(0, "write", "1", "", 1<<63), at(1, "write", "2", "", 1<<63+1), at(2, "read", "", "2", 4)},
		"operation 0 is not possible where its revision puts it":                   {at(0, "write", "1", "", 4), at(1, "write", "2", "", 3)},
		"operation 2 is not possible where its revision puts it":                   {at(0, "write", "1", "", 3), at(1, "delete", "", "", 4), at(2, "read", "", "1", 4)},
		"operation 1 has no revision, and does not fit into the order by revision": {at(0, "write", "1", "", 3), at(1, "read", "", "null", 0)},
	} {
		p, err := parseKV(pointers(ops))
		require.NoError(t, err)
		require.Equal(t, Answer{Result: unfit, Why: why}, byVersion(t, p))
	}
}

// An answer that says nothing says nothing by its revision either.
func TestVersionOrderLeavesOutRevisionsOfWhatSaysNothing(t *testing.T) {
	refused := step(0, history.Fail, "write", "9", "")
	refused.Revision = 1 << 62
	write, read := step(1, history.OK, "write", "1", ""), step(2, history.OK, "read", "", "1")
	write.Revision, read.Revision = 3, 3
	p, err := parseKV(pointers([]history.Op{refused, write, read}))
	require.NoError(t, err)
	require.Equal(t, legal, byVersion(t, p).Result)
}

func BenchmarkVersionOrder(b *testing.B) {
	for _, unknown := range []float64{0, 0.05} {
		b.Run(fmt.Sprintf("1M-ops-30-clients-%v-unknown", unknown), func(b *testing.B) {
			p, err := parseKV(pointers(load{ops: 1_000_000, clients: 30, unknown: unknown}.versioned(1, versionedKey{unique: true})))
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if a := p.Engines()[0].Decide(b.Context(), 1<<30); a.Result != legal {
					b.Fatal(a.Why)
				}
			}
		})
	}
}
