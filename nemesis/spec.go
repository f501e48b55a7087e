package nemesis

import (
	"fmt"
	"slices"
	"strings"
)

// Spec is a fault as a person asks for it: NAME[:VARIANT][@TARGET], such as kill, pause@leader or
// partition:isolate@n2. What it leaves open is drawn from the seed.
type Spec struct {
	Kind    Kind
	Variant string // "" is any
	Target  Target // "" is any that fits the variant
}

// ParseSpec reads one fault.
func ParseSpec(s string) (Spec, error) {
	rest, target, aimed := strings.Cut(s, "@")
	name, variant, formed := strings.Cut(rest, ":")
	kind, ok := kindOf(name)
	if !ok {
		return Spec{}, fmt.Errorf("unknown fault %q (known: %s)", name, strings.Join(Names(), ", "))
	}
	spec := Spec{Kind: kind, Variant: variant, Target: Target(target)}
	if formed {
		if kind.Param == "" {
			return Spec{}, fmt.Errorf("fault %q: %s has no variants", s, name)
		}
		if !slices.Contains(kind.VariantNames(), variant) {
			return Spec{}, fmt.Errorf("fault %q: unknown %s %q (known: %s)", s, kind.Param, variant, strings.Join(kind.VariantNames(), ", "))
		}
	}
	if !aimed {
		return spec, nil
	}
	if err := spec.Target.check(); err != nil {
		return Spec{}, fmt.Errorf("fault %q: %w", s, err)
	}
	if len(spec.variants()) == 0 {
		// What keeps the first of several keeps all.
		i := max(0, slices.IndexFunc(kind.Variants, func(v Variant) bool { return v.Name == variant }))
		return Spec{}, fmt.Errorf("fault %q: %w", s, kind.takes(kind.Variants[i], spec.Target))
	}
	return spec, nil
}

// ParseSpecs reads a list such as kill,pause@leader. "none" and "" are no fault, "all" is every kind.
func ParseSpecs(list string) ([]Spec, error) {
	switch list {
	case "", "none":
		return nil, nil
	case "all":
		list = strings.Join(Names(), ",")
	}
	var specs []Spec
	for s := range strings.SplitSeq(list, ",") {
		spec, err := ParseSpec(strings.TrimSpace(s))
		if err != nil {
			return nil, err
		}
		specs = append(specs, spec)
	}
	return specs, nil
}

// String is the form that ParseSpec reads.
func (s Spec) String() string {
	text := s.Kind.Name
	if s.Variant != "" {
		text += ":" + s.Variant
	}
	if s.Target != "" {
		text += "@" + string(s.Target)
	}
	return text
}

// variants are the forms that the spec allows.
func (s Spec) variants() []Variant {
	return slices.DeleteFunc(slices.Clone(s.Kind.Variants), func(v Variant) bool {
		return s.Variant != "" && v.Name != s.Variant || s.Kind.takes(v, s.Target) != nil
	})
}

// VariantNames are the values of Param that can be asked for.
func (k Kind) VariantNames() []string {
	var all []string
	for _, v := range k.Variants {
		if v.Name != "" {
			all = append(all, v.Name)
		}
	}
	return all
}

// Names are the names of all kinds of fault.
func Names() []string {
	var all []string
	for _, k := range Kinds() {
		all = append(all, k.Name)
	}
	return all
}
