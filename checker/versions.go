package checker

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// versioned decides a register whose answers carry revisions: of a change its own, of what only looked that of
// the last change to what it saw (etcd's mod_revision, an index in raft's log). They say in which order the changes were
// made, so they say where each call belongs: the change of revision r, then those that saw r, by begin. One sort and one
// scan, O(n log n), however often a value comes back, and whatever was deleted.
//
// Calls without a revision are put where they fit:
//
//   - One of unknown outcome goes where a call finds what it wrote, if nothing else explains that; otherwise it
//     is left out. Of several the one is taken that began last before that call, so that the older ones are left for
//     what was seen earlier.
//   - A look at an absent key, or a cas that failed without telling what it found, goes to the first place that is in time
//     and where it finds what it found. Where there is none, one of unknown outcome may have made it so.
//
// An order that holds is a linearization, and revisions no longer matter to it. One that does not proves nothing: the
// model does not know revisions, so they may be wrong where the values are right. That is for Versions to tell.
func (p *registerProblem) versioned(ctx context.Context, _ int64) Answer {
	if !p.revised() {
		return Answer{Result: unfit, Why: "no operation has a revision"}
	}
	v := versioning{p: p, links: make([]link, 0, reach), calls: p.calls, found: make([]bool, len(p.values))}
	order, why := v.byRevision()
	if why != "" {
		return Answer{Result: unfit, Why: why}
	}
	if !v.lay(ctx, order) || len(v.looks) > 0 && !v.seat(ctx) {
		if ctx.Err() != nil {
			return Answer{Result: outOfTime}
		}
		return Answer{Result: unfit, Why: v.whyNot()}
	}
	return Answer{Result: legal, Order: v.order}
}

// whyNot says which call could not be put.
func (v *versioning) whyNot() string {
	if slices.ContainsFunc(v.looks, func(at int32) bool { return v.calls[at].index == v.failed }) {
		return fmt.Sprintf("operation %d has no revision, and does not fit into the order by revision", v.failed)
	}
	return fmt.Sprintf("operation %d is not possible where its revision puts it", v.failed)
}

// Bytes that versioned holds for each call, and for one of unknown outcome besides, as TestOrdersHoldWhatTheySay measures; and if
// there are looks without a revision, for each of them, for each other call, and for each insertion besides.
const (
	versionsCallBytes    = 30
	versionsUnknownBytes = 4
	versionsLookBytes    = 4
	versionsPlaceBytes   = 36
	versionsInsertBytes  = 24
)

func (p *registerProblem) versionsHold() int64 {
	if !p.revised() {
		return 0
	}
	calls := len(p.calls)
	unknown, looks := p.loose()
	holds := versionsCallBytes*calls + versionsUnknownBytes*unknown
	if looks > 0 {
		holds += versionsLookBytes*looks + versionsPlaceBytes*(calls-unknown-looks) + versionsInsertBytes*min(looks, unknown)
	}
	return int64(holds)
}

// revised tells whether a call has a revision.
func (p *registerProblem) revised() bool {
	return slices.ContainsFunc(p.calls, func(c call) bool { return !c.maybe && c.revision > 0 })
}

// loose counts the calls that no revision puts in their places.
func (p *registerProblem) loose() (unknown, looks int) {
	for i := range p.calls {
		if c := &p.calls[i]; c.maybe {
			unknown++
		} else if c.looks() {
			looks++
		}
	}
	return unknown, looks
}

// looks tells whether the call is of those that say no revision and can be put where they fit.
func (c *call) looks() bool {
	return c.revision == 0 && c.writes == none && (c.reads == null || c.blind())
}

// atFirst is the first revision of a key as call keeps it, and tooFar one that is not within 2^31 of that.
const (
	atFirst = 1 << 31
	tooFar  = math.MaxUint32
)

// nearFirst is a revision as call keeps it: in half the room, since only their order matters.
func nearFirst(r, first uint64) uint32 {
	if r = r - first + atFirst; r == 0 || r > tooFar { // what is less than 0 is more than tooFar
		return tooFar
	}
	return uint32(r)
}

// versioning is an order in the making.
type versioning struct {
	p       *registerProblem
	calls   []call
	all     leftover // calls of unknown outcome, by begin; those in order are taken
	byValue leftover // the same by what they write, and by begin
	found   []bool   // by value: a call finds it
	looks   []int32  // that have no revision
	order   []int32
	state   value         // after order
	latest  time.Duration // begin of those in order
	failed  int32         // Op.Index of the call that could not be put
	links   []link        // room for those of lead
	work    effort        // of lead
}

// byRevision is the order of the calls that have a revision; why is a reason to leave it.
func (v *versioning) byRevision() (order []int32, why string) {
	loose, looks := v.p.loose()
	unknown := make([]int32, 0, loose)
	v.looks = make([]int32, 0, looks)
	keys := make([]uint64, 0, len(v.calls)-loose-looks) // revision, then changes before looks, then place
	for i := range v.calls {
		c := &v.calls[i]
		if c.reads != none {
			v.found[c.reads] = true
		}
		switch {
		case c.maybe:
			unknown = append(unknown, int32(i))
		case c.revision == tooFar:
			return nil, fmt.Sprintf("the revision of operation %d is 2^31 or more from the first", c.index)
		case c.revision > 0 && c.writes != none:
			keys = append(keys, uint64(c.revision)<<32|uint64(i))
		case c.revision > 0:
			keys = append(keys, uint64(c.revision)<<32|1<<31|uint64(i))
		case c.looks():
			v.looks = append(v.looks, int32(i))
		default:
			return nil, fmt.Sprintf("operation %d has no revision", c.index)
		}
	}
	v.leave(unknown)
	slices.Sort(keys)
	order = make([]int32, len(keys))
	for i, key := range keys {
		order[i] = int32(key & math.MaxInt32)
	}
	return order, ""
}

// lay puts the calls of order. It is false if one is not possible, or ctx is done.
func (v *versioning) lay(ctx context.Context, order []int32) bool {
	v.begin(len(v.calls))
	ends, next := due(v.calls, order), v.foundNext(order)
	for i, at := range order {
		if expired(ctx, i) || v.work.expired(ctx, 0) {
			return false
		}
		if c := &v.calls[at]; c.blind() && c.refused == v.state && next[i+1] != none {
			_ = v.bring(next[i+1], c.begin, ends[i])
		}
		if !v.follow(at, ends[i]) {
			return false
		}
	}
	return true
}

// foundNext is, by place in order, what the first call from there on finds that finds anything, for a cas that failed just
// before must have found it, too; none if there is a change before.
func (v *versioning) foundNext(order []int32) []value {
	next := make([]value, len(order)+1)
	next[len(order)] = none
	for i, at := range slices.Backward(order) {
		switch c := &v.calls[at]; {
		case c.reads != none:
			next[i] = c.reads
		case c.writes != none:
			next[i] = none
		default:
			next[i] = next[i+1]
		}
	}
	return next
}

// follow puts a call, and before it, if it finds something else than there is, calls of unknown outcome that
// make it so. They have to have begun by deadline, the first end of the calls from this one on.
func (v *versioning) follow(at int32, deadline time.Duration) bool {
	c := &v.calls[at]
	if c.reads != none && !v.bring(c.reads, c.begin, deadline) {
		v.failed = c.index
		return false
	}
	if c.refused == v.state {
		if other := v.pick(c, v.state, c.begin, deadline); other >= 0 {
			v.take(other)
			_ = v.put(other)
		}
	}
	return v.put(at)
}

func (v *versioning) begin(room int) {
	v.order, v.state, v.latest = make([]int32, 0, room), null, math.MinInt64
}

// put is the only way into the order: it is false if c is not possible there.
func (v *versioning) put(at int32) bool {
	c := &v.calls[at]
	v.latest = max(v.latest, c.begin)
	found := c.reads == none || c.reads == v.state
	if c.end < v.latest || c.refused == v.state || !found && !c.maybe {
		v.failed = c.index
		return false
	}
	if found && c.writes != none {
		v.state = c.writes
	}
	v.order = append(v.order, at)
	return true
}

// link is a value that a cas of unknown outcome can replace, on the way to another.
type link struct {
	value value
	call  int32 // the cas; -1 if value is where the way ends
	then  int   // the link of what it makes
}

// bring makes the state want.
func (v *versioning) bring(want value, begin, deadline time.Duration) bool {
	return want == v.state || v.lead(want, begin, deadline)
}

// lead does so by calls of unknown outcome that began by deadline, if possible by begin: one, or as few cas as lead to
// it. Only so many are looked at, so that a thousand of one value take no longer each than a few.
func (v *versioning) lead(want value, begin, deadline time.Duration) bool {
	v.links = append(v.links[:0], link{want, -1, -1})
	links := v.links
	for i := 0; i < len(links); i++ {
		near := v.makers(links[i].value, begin, deadline)
		for at := near.next(); at >= 0; at = near.next() {
			v.work += effort(len(links)) // which are compared
			from := v.calls[at].reads
			if from == none || from == v.state {
				return v.pull(at, i, links)
			}
			known := slices.ContainsFunc(links, func(l link) bool { return l.value == from })
			if !known && len(links) < reach {
				links = append(links, link{from, at, i})
			}
		}
	}
	return false
}

// pick is a call of unknown outcome, not in the order, that is possible in a state and makes one in which look is; if
// possible one whose value nobody found, for else it is of more use elsewhere. It is -1 if none is near.
func (v *versioning) pick(look *call, state value, begin, deadline time.Duration) int32 {
	near := v.makers(look.reads, begin, deadline)
	if look.reads == none {
		near = v.near(&v.all, 0, len(v.all.calls), begin, deadline)
	}
	chosen := int32(-1)
	for at := near.next(); at >= 0; at = near.next() {
		c := &v.calls[at]
		switch possible := c.reads == none || c.reads == state; {
		case !possible || !look.allows(c.writes):
		case !v.found[c.writes]:
			return at
		case chosen < 0:
			chosen = at
		}
	}
	return chosen
}

// allows tells whether a call that looks is possible in a state.
func (c *call) allows(state value) bool {
	return (c.reads == none || c.reads == state) && c.refused != state
}

// pull puts the first call and those of the links that follow on it.
func (v *versioning) pull(first int32, i int, links []link) bool {
	for at := first; at >= 0; at, i = links[i].call, links[i].then {
		v.take(at)
		if !v.put(at) {
			return false
		}
	}
	return true
}
