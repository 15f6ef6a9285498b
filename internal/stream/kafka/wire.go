package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// kafka-go speaks Metadata up to version 8, which has no topic ids. A topic that
// was deleted and made again has another id and nothing else to tell it by, so
// this file speaks version 12, over a connection of the transport: TLS and SASL
// are done.

const metadataVersion = 12

// topicID is Kafka's: a random number given when the topic was made.
type topicID [16]byte

func (id topicID) String() string { return fmt.Sprintf("%x", id[:]) }

// identify asks for the ids of topics by name.
type identify struct{ names []string }

// identities is the answer: those that exist.
type identities map[string]topicID

// ApiKey implements protocol.Message.
func (identify) ApiKey() protocol.ApiKey { return protocol.Metadata }

// ApiKey implements protocol.Message.
func (identities) ApiKey() protocol.ApiKey { return protocol.Metadata }

// Required implements protocol.RawExchanger.
func (identify) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange implements protocol.RawExchanger.
func (m identify) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if _, err := rw.Write(m.encode()); err != nil {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > 64<<20 {
		return nil, fmt.Errorf("kafka: a metadata answer of %d bytes", n)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(rw, b); err != nil {
		return nil, err
	}
	return decodeIdentities(b)
}

func (m identify) encode() []byte {
	b := make([]byte, 4, 256)
	b = binary.BigEndian.AppendUint16(b, uint16(protocol.Metadata))
	b = binary.BigEndian.AppendUint16(b, metadataVersion)
	b = binary.BigEndian.AppendUint32(b, 0)      // correlation
	b = binary.BigEndian.AppendUint16(b, 0xffff) // client id: none
	b = append(b, 0)                             // no tags
	b = binary.AppendUvarint(b, uint64(len(m.names)+1))
	for _, name := range m.names {
		b = append(b, make([]byte, 16)...)
		b = binary.AppendUvarint(b, uint64(len(name)+1))
		b = append(append(b, name...), 0)
	}
	b = append(b, 0, 0, 0) // make none, no operations, no tags
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

var errShort = errors.New("kafka: a metadata answer that does not decode")

// scanner reads fields; after the first that is not there, all are zero.
type scanner struct {
	b   []byte
	bad bool
}

func (s *scanner) take(n uint64) []byte {
	if s.bad || n > uint64(len(s.b)) {
		s.bad = true
		return nil
	}
	v := s.b[:n]
	s.b = s.b[n:]
	return v
}

func (s *scanner) uvarint() uint64 {
	v, n := binary.Uvarint(s.b)
	if s.bad || n <= 0 {
		s.bad = true
		return 0
	}
	s.b = s.b[n:]
	return v
}

// length is of a compact string or array: one more than it has; 0: none.
func (s *scanner) length() uint64 {
	n := s.uvarint()
	if n == 0 {
		return 0
	}
	return n - 1
}

func (s *scanner) tags() {
	for n := s.uvarint(); n > 0 && !s.bad; n-- {
		s.uvarint()
		s.take(s.uvarint())
	}
}

func (s *scanner) code() int16 {
	if v := s.take(2); v != nil {
		return int16(binary.BigEndian.Uint16(v))
	}
	return 0
}

func decodeIdentities(b []byte) (identities, error) {
	s := &scanner{b: b}
	s.take(4) // correlation
	s.tags()
	s.take(4)                                   // throttle
	for n := s.length(); n > 0 && !s.bad; n-- { // brokers
		s.take(4)
		s.take(s.length())
		s.take(4)
		s.take(s.length())
		s.tags()
	}
	s.take(s.length()) // cluster
	s.take(4)          // controller
	found := identities{}
	for n := s.length(); n > 0 && !s.bad; n-- {
		code := s.code()
		name := string(s.take(s.length()))
		var id topicID
		copy(id[:], s.take(16))
		s.take(1) // internal
		for p := s.length(); p > 0 && !s.bad; p-- {
			s.take(2 + 4 + 4 + 4)
			for range 3 { // replicas, in sync, offline
				if n := s.length(); n < 1<<20 {
					s.take(4 * n)
				} else {
					s.bad = true
				}
			}
			s.tags()
		}
		s.take(4) // operations
		s.tags()
		switch e := kafkago.Error(code); {
		case s.bad:
		case code == 0:
			found[name] = id
		case !errors.Is(e, kafkago.UnknownTopicOrPartition):
			return nil, fmt.Errorf("kafka: topic %s: %w", name, e)
		}
	}
	if s.bad {
		return nil, errShort
	}
	return found, nil
}
