// Package netfault cuts a network: it drops every packet from one address to another in the
// FORWARD chain of the network namespace it is called in, and counts what it dropped.
//
// It does not know nodes, faults or who asked for a cut, nor that the namespace is a sandbox's
// hub: it must be called where that chain is the caller's own.
package netfault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// chain is the chain that holds the cuts; FORWARD jumps to it.
const chain = "NEM"

// Pair is one direction of a link: packets that From sends to To.
type Pair struct{ From, To netip.Addr }

// String returns the pair as "from>to".
func (p Pair) String() string { return p.From.String() + ">" + p.To.String() }

// backend is a way to put rules into the kernel.
type backend interface {
	name() string
	// replace puts these pairs in the place of all that were dropped before, in one step: at no
	// time is less dropped than both have in common. The counters start at zero.
	replace(ctx context.Context, pairs []Pair) error
	// counts returns the packets dropped on each pair since the last replace.
	counts(ctx context.Context) (map[Pair]uint64, error)
	// remove takes the chain away.
	remove(ctx context.Context) error
}

// Firewall is the set of cuts in force. What is dropped is the union of all cuts. Its methods may
// be called concurrently; each honours its context, also while another is at work.
type Firewall struct {
	backend backend
	turn    chan struct{} // holds one token, taken by whoever works on what follows

	cuts   map[string]*cut
	totals map[Pair]uint64 // packets dropped up to the last replace
	dirty  bool            // a replace failed: the kernel's rules may not be the union of cuts
	closed bool
}

// cut is one call of Cut, kept after its Heal so that Dropped can still be asked.
type cut struct {
	pairs  []Pair
	before map[Pair]uint64 // totals when it began
	active bool
	// What Dropped answers once it is healed.
	dropped    uint64
	droppedErr error
}

// Open prepares the current network namespace with the best way there is: the iptables-restore
// program, or netlink where it is missing or does not work. Close the Firewall before opening
// another in the same namespace.
func Open(ctx context.Context) (*Firewall, error) {
	path, err := FindIptables()
	if err == nil {
		var f *Firewall
		if f, err = OpenIptables(ctx, path); err == nil {
			return f, nil
		}
	}
	if ctx.Err() != nil {
		return nil, err
	}
	f, err2 := OpenNetlink(ctx)
	if err2 != nil {
		return nil, errors.Join(err, err2)
	}
	return f, nil
}

func newFirewall(b backend) *Firewall {
	f := &Firewall{
		backend: b,
		turn:    make(chan struct{}, 1),
		cuts:    map[string]*cut{},
		totals:  map[Pair]uint64{},
	}
	f.turn <- struct{}{}
	return f
}

// Backend names what puts the rules in: "iptables-restore (nf_tables)", "iptables-restore
// (legacy)" or "nftables netlink".
func (f *Firewall) Backend() string { return f.backend.name() }

// lock waits for the caller's turn.
func (f *Firewall) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-f.turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	if f.closed {
		f.unlock()
		return errors.New("the firewall is closed")
	}
	return nil
}

func (f *Firewall) unlock() { f.turn <- struct{}{} }

// Cut drops every packet on the pairs, from when it returns until Heal or HealAll of this id, which
// must not be in force. A cut without pairs is allowed and drops nothing. After an error nothing
// new is cut, except that a cancelled attempt may have reached the kernel: Heal the id then.
func (f *Firewall) Cut(ctx context.Context, id string, pairs []Pair) error {
	for _, p := range pairs {
		if !p.From.Is4() || !p.To.Is4() || p.From == p.To {
			return fmt.Errorf("cut %q: %s is not a pair of two IPv4 addresses", id, p)
		}
	}
	if err := f.lock(ctx); err != nil {
		return fmt.Errorf("cut %q: %w", id, err)
	}
	defer f.unlock()
	old := f.cuts[id]
	if old != nil && old.active {
		return fmt.Errorf("cut %q: it is in force already", id)
	}
	live, err := f.live(ctx)
	if err != nil {
		return fmt.Errorf("cut %q: %w", id, err)
	}
	c := &cut{pairs: sorted(pairs), active: true, before: map[Pair]uint64{}}
	for _, p := range c.pairs {
		c.before[p] = f.totals[p] + live[p]
	}
	f.cuts[id] = c
	if err := f.replace(ctx, live); err != nil {
		delete(f.cuts, id)
		if old != nil {
			f.cuts[id] = old
		}
		return fmt.Errorf("cut %q: %w", id, err)
	}
	return nil
}

// Heal ends a cut. An id that is unknown or healed is no error. After an error the cut may still
// be in force: call again.
func (f *Firewall) Heal(ctx context.Context, id string) error {
	return f.heal(ctx, func(other string) bool { return other == id }, fmt.Sprintf("heal %q", id))
}

// HealAll ends every cut; after an error, call again.
func (f *Firewall) HealAll(ctx context.Context) error {
	return f.heal(ctx, func(string) bool { return true }, "heal all cuts")
}

func (f *Firewall) heal(ctx context.Context, which func(id string) bool, what string) error {
	if err := f.lock(ctx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer f.unlock()
	var healed []*cut
	for id, c := range f.cuts {
		if c.active && which(id) {
			healed = append(healed, c)
		}
	}
	if len(healed) == 0 && !f.dirty {
		return nil
	}
	// Counters that cannot be read must not keep the network cut; Dropped will say so.
	live, countErr := f.live(ctx)
	for _, c := range healed {
		c.active = false
	}
	if err := f.replace(ctx, live); err != nil {
		for _, c := range healed {
			c.active = true
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	for _, c := range healed {
		c.dropped, c.droppedErr = c.since(f.totals, nil), countErr
	}
	return nil
}

// Dropped returns how many packets were dropped on the cut's pairs since its Cut and, once healed,
// until then. Where cuts overlap, both count the packets on the pairs they share. An id that was
// never cut is an error.
func (f *Firewall) Dropped(ctx context.Context, id string) (packets uint64, err error) {
	if err := f.lock(ctx); err != nil {
		return 0, fmt.Errorf("packets dropped by %q: %w", id, err)
	}
	defer f.unlock()
	c := f.cuts[id]
	switch {
	case c == nil:
		return 0, fmt.Errorf("packets dropped by %q: there was no such cut", id)
	case !c.active && c.droppedErr != nil:
		return 0, fmt.Errorf("packets dropped by %q: %w", id, c.droppedErr)
	case !c.active:
		return c.dropped, nil
	}
	live, err := f.live(ctx)
	if err != nil {
		return 0, fmt.Errorf("packets dropped by %q: %w", id, err)
	}
	return c.since(f.totals, live), nil
}

// Close heals every cut and removes the chain. Closing twice is no error.
func (f *Firewall) Close(ctx context.Context) error {
	if err := f.lock(ctx); err != nil {
		if ctx.Err() == nil {
			return nil // closed before
		}
		return fmt.Errorf("close the firewall: %w", err)
	}
	defer f.unlock()
	if err := f.backend.remove(ctx); err != nil {
		return fmt.Errorf("close the firewall: %w", err)
	}
	f.closed = true
	return nil
}

// since returns the packets dropped on the cut's pairs after it began.
func (c *cut) since(totals, live map[Pair]uint64) (packets uint64) {
	for _, p := range c.pairs {
		// Counters that began anew unseen (see replace) may leave less than there was before.
		if now := totals[p] + live[p]; now > c.before[p] {
			packets += now - c.before[p]
		}
	}
	return packets
}

// live reads the kernel's counters, where there is a rule to count.
func (f *Firewall) live(ctx context.Context) (map[Pair]uint64, error) {
	if len(f.union()) == 0 && !f.dirty {
		return nil, nil
	}
	return f.backend.counts(ctx)
}

// replace makes the kernel drop the union of the cuts. The counters that go with the old rules
// are first taken into the totals; a packet dropped between the two is dropped, but not counted.
func (f *Firewall) replace(ctx context.Context, live map[Pair]uint64) error {
	if err := f.backend.replace(ctx, f.union()); err != nil {
		// Perhaps it was done, and the counters began anew. Then the totals are short of live.
		f.dirty = true
		return err
	}
	f.dirty = false
	for p, n := range live {
		f.totals[p] += n
	}
	return nil
}

// union returns the pairs of all active cuts, each once, in order.
func (f *Firewall) union() []Pair {
	var pairs []Pair
	for _, c := range f.cuts {
		if c.active {
			pairs = append(pairs, c.pairs...)
		}
	}
	return sorted(pairs)
}

// sorted returns the pairs in order, each once.
func sorted(pairs []Pair) []Pair {
	pairs = slices.Clone(pairs)
	slices.SortFunc(pairs, func(a, b Pair) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To))
	})
	return slices.Compact(pairs)
}
