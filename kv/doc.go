// Package kv is a replicated key-value store on go.etcd.io/raft/v3: small, correct and meant to be
// read in one sitting. It knows nothing of the harness that puts it on trial.
//
// # The loop
//
// One goroutine owns one [Core]: the raft state, the map of keys, the open requests. Everything that
// happens to a node (a tick, a message, a client's request, a failed delivery) is handed to that
// goroutine, and [Core.Process] then does all the work that has become possible. The core itself
// opens no file, no socket, no clock and no source of randomness: they are given to it, so that the
// same core runs under a simulator from a seed. One turn takes these steps, each with its reason:
//
//  1. Writes of this turn are proposed together, reads of this turn share one ReadIndex. Batching is
//     what makes syncs and quorum round trips affordable, and a loop that is busy batches by itself.
//  2. Committed entries are applied and the clients that wait for them answered: never before commit,
//     because an uncommitted entry may still be overwritten. Reads are answered once the applied index
//     has reached what ReadIndex reported. That comes before any message of this turn: an election
//     must count the voters that the log names (etcd#7595).
//  3. Messages that promise nothing are sent. A leader's appends are among them: its followers write
//     while it writes itself (Raft thesis, 10.2.1).
//  4. A snapshot from the leader, then new entries, then the HardState (term, vote, commit) are written
//     as one record and synced, beside the loop. If only the commit index moved nothing is written: it can
//     be learned again, and the next write carries it.
//  5. When that write is on disk, and only then, the messages go that promise it: votes, requests for
//     votes and append responses, a leader's to itself included. Earlier, a crash breaks the promise.
//     A snapshot replaces the state here, and raft hands out the entries for the next turn's step 2.
//  6. When enough has been applied, or the membership has changed, the log is begun anew with a snapshot;
//     memory follows when that is on disk.
//
// Steps 4 and 5 are raft's AsyncStorageWrites. A storage error has no safe continuation (after a failed
// sync nobody knows what is on disk), so it ends the node.
//
// # Definite and indefinite
//
// An error is definite if the operation has not happened and never will. A proposal that raft refused
// is; one that was handed to raft and not seen again is not, because the entry may be in some log.
// Errors of reads are always definite. A client that wants to send a write again until it knows opens a
// session, numbers its writes, and sends the same number again: it is applied once.
//
// # HTTP
//
//	GET    /kv/{key}            200 body = value | 404 absent; ?mode=lease, ?mode=local: see [Mode]
//	PUT    /kv/{key}            body = value: 200
//	DELETE /kv/{key}            200, also if absent
//	       ?old=V ?rev=N        (PUT, DELETE) only if the value is V, the revision N (0: absent)
//	       ?absent              (PUT) only if the key is absent
//	POST   /kv/{key}?append     body goes to the end of the value: 200
//	POST   /kv/{key}?add=N      to a decimal integer: 200 body = the sum
//	POST   /txn                 body = [Command] in JSON: 200 {"succeeded":…,"results":[…]}, see [Result]
//	POST   /sessions            200 {"session":N}; then writes carry Kv-Session: N and Kv-Sequence: 1, 2, …
//	GET    /status              200 [Status]
//	POST   /members?addr=H:P    adds a learner, with &replace=ID in place of a member: 200 {"id":N,…}
//	POST   /members/{id}/promote, DELETE /members/{id}, POST /leader/{id}
//
// A condition that does not hold is answered 412, body = current value. Keys are path-escaped arbitrary
// bytes. Answers carry Kv-Node, Kv-Term and, of a key, Kv-Revision (of its last change, 0: absent) and
// Kv-Found (not 0). Errors are {"error":"…","code":"…","definite":true|false}; see [CodeBadRequest] and
// those after it. Members and leadership are changed at the leader. In a session reads enter the log, too.
//
// # Members
//
// A number is given once. A learner that has caught up becomes a voter. A node that has lost its disk joins
// under a new number, in the place of the old (POST /birth finds that out; a cluster born of one has nobody to
// ask). One that was removed answers 410. Between nodes POST /raft carries length-prefixed raft messages, in
// an endless body each way; a snapshot, at most 1 GiB, has a request of its own: heartbeats must not wait.
package kv
