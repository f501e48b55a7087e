// Package kv is a replicated key-value store on go.etcd.io/raft/v3: small, correct and meant to be
// read in one sitting. It knows nothing of the harness that puts it on trial.
//
// # The loop
//
// One goroutine owns one [Core]: the raft state, the map of keys, the open requests. Everything that
// happens to a node (a tick, a message, a client's request, a failed delivery) is handed to that
// goroutine, and [Core.Process] then does all the work that has become possible. The core itself
// opens no file, no socket, no clock and no source of randomness: they are given to it, so that the
// same core runs under a simulator from a seed.
//
// One turn takes these steps, and each stands where it stands for a reason:
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
//     and synced in one transaction, on a goroutine of its own. If only the commit index moved nothing is
//     written: it can be learned again, and the next write carries it.
//  5. When that write is on disk, and only then, the messages go that promise it: votes and append
//     responses, a leader's response to itself included. Sent earlier, a power loss breaks the promise.
//     A snapshot replaces the state here, and raft hands out the entries for the next turn's step 2.
//  6. When enough has been applied, a snapshot is written and the log before it dropped, in one such
//     transaction; memory follows when it is on disk. A crash leaves both or neither.
//
// Steps 4 and 5 are raft's AsyncStorageWrites. A storage error has no safe continuation (after a failed
// sync nobody knows what is on disk), so it ends the node.
//
// # Definite and indefinite
//
// An error is definite if the operation has not happened and never will. A proposal that raft refused
// is; one that was handed to raft and not seen again is not, because the entry may be in some log.
// Errors of reads are always definite: a read changes nothing.
//
// # HTTP
//
//	GET    /kv/{key}          200 body = value | 404 absent
//	PUT    /kv/{key}          body = value: 200
//	PUT    /kv/{key}?old=V    only if the value is V (for values too long for a URL, use rev)
//	PUT    /kv/{key}?rev=N    only if the revision is N (0: absent)
//	PUT    /kv/{key}?absent   only if the key is absent
//	DELETE /kv/{key}          200, also if absent; takes ?old and ?rev
//	GET    /status            JSON: id term leader role commit applied hash first last voters
//
// A condition that does not hold is answered 412, body = current value. Keys are path-escaped arbitrary
// bytes, at most 1 KiB; values raw bodies, at most 1 MiB.
//
// Every answer carries the headers Kv-Node, Kv-Term, Kv-Applied (the index this node had applied),
// Kv-Revision (the index of the key's last change, 0 if absent) and, where the key was looked at,
// Kv-Found. Errors are {"error":"…","code":"…","definite":true|false}:
//
//	400 bad-request                       429 overloaded (open requests), backlog (uncommitted bytes)
//	413 key-too-large, value-too-large    503 no-leader, leader-changed, stopping
//	504 timeout
//
// # Between nodes
//
// POST /raft upgrades to a stream of frames, one long-lived connection for each peer and direction; a frame
// is what waited for the peer, length-prefixed raft messages. POST /raft/snapshot takes one such message:
// a snapshot must not hold up heartbeats. A stream lives by acknowledgements, not by TCP's patience: one
// whose oldest frame has had none for 500 ms is closed, and the next message dials afresh. What was under
// way on it is lost, and raft is told so.
//
// # Apply log
//
// With --apply-log a node writes what it applied, one JSON object a line: see [ApplyLog].
package kv
