package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/merchantim/merchantim/internal/stream"
)

// groupInfo is the decoded head of a group.
type groupInfo struct {
	crc      uint32
	salt     uint64
	sequence uint64
	offset   int64 // where in its file the group belongs
	length   int64 // with the head
	records  uint32
}

// sealGroup fills in the head of a group whose records are in b[groupHead:].
func sealGroup(b []byte, salt, sequence uint64, offset int64, records int) {
	binary.LittleEndian.PutUint32(b[0:], groupMagic)
	binary.LittleEndian.PutUint64(b[8:], salt)
	binary.LittleEndian.PutUint64(b[16:], sequence)
	binary.LittleEndian.PutUint64(b[24:], uint64(offset))
	binary.LittleEndian.PutUint32(b[32:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[36:], uint32(records))
	binary.LittleEndian.PutUint32(b[4:], crc32.Checksum(b[8:], castagnoli))
}

// decodeGroupHead reads a head; ok says that it looks like one, no more.
func decodeGroupHead(b []byte) (g groupInfo, ok bool) {
	if len(b) < groupHead || binary.LittleEndian.Uint32(b) != groupMagic {
		return g, false
	}
	g = groupInfo{
		crc:      binary.LittleEndian.Uint32(b[4:]),
		salt:     binary.LittleEndian.Uint64(b[8:]),
		sequence: binary.LittleEndian.Uint64(b[16:]),
		offset:   int64(binary.LittleEndian.Uint64(b[24:])),
		length:   int64(binary.LittleEndian.Uint32(b[32:])),
		records:  binary.LittleEndian.Uint32(b[36:]),
	}
	return g, g.length >= groupHead && g.length <= maxGroupLength
}

// intact checks the checksum of a whole group.
func (g groupInfo) intact(b []byte) bool {
	return int64(len(b)) == g.length && crc32.Checksum(b[8:], castagnoli) == g.crc
}

// putRecord encodes a record into b, which has exactly its size.
func putRecord(b []byte, topic stream.TopicID, partition int32, offset int64, key, value []byte) {
	binary.LittleEndian.PutUint32(b, uint32(partition)<<8|uint32(topic))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(key)))
	binary.LittleEndian.PutUint32(b[8:], uint32(len(value)))
	binary.LittleEndian.PutUint64(b[12:], uint64(offset))
	copy(b[recordHead+copy(b[recordHead:], key):], value)
}

func recordSize(key, value []byte) int { return recordHead + len(key) + len(value) }

// entry is a decoded record; key and value point into the group.
type entry struct {
	topic     stream.TopicID
	partition int32
	offset    int64
	key       []byte
	value     []byte
	size      int
}

var errRecord = errors.New("a record does not fit its group")

// decodeRecord decodes the record at the front of b, which may be any bytes.
func decodeRecord(b []byte) (entry, error) {
	if len(b) < recordHead {
		return entry{}, fmt.Errorf("%w: %d bytes left", errRecord, len(b))
	}
	where := binary.LittleEndian.Uint32(b)
	klen := int64(binary.LittleEndian.Uint32(b[4:]))
	vlen := int64(binary.LittleEndian.Uint32(b[8:]))
	if recordHead+klen+vlen > int64(len(b)) {
		return entry{}, fmt.Errorf("%w: key %d and value %d bytes, %d left", errRecord, klen, vlen, len(b))
	}
	e := entry{
		topic:     stream.TopicID(where),
		partition: int32(where >> 8),
		offset:    recordOffset(b),
		size:      int(recordHead + klen + vlen),
	}
	e.key, e.value = fields(b)
	return e, nil
}

func recordOffset(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b[12:])) }

// fields returns key and value of a record known to be good.
func fields(b []byte) (key, value []byte) {
	k := recordHead + int(binary.LittleEndian.Uint32(b[4:]))
	v := k + int(binary.LittleEndian.Uint32(b[8:]))
	return b[recordHead:k:k], b[k:v:v]
}

// eachRecord calls fn for every record of an intact group, with its place in b.
func eachRecord(b []byte, records uint32, fn func(at int, e entry) error) error {
	at := groupHead
	for range records {
		e, err := decodeRecord(b[at:])
		if err != nil {
			return err
		}
		if err := fn(at, e); err != nil {
			return err
		}
		at += e.size
	}
	if at != len(b) {
		return fmt.Errorf("%w: %d bytes after the last", errRecord, len(b)-at)
	}
	return nil
}
