package checker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"ordeal/history"
	"ordeal/internal/words"
)

// The rules that revisions can break.
const (
	ruleRevisionBack   = "revision went back"
	ruleRevisionTwice  = "revision given twice"
	ruleRevisionValues = "revision with two values"
	ruleRevisionCause  = "revision before its cause"
)

// Versions judges whether the revisions that answers about a register carry are those of one order of its changes:
// a revision that lies is a bug, also where the values are right, for whoever compares-and-sets by it.
//
// A write or cas carries its own revision, a read or a cas that failed that of the last change to what it found. Of
// two answers about a key, where the first had come before the second was asked for, the second has no
// lower revision, and a higher one if it changed the key. No two changes share a revision, and what has the same
// revision has the same value. A cas has a higher one than what it replaced; that is judged of values that were written
// once. A delete is held to less: of a key that is absent it may change nothing, and then it makes no revision.
//
// What carries no revision (0) is not asked: it is of an absent key, or of a system that has none. So a history without
// revisions is Valid, and Engine says that there was nothing to compare.
// The history must be of a system, or of a mode of reading, that promises linearizability; see Sessions for others.
//
// O(n log n). A key makes a finding for each rule, of its first breach.
func Versions() Checker { return versions{} }

type versions struct{}

func (versions) Name() string { return "versions" }

func (s versions) Check(ctx context.Context, ops []history.Op) Verdict {
	start := time.Now()
	v := Verdict{Checker: s.Name(), Engine: "no revisions to compare"}
	keys := byKey(ops)
	revisions, bad := 0, 0
	for i, k := range keys {
		if ctx.Err() != nil {
			v.Status, v.Reason = Unknown, fmt.Sprintf("interrupted after %d of %s", i, words.Count(len(keys), "key"))
			break
		}
		p, err := parseKV(k.ops)
		if err != nil {
			v.Status, v.Reason = Unknown, err.Error()
			continue
		}
		scan := newVersionScan(k.ops, p.(*registerProblem))
		revisions += len(scan.answers)
		found := scan.judge()
		if v.Findings = append(v.Findings, found...); len(found) > 0 {
			bad++
		}
	}
	if revisions > 0 {
		v.Engine = fmt.Sprintf("scan of %s", words.Count(revisions, "revision"))
	}
	slices.SortStableFunc(v.Findings, func(a, b Finding) int { return cmp.Compare(a.To, b.To) })
	if bad > 0 {
		v.Status, v.Reason = Invalid, fmt.Sprintf("the revisions of %d of %s fit no order of changes", bad, words.Count(len(keys), "key"))
	}
	v.Elapsed = time.Since(start)
	return v
}

// versionScan is the answers about one key that carry a revision.
type versionScan struct {
	ops        []*history.Op
	problem    *registerProblem
	answers    []answer // by begin
	byRevision []answer
}

// answer is a call that was answered with a revision, of which call itself has not all bits.
type answer struct {
	*call
	revision uint64
}

func newVersionScan(ops []*history.Op, p *registerProblem) *versionScan {
	s := &versionScan{ops: ops, problem: p}
	next := 0 // call, of the same order as ops, of which it has some
	for _, op := range ops {
		if next == len(p.calls) || p.calls[next].index != int32(op.Index) {
			continue
		}
		if c := &p.calls[next]; !c.maybe && op.Revision > 0 {
			s.answers = append(s.answers, answer{c, op.Revision})
		}
		next++
	}
	s.byRevision = slices.Clone(s.answers)
	slices.SortFunc(s.byRevision, func(a, b answer) int {
		if a.revision != b.revision {
			return cmp.Compare(a.revision, b.revision)
		}
		return cmp.Compare(a.index, b.index)
	})
	return s
}

// changes tells whether a call that was answered surely made a revision. To make null is to delete.
func (c *call) changes() bool { return c.writes != none && c.writes != null }

// leaves is the value after a call that was answered; none if its answer does not tell.
func (c *call) leaves() value {
	if c.writes != none {
		return c.writes
	}
	return c.reads
}

func (s *versionScan) judge() []Finding {
	var found []Finding
	for _, rule := range [...]func() *Finding{s.back, s.twice, s.twoValues, s.cause} {
		if f := rule(); f != nil {
			found = append(found, *f)
		}
	}
	return found
}

// back: of all answers that had come before one was asked for, the one of the highest revision tells.
func (s *versionScan) back() *Finding {
	ended := slices.Clone(s.answers)
	slices.SortFunc(ended, func(a, b answer) int { return cmp.Compare(a.end, b.end) })
	var a answer
	next := 0
	for _, b := range s.answers {
		for ; ended[next].end < b.begin; next++ {
			if e := ended[next]; a.call == nil || e.revision > a.revision || e.revision == a.revision && !e.changes() {
				a = e
			}
		}
		if a.call != nil && (b.revision < a.revision || b.revision == a.revision && b.changes() && !a.changes()) {
			return s.tellBack(a, b)
		}
	}
	return nil
}

// shared looks for two answers of one revision that cannot both be right: one of those that first chooses, and one
// that wrong says is not.
func (s *versionScan) shared(first func(a answer) bool, wrong func(a, b answer) bool) (a, b answer, found bool) {
	for from := 0; from < len(s.byRevision); {
		to := from + 1
		for to < len(s.byRevision) && s.byRevision[to].revision == s.byRevision[from].revision {
			to++
		}
		same := s.byRevision[from:to]
		from = to
		if i := slices.IndexFunc(same, first); i >= 0 {
			if j := slices.IndexFunc(same, func(b answer) bool { return b.call != same[i].call && wrong(same[i], b) }); j >= 0 {
				return same[min(i, j)], same[max(i, j)], true
			}
		}
	}
	return answer{}, answer{}, false
}

func (s *versionScan) twice() *Finding {
	if a, b, ok := s.shared(answer.changes, func(_, b answer) bool { return b.changes() }); ok {
		return s.tellTwice(a, b)
	}
	return nil
}

// twoValues leaves two changes to twice.
func (s *versionScan) twoValues() *Finding {
	looks := func(a answer) bool { return !a.changes() && a.leaves() != none }
	if a, b, ok := s.shared(looks, func(a, b answer) bool { return b.leaves() != none && a.leaves() != b.leaves() }); ok {
		return s.tellTwoValues(a, b)
	}
	return nil
}

// cause: a cas made a revision below one under which what it replaced was there, although that was written once.
func (s *versionScan) cause() *Finding {
	latest := make([]answer, len(s.problem.values)) // by value: the answer of the highest revision
	for _, c := range s.byRevision {
		if v := c.leaves(); v != none {
			latest[v] = c
		}
	}
	tables := simplifier{calls: s.problem.calls}
	tables.index(len(s.problem.values))
	for _, c := range s.byRevision {
		if !c.changes() || c.reads == none || c.reads == null || latest[c.reads].call == nil {
			continue
		}
		if w := tables.sole(c.reads); w >= 0 && latest[c.reads].revision > c.revision {
			return s.tellCause(c, latest[c.reads], &s.problem.calls[w])
		}
	}
	return nil
}
