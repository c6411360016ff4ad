package main

import (
	"encoding/binary"
	"math/bits"
)

const (
	prime1 uint64 = 0x9E3779B185EBCA87
	prime2 uint64 = 0xC2B2AE3D27D4EB4F
	prime3 uint64 = 0x165667B19E3779F9
	prime4 uint64 = 0x85EBCA77C2B2AE63
	prime5 uint64 = 0x27D4EB2F165667C5
)

// xxh64 is XXH64 with seed 0: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
func xxh64(data []byte) uint64 {
	size := uint64(len(data))
	hash := prime5
	if len(data) >= 32 {
		// Variables, for 0 - prime1 is no constant of Go.
		v1, v2, v3, v4 := prime1, prime2, uint64(0), prime1
		v1 += prime2
		v4 = -v4
		for ; len(data) >= 32; data = data[32:] {
			v1 = round(v1, binary.LittleEndian.Uint64(data))
			v2 = round(v2, binary.LittleEndian.Uint64(data[8:]))
			v3 = round(v3, binary.LittleEndian.Uint64(data[16:]))
			v4 = round(v4, binary.LittleEndian.Uint64(data[24:]))
		}
		hash = bits.RotateLeft64(v1, 1) + bits.RotateLeft64(v2, 7) +
			bits.RotateLeft64(v3, 12) + bits.RotateLeft64(v4, 18)
		for _, v := range [...]uint64{v1, v2, v3, v4} {
			hash = (hash^round(0, v))*prime1 + prime4
		}
	}
	hash += size
	for ; len(data) >= 8; data = data[8:] {
		hash = bits.RotateLeft64(hash^round(0, binary.LittleEndian.Uint64(data)), 27)*prime1 + prime4
	}
	if len(data) >= 4 {
		hash ^= uint64(binary.LittleEndian.Uint32(data)) * prime1
		hash = bits.RotateLeft64(hash, 23)*prime2 + prime3
		data = data[4:]
	}
	for _, b := range data {
		hash = bits.RotateLeft64(hash^uint64(b)*prime5, 11) * prime1
	}
	hash = (hash ^ hash>>33) * prime2
	hash = (hash ^ hash>>29) * prime3
	return hash ^ hash>>32
}

func round(sum, input uint64) uint64 {
	return bits.RotateLeft64(sum+input*prime2, 31) * prime1
}
