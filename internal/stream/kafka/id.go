package kafka

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/segmentio/kafka-go/protocol"
)

// Every record carries who appended it and the how-manieth it was there. A
// produce request whose answer was lost is sent again with the same ids.
type recordID struct{ producer, sequence uint64 }

const idHeader = "id"

func (id recordID) header() protocol.Header {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), id.producer)
	return protocol.Header{Key: idHeader, Value: binary.BigEndian.AppendUint64(b, id.sequence)}
}

// idOf is zero for a record that we did not write.
func idOf(headers []protocol.Header) recordID {
	for _, h := range headers {
		if h.Key == idHeader && len(h.Value) == 16 {
			return recordID{binary.BigEndian.Uint64(h.Value), binary.BigEndian.Uint64(h.Value[8:])}
		}
	}
	return recordID{}
}

func newProducer() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:]) | 1
}

// repeats recognises records that came before, by the newest sequence of each
// producer: in a partition they rise.
type repeats map[uint64]uint64

// maxProducers bounds what is remembered; a cluster has far fewer processes.
const maxProducers = 1024

// seen reports whether the record is a copy, and remembers it.
func (s repeats) seen(id recordID) bool {
	if id.producer == 0 {
		return false
	}
	if newest, ok := s[id.producer]; ok && id.sequence <= newest {
		return true
	}
	if len(s) >= maxProducers {
		clear(s)
	}
	s[id.producer] = id.sequence
	return false
}
