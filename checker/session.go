package checker

import (
	"context"
	"fmt"
	"time"

	"ordeal/history"
	"ordeal/internal/words"
)

// The guarantees of a session.
const (
	ruleReadYourWrites    = "read your writes"
	ruleMonotonicReads    = "monotonic reads"
	ruleMonotonicWrites   = "monotonic writes"
	ruleWritesFollowReads = "writes follow reads"
)

// Sessions judges whether each process saw each key move forward only, whatever others saw: the session guarantees
// of Terry et al. (PDIS 1994), for systems, or modes of reading, that promise no more.
//
// It goes by the revisions that come with answers: of a change its own, of a read that of the last change to
// what it saw, 0 if there is nothing. Once a process has written revision r of a key it reads r or later (read
// your writes), and so it does once it has read r (monotonic reads); what it writes after either is later
// (monotonic writes, writes follow reads). A failed cas that tells the value is a read. A delete, which a write of
// null is too, may have changed nothing, and is then as new as what was there, or has no revision. On a key that
// somebody may have deleted, a read that finds nothing is as new as any.
//
// One scan, O(n). A key makes a finding for each guarantee, of its first breach. If an answer that should carry a
// revision does not, what is not Invalid is Unknown.
func Sessions() Checker { return sessions{} }

type sessions struct{}

func (sessions) Name() string { return "session-monotonicity" }

func (s sessions) Check(ctx context.Context, ops []history.Op) Verdict {
	v := Verdict{Checker: s.Name(), Engine: "scan"}
	scan := sessionScan{sessions: map[processKey]session{}, told: map[keyRule]bool{}, deletable: map[string]bool{}}
	for _, op := range ops {
		if op.Type != history.Fail && deletes(&op) {
			scan.deletable[op.Key] = true
		}
	}
	for i := range ops {
		if i%(1<<16) == 0 && ctx.Err() != nil {
			v.Status, v.Reason = Unknown, fmt.Sprintf("interrupted after %d of %s", i, words.Count(len(ops), "operation"))
			break
		}
		scan.add(&ops[i])
	}
	v.Findings = scan.findings
	switch {
	case len(v.Findings) > 0:
		v.Status = Invalid
		v.Reason = fmt.Sprintf("what single processes saw breaks %s", words.Count(len(v.Findings), "guarantee"))
	case v.Status == Unknown:
	case scan.answers == 0:
		v.Status, v.Reason = Unknown, fmt.Sprintf("none of %s succeeded, so there is nothing to judge", words.Count(len(ops), "operation"))
	case scan.bare > 0:
		v.Status, v.Reason = Unknown, fmt.Sprintf("%d of %s carry no revision", scan.bare, words.Count(scan.answers, "answer"))
	}
	return v
}

type sessionScan struct {
	sessions  map[processKey]session
	told      map[keyRule]bool
	deletable map[string]bool // keys that somebody may have deleted
	answers   int             // that should carry a revision
	bare      int             // of them that do not
	findings  []Finding
}

type processKey struct {
	process int
	key     string
}

type keyRule struct{ key, rule string }

// session is a process at a key, by the operations with which it came furthest in the key's revisions: its latest
// read and its latest write, nil for none.
type session [2]*history.Op

// The two kinds of operation.
const (
	sessionRead = iota
	sessionWrite
)

// sessionRules are the guarantees: what has come before, what comes after.
var sessionRules = [2][2]string{
	sessionRead:  {sessionRead: ruleMonotonicReads, sessionWrite: ruleWritesFollowReads},
	sessionWrite: {sessionRead: ruleReadYourWrites, sessionWrite: ruleMonotonicWrites},
}

// sessionKind tells what an operation was, if it was answered so that it should carry a revision.
func sessionKind(op *history.Op) (kind int, ok bool) {
	switch {
	case op.F == "read":
		return sessionRead, op.Type == history.OK
	case op.F == "cas" && op.Type == history.Fail:
		return sessionRead, op.Output != nil
	}
	return sessionWrite, op.Type == history.OK
}

// sessionChanges tells whether an operation of a kind, which was answered, surely made a revision of its own.
func sessionChanges(kind int, op *history.Op) bool { return kind == sessionWrite && !deletes(op) }

// deletes tells whether an operation is to leave nothing.
func deletes(op *history.Op) bool {
	left := op.Input
	if op.F == "cas" {
		_, left, _ = history.CASValue(op.Input)
	}
	return op.F == "delete" || op.F != "read" && string(left) == "null"
}

func (s *sessionScan) add(op *history.Op) {
	kind, ok := sessionKind(op)
	if !ok {
		return
	}
	s.answers++
	if op.Revision == 0 {
		nothing := kind == sessionRead && (len(op.Output) == 0 || string(op.Output) == "null")
		switch {
		case kind == sessionWrite && deletes(op), nothing && s.deletable[op.Key]:
			return
		case !nothing:
			s.bare++
			return
		}
	}
	at := processKey{op.Process, op.Key}
	furthest := s.sessions[at]
	for before, earlier := range furthest {
		if earlier == nil || earlier.Revision < op.Revision || earlier.Revision == op.Revision && !sessionChanges(kind, op) {
			continue
		}
		if rule := (keyRule{op.Key, sessionRules[before][kind]}); !s.told[rule] {
			s.told[rule] = true
			s.findings = append(s.findings, sessionFinding(rule.rule, earlier, op))
		}
	}
	if furthest[kind] == nil || furthest[kind].Revision < op.Revision {
		furthest[kind] = op
		s.sessions[at] = furthest
	}
}

// sessionFinding tells of two operations of one process, of which the later one is behind.
func sessionFinding(rule string, earlier, later *history.Op) Finding {
	t := newTeller([]*history.Op{earlier, later})
	t.digits = precision([]time.Duration{earlier.Call, later.Call}, []time.Duration{earlier.Return, later.Return})
	f := Finding{
		Key: later.Key, Rule: rule, Ops: []int{earlier.Index, later.Index},
		Text: fmt.Sprintf("%s %s, %s after %s had %s.", nameOp(later), sessionAnswer(later),
			words.Span(later.Call-earlier.Return), nameOp(earlier), sessionAnswer(earlier)),
		Proof: []string{
			fmt.Sprintf("%s %s; it had finished at %s.", nameOp(earlier), sessionAnswer(earlier), t.at(earlier.Return)),
			fmt.Sprintf("%s is by the same process, and it began at %s, so it comes after.", nameOp(later), t.at(later.Call)),
		},
	}
	older := "older than"
	if kind, _ := sessionKind(later); sessionChanges(kind, later) {
		older = "not after"
	}
	f.Proof = append(f.Proof, fmt.Sprintf("But it %s, which is %s revision %d.", sessionAnswer(later), older, earlier.Revision))
	t.sortOps(&f)
	return f
}

// sessionAnswer says what the answer to an operation was about.
func sessionAnswer(op *history.Op) string {
	kind, _ := sessionKind(op)
	switch {
	case kind == sessionWrite && deletes(op):
		return fmt.Sprintf("left revision %d", op.Revision)
	case kind == sessionWrite:
		return fmt.Sprintf("made revision %d", op.Revision)
	case op.Revision == 0:
		return "found nothing"
	}
	return fmt.Sprintf("found revision %d", op.Revision)
}
