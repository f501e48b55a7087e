package workloads

import "ordeal/checker"

// Session is Register for systems whose reads may be old. Each client is held against what it has seen and
// written itself, by the revisions of the answers; what one client writes another need not see.
func Session(o Options) Workload {
	return Workload{
		Name:     "session",
		Ops:      make(rotation, o.Keys).ops(registerOp),
		Checkers: []checker.Checker{checker.Sessions()},
	}
}
