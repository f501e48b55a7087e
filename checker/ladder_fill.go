package checker

import (
	"context"
	"math"
	"slices"
	"sort"
)

// size is the adds of unknown outcome that add the same.
type size struct {
	delta    int64
	from, to int32 // in loose
	rest     int64 // what they and all smaller ones add up to, or the largest number if that is more
}

func sizesOf(loose []counterCall) []size {
	n := 0
	for i, c := range loose {
		if i == 0 || c.delta < loose[i-1].delta {
			n++
		}
	}
	sizes := make([]size, 0, n)
	for i, c := range loose {
		if i == 0 || c.delta < loose[i-1].delta {
			sizes = append(sizes, size{delta: c.delta, from: int32(i)})
		}
		sizes[len(sizes)-1].to = int32(i + 1)
	}
	rest := int64(0)
	for i, s := range slices.Backward(sizes) {
		if n := int64(s.to - s.from); n > (math.MaxInt64-rest)/s.delta {
			rest = math.MaxInt64
		} else {
			rest += n * s.delta
		}
		sizes[i].rest = rest
	}
	return sizes
}

// filler is a search for adds of unknown outcome that fill gaps. Of adds of one size it takes the one that began first:
// whichever had begun in time for a gap has for every higher one, so it does not matter which of them are left. It goes
// through the gaps from the lowest and for each through the sizes from the largest.
type filler struct {
	*ladder
	taken   []int32   // by size: how many, which are those that began first
	fillers []filling // by gap, from the lowest
	steps   int       // left
	deepest int       // the highest gap that was come to
}

// filling is an add of unknown outcome in a gap, and where the search stood before.
type filling struct {
	gap, loose, size int32
	need             int64
}

// Steps that a search may take, some milliseconds, and in addition for each gap.
const (
	stepsMax    = 1 << 20
	stepsMaxGap = 1 << 12
)

// fill tells whether adds of unknown outcome can fill gaps, the lowest first; if so, fillers says how. It is unfit if it
// gave up.
func (f *filler) fill(ctx context.Context, gaps []gap) result {
	for _, p := range f.fillers {
		f.taken[p.size]--
	}
	f.fillers, f.deepest = f.fillers[:0], -1
	g, s, need := -1, 0, int64(0)
	for {
		if f.steps--; f.steps <= 0 || expired(ctx, f.steps) {
			return unfit
		}
		switch {
		case need == 0:
			if g++; g == len(gaps) {
				return legal
			}
			f.deepest, need = max(f.deepest, g), gaps[g].size
			s = f.fitting(need)
		case s == len(f.sizes) || f.sizes[s].rest < need:
			if len(f.fillers) == 0 {
				return illegal
			}
			last := f.fillers[len(f.fillers)-1]
			f.fillers = f.fillers[:len(f.fillers)-1]
			f.taken[last.size]--
			g, need, s = int(last.gap), last.need, int(last.size)+1
		case f.open(s, gaps[g]):
			f.fillers = append(f.fillers, filling{int32(g), f.sizes[s].from + f.taken[s], int32(s), need})
			f.taken[s]++
			need -= f.sizes[s].delta
			s = max(s, f.fitting(need))
		default:
			s++
		}
	}
}

// fitting is the largest size that is not more than need.
func (f *filler) fitting(need int64) int {
	at, _ := slices.BinarySearchFunc(f.sizes, need, func(s size, need int64) int {
		if s.delta > need {
			return -1
		}
		return 1
	})
	return at
}

// open tells whether an add of a size is left that had begun in time for g.
func (f *filler) open(s int, g gap) bool {
	at := f.sizes[s].from + f.taken[s]
	return at < f.sizes[s].to && f.loose[at].begin <= g.until
}

// climb is 3: unfit if there were too many ways to fill the gaps. If it is legal, fillers say how; if it is illegal, gaps
// are next to each other and cannot all be filled, as few as it finds.
func (l *ladder) climb(ctx context.Context) (r result, fillers []filling, gaps []gap) {
	f := filler{ladder: l, taken: make([]int32, len(l.sizes)), fillers: make([]filling, 0, len(l.loose))}
	spare := stepsMax
	for i := range l.gaps { // soon found, where all gaps together might take long
		f.steps = spare + stepsMaxGap
		if f.fill(ctx, l.gaps[i:i+1]) == illegal {
			return illegal, nil, l.gaps[i : i+1]
		}
		spare = min(spare, f.steps)
	}
	f.steps = stepsMax + stepsMaxGap*len(l.gaps)
	switch r := f.fill(ctx, l.gaps); {
	case r == legal:
		return legal, f.fillers, nil
	case r == illegal:
	case ctx.Err() != nil:
		return outOfTime, nil, nil
	default:
		return unfit, nil, nil
	}
	gaps = l.gaps[:f.deepest+1]
	from := sort.Search(f.deepest, func(i int) bool {
		f.steps = stepsMax + stepsMaxGap*len(gaps)
		return f.fill(ctx, gaps[i+1:]) != illegal
	})
	return illegal, nil, gaps[from:]
}
