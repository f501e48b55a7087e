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

// lacks reports the first ability that this variant of the kind, aimed at t, needs and that is not among can.
func (k Kind) lacks(can []Ability, v Variant, t Target) error {
	needs := slices.Concat(k.Needs, v.Needs)
	if t == Leader {
		needs = append(needs, TellLeader)
	}
	for _, a := range needs {
		if !slices.Contains(can, a) {
			return fmt.Errorf("this system does not %s", a)
		}
	}
	return nil
}

// Check reports what the fault needs of a system and one with these abilities lacks; a variant that it can
// take is enough.
func (s Spec) Check(can []Ability) error {
	var lack error
	for _, v := range s.variants() {
		err := s.Kind.lacks(can, v, s.Target)
		if err == nil {
			return nil
		}
		lack = err
	}
	return fmt.Errorf("fault %s: %w", s, lack)
}

// Possible are those of the specs that a cluster of n nodes and a system with these abilities can take.
func Possible(specs []Spec, n int, can []Ability) []Spec {
	return slices.DeleteFunc(slices.Clone(specs), func(s Spec) bool {
		return !slices.ContainsFunc(s.variants(), func(v Variant) bool {
			return v.Nodes <= n && s.Kind.lacks(can, v, s.Target) == nil
		})
	})
}
