// Package checker decides whether a recorded run was legal, and proves what it says.
//
// It sees operations and apply logs. It does not know nodes, faults or files.
//
// # What a verdict promises
//
// [Linearizable] holds each key against a [Model]: there must be one order of its operations in which each answers as the
// model would, and in which none comes before one that had ended when it began (Herlihy & Wing, ACM TOPLAS 12(3),
// 1990). Linearizability is local, so keys are judged apart. An operation of unknown outcome took effect at some
// moment after its call, or never. Intervals are closed: operations that share one moment are concurrent.
//
//   - [Valid]: every key has such an order. It was written out, and code that knows nothing of how it was found carried it out:
//     each operation that must have happened is there once, each answer is the model's, none comes too late.
//   - [Invalid]: some key has none. Its [Finding] is a part of the history that has none either, as small and as early as the
//     time for witnesses allows: a short prefix, then few of its values, then few of their operations. A value is left out
//     with all that wrote and found it, never a write alone, so nobody is convicted because a witness was cut. Porcupine is
//     asked about it; if it is too large for that, or takes too long, it stands on the engine's word alone, and
//     [Finding.Unconfirmed] says so. A rule is named, and its proof told, only if these operations show it by themselves;
//     what it says of all operations ("written once") was looked up in the whole history.
//   - [Unknown]: the budget was spent, an operation cannot be read, or nothing succeeded. The reason says which key, how large it
//     is, what was spent, and what about its operations kept the quicker engines from deciding it: without that they would have.
//
// If an order does not hold, or Porcupine comes to another answer about a core or about a whole key ([CrossCheck]), the
// checker is wrong, not the system: [Verdict.Broken] is set, and the verdict is worth nothing.
//
// # Engines
//
// A key is decided by the first engine that covers its operations. All but the search sort and scan, and what takes long in spite
// of that looks at the clock. What would take long in hostile histories alone, such as many cas of unknown outcome that lead from
// value to value, is looked at so far and no further, and left to the next engine.
//
//   - version order (register, kv): the system told a revision with every answer. The order by revision is tried; it can prove a
//     key legal, never illegal, so a system that lies about revisions is not believed.
//   - zones (register, kv, text): each value that somebody found was written once; chains of cas, unknown outcomes. After
//     Gibbons & Korach, SIAM J. Comput. 26(4), 1997, and Golab, Li & Shah, PODC 2011. A failed cas that does not
//     tell what it found is fitted in afterwards, if there is room. A text becomes such a register if what was written and
//     appended cannot be confused in what was read: an append is a cas from what stands before it to that and more.
//   - list order (list): each element was appended once. The longest read is the order.
//   - counter ladder (counter): every add is above zero and answers with the sum. Each answer is a rung.
//   - queue order (queue): each element that came out went in once. Any two elements keep their order, and what was found empty can
//     have been (Bouajjani, Emmi, Enea & Hamza, ICALP 2015; Lee & Mathur, arXiv 2410.04581). The kth element that vanished
//     was taken by the kth dequeue of unknown outcome.
//   - inclusion order (set): of two reads one shows all that the other does; the chain of reads is the order.
//   - fencing (lock): tokens rise, so each has one tenure, and they follow each other.
//   - search (every model): Wing & Gong, J. Parallel Distrib. Comput. 17, 1993, with Lowe's memory of configurations, Concurrency
//     Comput. 29(4), 2017, as fingerprints. Exponential in how many operations are open at once on one key.
//   - neighbours: where the search does not finish, operations near each other are searched for a violation.
//
// # What the models need
//
// Unique values make fast engines fit; the workloads write such. The operations and the shape of their values stand with
// each model: [Register], [KV], [List], [Text], [Set], [Counter], [Queue], [Lock], [Bank].
//
// # Checks of another kind
//
// [Versions] holds the revisions of answers against one order of changes: one that lies is a bug even where the values are
// right. Package adya judges transactions. [Online] follows a run of registers while it goes on, and knows when to stop.
// [Sessions] asks for less: that each process sees its own writes, and never goes back (Terry et al., PDIS 1994), for systems
// that promise no more. [ApplyLogs] compares what replicas applied: the same command at an index, each once, no gaps, one
// leader a term. [StateHashes] compares what they hold in the end.
package checker
