package checker

import (
	"encoding/binary"
	"slices"
	"time"
)

// quiet keeps the keys of which nothing is heard any more, in a few bytes each. Workloads go on from key to key, and
// in a day they leave millions behind.
//
// If all that is known of a key happened before the floor, then no moment of it matters: what is still to come
// began later. What remains is which values may be found: the last one of each chain that is not dead, and those of
// unknown outcome that nobody has found.
//
// Keys are known by a hash. Two that share one may make a violation of nothing, or hide one.
type quiet struct {
	at     map[uint64]uint64 // hash of a key → its place: chunk and offset
	chunks [][]byte
	used   int // bytes of all chunks that are taken
	live   int // of these, bytes of keys that have not been woken
}

const (
	quietChunk = 1 << 16 // bytes, an offset fits into 16 bits
	quietMax   = 1 << 12 // words of one key, up to 10 bytes each: one with more stays as it is
)

// A record is the number of words that follow as an uvarint, the number of chains, their last values, and pairs of
// a value that nobody found and what its cas expects. One without words is a key that was let go.

// keep takes k in, unless it has too much to remember.
func (q *quiet) keep(name string, k *followed, floor time.Duration) bool {
	var words []word
	if !k.gone {
		k.prune(floor)
		if len(k.values) != len(k.zones.chains) || len(k.values)+2*len(k.lost) >= quietMax {
			return false
		}
		words = append(words, word(len(k.values)))
		for v := range k.values {
			words = append(words, v)
		}
		for v, from := range k.lost {
			words = append(words, v, from)
		}
	}
	record := binary.AppendUvarint(make([]byte, 0, 32), uint64(len(words)))
	for _, w := range words {
		record = binary.AppendUvarint(record, uint64(w))
	}
	q.at[textHash(name)] = q.store(record)
	if q.used > 2*q.live+quietChunk*16 {
		q.compact()
	}
	return true
}

func (q *quiet) store(record []byte) (place uint64) {
	last := len(q.chunks) - 1
	if last < 0 || len(q.chunks[last])+len(record) > quietChunk {
		q.chunks = append(q.chunks, make([]byte, 0, quietChunk))
		last++
	}
	place = uint64(last)*quietChunk + uint64(len(q.chunks[last]))
	q.chunks[last] = append(q.chunks[last], record...)
	q.used += len(record)
	q.live += len(record)
	return place
}

// compact leaves behind what keys that were woken have left.
func (q *quiet) compact() {
	old := q.chunks
	q.chunks, q.used, q.live = nil, 0, 0
	for key, place := range q.at {
		record := old[place/quietChunk][place%quietChunk:]
		_, n := wordsIn(record)
		q.at[key] = q.store(record[:n])
	}
}

// wordsIn reads a record; n is its length in bytes.
func wordsIn(record []byte) (words []word, n int) {
	count, n := binary.Uvarint(record)
	words = make([]word, count)
	for i := range words {
		w, used := binary.Uvarint(record[n:])
		words[i], n = word(w), n+used
	}
	return words, n
}

// wake is what was known of a key; it is new if it is not here.
func (q *quiet) wake(name string, deletions bool) *followed {
	h := textHash(name)
	place, ok := q.at[h]
	if !ok {
		return untouched(deletions)
	}
	delete(q.at, h)
	words, n := wordsIn(q.chunks[place/quietChunk][place%quietChunk:])
	q.live -= n
	k := newFollowed(deletions)
	if len(words) == 0 {
		k.letGo()
		return k
	}
	there, lost := words[1:1+words[0]], words[1+words[0]:]
	for _, v := range there {
		k.initial(v, longAgo)
	}
	for pair := range slices.Chunk(lost, 2) {
		if k.lost == nil {
			k.lost = make(map[word]word, len(lost)/2)
		}
		k.lost[pair[0]] = pair[1]
	}
	return k
}
