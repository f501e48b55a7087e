package checker

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"time"
)

// renumbering gives the values of a part of a problem numbers of their own, since whatever decides it has tables of all values.
type renumbering[T any] struct {
	all     []T // by old number
	some    []T // by new number
	numbers map[value]value
}

// renumbered keeps the numbers of some values, which must be the first.
func renumbered[T any](all []T, first int) renumbering[T] {
	r := renumbering[T]{all: all, some: slices.Clone(all[:first]), numbers: map[value]value{none: none}}
	for v := range first {
		r.numbers[value(v)] = value(v)
	}
	return r
}

// number replaces a value's old number by its new one.
func (r *renumbering[T]) number(v *value) {
	n, known := r.numbers[*v]
	if !known {
		n = value(len(r.some))
		r.numbers[*v], r.some = n, append(r.some, r.all[*v])
	}
	*v = n
}

// both renumbers an element, and the elements of a list that is replaced, for others hold it too.
func (r *renumbering[T]) both(element *value, shows *[]value) {
	r.number(element)
	*shows = slices.Clone(*shows)
	for i := range *shows {
		r.number(&(*shows)[i])
	}
}

// sparse tells whether a problem has so many more values than calls that it should be renumbered.
func sparse(values, calls int) bool { return values >= 8*calls+8 }

// bytesOf is what n of a type take.
func bytesOf[T any](n int) int64 { return int64(n) * int64(reflect.TypeFor[T]().Size()) }

// groupBytes is what a value takes with its group, its number in a part, and whether that keeps it.
const groupBytes = 16

// composed is a pointer to a call that makes an element, or shows some.
type composed[C any] interface {
	timed[C]
	parts() (element value, shows []value) // element is none if it makes none
}

// byElement is the elements that calls make and show, in the order of the first begins of those that do.
func byElement[C any, P composed[C]](values int, calls []C) []value {
	return byFirst(values, func(touch func(v value, begin time.Duration)) {
		for i := range calls {
			c := P(&calls[i])
			element, shows := c.parts()
			if element != none {
				touch(element, c.when().begin)
			}
			for _, v := range shows {
				touch(v, c.when().begin)
			}
		}
	})
}

// countShown counts what calls show.
func countShown[C any, P composed[C]](calls []C) (n int) {
	for i := range calls {
		_, shows := P(&calls[i]).parts()
		n += len(shows)
	}
	return n
}

// isShown tells whether a call shows an element.
func isShown[C any, P composed[C]](calls []C, element value) bool {
	for i := range calls {
		if _, shows := P(&calls[i]).parts(); slices.Contains(shows, element) {
			return true
		}
	}
	return false
}

// byFirst is the values that calls touch, in the order of the first begins of those that do. each tells touch of every value of
// every call.
func byFirst(values int, each func(touch func(v value, begin time.Duration))) []value {
	groups := make([]value, 0, values)
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
