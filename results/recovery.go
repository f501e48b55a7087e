package results

import (
	"slices"
	"strings"
)

// recoveryRow is how long one node took to give its first ok answer after the last fault.
type recoveryRow struct {
	Node  string // clean
	MS    float64
	Never bool // it gave none
}

// recoveryRows has a row for each node that is known, by name.
func (r *Run) recoveryRows() []recoveryRow {
	if len(r.Verdict.RecoveryMS) == 0 {
		return nil
	}
	names := slices.Clone(r.nodes)
	for n := range r.Verdict.RecoveryMS {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	rows := make([]recoveryRow, 0, len(names))
	for _, n := range names {
		ms, ok := r.Verdict.RecoveryMS[n]
		rows = append(rows, recoveryRow{Node: clean(n, valueLimit), MS: ms, Never: !ok})
	}
	return rows
}
