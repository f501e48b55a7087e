package kv

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var errBadChecksum = errors.New("checksum mismatch")

// seal appends a CRC-32C of key and data to data. bbolt checks only its two meta pages, so a flipped
// bit in a record would otherwise be read back as a different command.
func seal(key, data []byte) []byte {
	return binary.BigEndian.AppendUint32(data, checksum(key, data))
}

// unseal checks and removes what seal appended.
func unseal(key, sealed []byte) ([]byte, error) {
	n := len(sealed) - 4
	if n < 0 || binary.BigEndian.Uint32(sealed[n:]) != checksum(key, sealed[:n]) {
		return nil, errBadChecksum
	}
	return sealed[:n:n], nil
}

func checksum(key, data []byte) uint32 {
	t := crc32.MakeTable(crc32.Castagnoli) // one table for all, made once
	return crc32.Update(crc32.Checksum(key, t), t, data)
}
