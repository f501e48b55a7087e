package checker

// fingerprints is a set of numbers of 128 bits that are as good as random: a hash table with open addressing.
type fingerprints struct {
	slots [][2]uint64 // a power of two of them, at most three quarters in use; free if zero
	n     int
}

// fingerprintBytes is the most that a fingerprint takes: after growth three of eight slots are in use, and the old half
// is still there.
const fingerprintBytes = 64

func newFingerprints(n int) fingerprints {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return fingerprints{slots: make([][2]uint64, size)}
}

// add tells whether f was not there yet. Of two that differ in one bit alone it knows no difference.
func (s *fingerprints) add(f [2]uint64) bool {
	f[1] |= 1 // so that none is zero
	if 4*s.n >= 3*len(s.slots) {
		old := s.slots
		s.slots, s.n = make([][2]uint64, 2*len(old)), 0
		for _, known := range old {
			if known[1] != 0 {
				s.put(known)
			}
		}
	}
	return s.put(f)
}

func (s *fingerprints) put(f [2]uint64) bool {
	mask := uint64(len(s.slots) - 1)
	for at := f[0] & mask; ; at = (at + 1) & mask {
		switch s.slots[at] {
		case f:
			return false
		case [2]uint64{}:
			s.slots[at] = f
			s.n++
			return true
		}
	}
}
