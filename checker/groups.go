package checker

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// byFirst is the values that calls touch, in the order of the first begins of those that do. each tells touch of every value of
// every call.
func byFirst(values int, each func(touch func(v value, begin time.Duration))) []value {
	var groups []value
	first := slices.Repeat([]time.Duration{math.MaxInt64}, values)
	each(func(v value, begin time.Duration) {
		if first[v] == math.MaxInt64 {
			groups = append(groups, v)
		}
		first[v] = min(first[v], begin)
	})
	slices.SortStableFunc(groups, func(a, b value) int { return cmp.Compare(first[a], first[b]) })
	return groups
}
