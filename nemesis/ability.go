package nemesis

import (
	"fmt"
	"slices"
)

// Ability is what some faults need of the system under test, as the end of "this system does not".
type Ability string

// The abilities.
const (
	TellLeader Ability = "tell who leads"
	HandOver   Ability = "hand leadership over when asked"
	Rejoin     Ability = "take back a node that was removed or has lost its disk"
)

// lacks reports the first ability that a fault of this kind, aimed at t, needs and that is not among can.
func (k Kind) lacks(can []Ability, t Target) error {
	needs := k.Needs
	if t == Leader {
		needs = append(slices.Clone(needs), TellLeader)
	}
	for _, a := range needs {
		if !slices.Contains(can, a) {
			return fmt.Errorf("this system does not %s", a)
		}
	}
	return nil
}

// Check reports what the fault needs of a system and one with these abilities lacks.
func (s Spec) Check(can []Ability) error {
	if err := s.Kind.lacks(can, s.Target); err != nil {
		return fmt.Errorf("fault %s: %w", s, err)
	}
	return nil
}

// Possible are those of the specs that a cluster of n nodes and a system with these abilities can take.
func Possible(specs []Spec, n int, can []Ability) []Spec {
	return slices.DeleteFunc(slices.Clone(specs), func(s Spec) bool {
		fits := func(v Variant) bool { return v.Nodes <= n }
		return s.Check(can) != nil || !slices.ContainsFunc(s.variants(), fits)
	})
}
