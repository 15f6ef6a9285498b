package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/merchantim/merchantim/internal/stream"
)

// Encodings, all little-endian.
//
// A segment is a header, padding to the next page, then groups, each of which
// begins on a page. The header:
//
//	magic 8 | crc 4 | length 4 | version 4 | incarnation 4 | salt 8 | number 8 | sequence 8
//	topics 2, each: id 1 | name length 1 | name | partitions 4 | next offset 8 a partition
//	groups 2, each: name length 1 | name | topic 1 | partitions 4 | committed offset 8 a partition
//
// A group of records, synced at once:
//
//	magic 4 | crc 4 | salt 8 | sequence 8 | own file offset 8 | length 4 | records 4
//	records, each: topic 1 | partition 3 | key length 4 | value length 4 | offset 8 | key | value
//
// Each crc (Castagnoli) covers everything after itself.
const (
	segmentMagic = "mimjrnl\n"
	version      = 1
	groupMagic   = 0x70726721

	segmentFixed = 48 // bytes of a segment header before its topics
	groupHead    = 40
	recordHead   = 20

	pageSize       = 4096
	maxHeader      = 16 << 20
	maxPartitions  = 1 << 16        // of all topics together
	controlTopic   = 0xff           // a record that says what a group committed
	maxGroupLength = 1<<31 - 1      // bytes, header included
	maxNameLength  = 1<<8 - 1       // bytes of a topic's or a group's name
	maxNames       = 1<<16 - 1      // topics or groups in a header
	noOffset       = int64(1 << 62) // offsets stay below it
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// pages rounds up to whole pages.
func pages(n int64) int64 { return (n + pageSize - 1) &^ (pageSize - 1) }

// segmentHeader is the decoded header of a segment: all that was true when its
// first group was about to be written.
type segmentHeader struct {
	incarnation uint32
	salt        uint64
	number      uint64
	sequence    uint64 // of the first group
	topics      []topicOffsets
	groups      []groupOffsets
}

// topicOffsets has the next offset of each partition of a topic.
type topicOffsets struct {
	id   stream.TopicID
	name string
	next []int64
}

// groupOffsets has the committed offset of each partition for a consumer group.
type groupOffsets struct {
	name      string
	topic     stream.TopicID
	committed []int64
}

func (h *segmentHeader) encode() []byte {
	b := append(make([]byte, 0, pageSize), segmentMagic...)
	b = append(b, make([]byte, 8)...) // crc and length
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, h.incarnation)
	b = binary.LittleEndian.AppendUint64(b, h.salt)
	b = binary.LittleEndian.AppendUint64(b, h.number)
	b = binary.LittleEndian.AppendUint64(b, h.sequence)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(h.topics)))
	for _, t := range h.topics {
		b = append(b, byte(t.id))
		b = appendName(b, t.name)
		b = appendOffsets(b, t.next)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(h.groups)))
	for _, g := range h.groups {
		b = appendName(b, g.name)
		b = append(b, byte(g.topic))
		b = appendOffsets(b, g.committed)
	}
	binary.LittleEndian.PutUint32(b[12:], uint32(len(b)))
	binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[12:], castagnoli))
	return b
}

func appendName(b []byte, name string) []byte {
	return append(append(b, byte(len(name))), name...)
}

func appendOffsets(b []byte, offsets []int64) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(offsets)))
	for _, o := range offsets {
		b = binary.LittleEndian.AppendUint64(b, uint64(o))
	}
	return b
}

var errHeader = errors.New("not a segment header")

// headerLength reads how long a header is from its first bytes.
func headerLength(b []byte) (int64, error) {
	if len(b) < segmentFixed || string(b[:8]) != segmentMagic {
		return 0, errHeader
	}
	n := binary.LittleEndian.Uint32(b[12:])
	if n < segmentFixed || n > maxHeader {
		return 0, fmt.Errorf("%w: length %d", errHeader, n)
	}
	return int64(n), nil
}

func decodeSegmentHeader(b []byte) (*segmentHeader, error) {
	n, err := headerLength(b)
	if err != nil {
		return nil, err
	}
	if int64(len(b)) < n {
		return nil, fmt.Errorf("%w: cut short", errHeader)
	}
	b = b[:n]
	if crc32.Checksum(b[12:], castagnoli) != binary.LittleEndian.Uint32(b[8:]) {
		return nil, fmt.Errorf("%w: checksum", errHeader)
	}
	if v := binary.LittleEndian.Uint32(b[16:]); v != version {
		return nil, fmt.Errorf("%w: version %d is not known", errHeader, v)
	}
	h := &segmentHeader{
		incarnation: binary.LittleEndian.Uint32(b[20:]),
		salt:        binary.LittleEndian.Uint64(b[24:]),
		number:      binary.LittleEndian.Uint64(b[32:]),
		sequence:    binary.LittleEndian.Uint64(b[40:]),
	}
	d := decoder{b: b[segmentFixed:]}
	for range d.uint16() {
		t := topicOffsets{id: stream.TopicID(d.byte()), name: d.name(), next: d.offsets()}
		h.topics = append(h.topics, t)
		if d.bad {
			break
		}
	}
	for range d.uint16() {
		g := groupOffsets{name: d.name(), topic: stream.TopicID(d.byte()), committed: d.offsets()}
		h.groups = append(h.groups, g)
		if d.bad {
			break
		}
	}
	if d.bad || len(d.b) > 0 {
		return nil, fmt.Errorf("%w: contents", errHeader)
	}
	return h, nil
}

// decoder takes fields off the front of b; after the first that does not fit
// it is bad and gives zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad, d.b = true, nil
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) byte() byte {
	if p := d.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (d *decoder) uint16() uint16 {
	if p := d.take(2); p != nil {
		return binary.LittleEndian.Uint16(p)
	}
	return 0
}

func (d *decoder) name() string { return string(d.take(int(d.byte()))) }

func (d *decoder) offsets() []int64 {
	p := d.take(4)
	if p == nil {
		return nil
	}
	n := binary.LittleEndian.Uint32(p)
	if n > maxPartitions {
		d.bad = true
		return nil
	}
	p = d.take(int(n) * 8)
	if p == nil {
		return nil
	}
	offsets := make([]int64, n)
	for i := range offsets {
		offsets[i] = int64(binary.LittleEndian.Uint64(p[8*i:]))
		if offsets[i] < 0 || offsets[i] >= noOffset {
			d.bad = true
		}
	}
	return offsets
}
