package nemesis

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// The shape of a drawn schedule. Windows follow one another with a calm in between, so that the
// cluster has recovered and a violation falls into one window; a schedule written by hand may overlap.
const (
	calmFirst = time.Second             // before the first fault: the run needs something to compare with
	calmMin   = 700 * time.Millisecond  // between two faults
	calmMax   = 1800 * time.Millisecond //
	calmLast  = 2 * time.Second         // after the last fault, so that recovery falls into the load
)

// Plan draws a schedule for a load of the given length on a cluster of n nodes: every spec once in
// random order, then again in another, for as long as they fit. A load that is too short even for hurried
// windows has fewer steps than specs. can is what the system is able to; a spec that needs more is an error.
func Plan(r *rand.Rand, specs []Spec, load time.Duration, n int, can []Ability) (Schedule, error) {
	var s Schedule
	if len(specs) == 0 {
		return s, nil
	}
	// A short load has short windows, so that every fault still has its turn; but undoing is no quicker then.
	scale, need, undo := 1.0, calmFirst+calmLast, time.Duration(0)
	for _, spec := range specs {
		if err := spec.Check(can); err != nil {
			return s, err
		}
		need += calmMax + spec.Kind.Max
		undo += spec.Kind.Undo
	}
	if load < need+undo {
		scale = max(0, float64(load-undo)/float64(need))
	}
	scaled := func(d time.Duration) time.Duration { return time.Duration(float64(d) * scale) }
	end := load - scaled(calmLast)
	at := scaled(calmFirst)
	for {
		for _, i := range r.Perm(len(specs)) {
			step, err := specs[i].draw(r, n, can)
			if err != nil {
				return s, err
			}
			step.At, step.For = round(at), round(scaled(step.For))
			over := step.At + step.For + specs[i].Kind.Undo
			if step.For <= 0 || over > end || len(s.Steps) == stepsMax {
				return s, nil
			}
			s.Steps = append(s.Steps, step)
			at = over + scaled(between(r, calmMin, calmMax))
		}
	}
}

// draw fills in what the spec leaves open, with a variant that fits a cluster of n nodes and a
// system with these abilities, of which Check has found one.
func (s Spec) draw(r *rand.Rand, n int, can []Ability) (Step, error) {
	able := slices.DeleteFunc(s.variants(), func(v Variant) bool { return s.Kind.lacks(can, v, s.Target) != nil })
	fits := slices.DeleteFunc(slices.Clone(able), func(v Variant) bool { return v.Nodes > n })
	if len(fits) == 0 {
		// Planned all the same: the run then says that it proved nothing, and why.
		fits = able
	}
	v := fits[r.IntN(len(fits))]
	step := Step{For: between(r, s.Kind.Min, s.Kind.Max), Fault: s.Kind.Name, Target: s.Target}
	if v.Name != "" {
		step.Params = map[string]string{s.Kind.Param: v.Name}
	}
	if len(v.Targets) > 0 && s.Target == "" {
		targets := slices.DeleteFunc(slices.Clone(v.Targets), func(t Target) bool {
			return t.checkFor(n) != nil || s.Kind.lacks(can, v, t) != nil
		})
		step.Target = targets[r.IntN(len(targets))]
	}
	if err := step.Target.checkFor(n); err != nil {
		return step, fmt.Errorf("fault %s: %w", s, err)
	}
	return step, nil
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(r.Int64N(int64(high-low)+1))
}

// round keeps schedules readable.
func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
