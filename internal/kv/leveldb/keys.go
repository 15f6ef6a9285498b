package leveldb

import (
	"encoding/binary"

	"github.com/merchantim/merchantim/internal/kv"
)

// A physical key is
//
//	virtual partition (2 bytes) | length of the name (1) | name | key
//
// The virtual partition is a hash of the name. The length keeps a name from
// being the beginning of another, so that all keys of a partition, and no
// others, lie between its prefix and the prefix's successor.

// prefixMax is the longest prefix: hash, length, name.
const prefixMax = 2 + 1 + kv.MaxPartition

// appendPrefix appends the prefix of a partition, whose name has a legal length.
func appendPrefix(dst, partition []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, virtual(partition))
	dst = append(dst, byte(len(partition)))
	return append(dst, partition...)
}

// virtual is FNV-1a folded to 16 bits.
func virtual(partition []byte) uint16 {
	h := uint32(2166136261)
	for _, b := range partition {
		h = (h ^ uint32(b)) * 16777619
	}
	return uint16(h>>16) ^ uint16(h)
}

// successor returns the smallest key after all keys that begin with prefix. It
// exists: the byte of the length is at most kv.MaxPartition.
func successor(prefix []byte) []byte {
	next := append(make([]byte, 0, len(prefix)), prefix...)
	for i := len(next) - 1; ; i-- {
		if next[i]++; next[i] != 0 {
			return next[:i+1]
		}
	}
}
