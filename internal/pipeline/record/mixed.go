package record

import (
	"fmt"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/enc"
)

// Mixed is a record of the mixed topic.
//
// Extend: one for each partition that holds the inbox of somebody concerned, or
// several where they are many; an owner takes those of its own partition.
// Follow: one for the partition of the conversation, whose owner tells those
// who are online, and one for that of the sender, whose owner keeps his row.
type Mixed struct {
	Kind         Kind
	Origin       domain.Origin // Extend, Follow: of the message, without the request's id
	At           int64         // unix microseconds when accepted
	Conversation domain.ConversationID
	Index, N     uint64
	User         domain.UserID // Extend, Follow: the sender, empty where no message was sent; Read: the reader
	Stamp        int64         // Extend, Follow: the entry's own time, unix milliseconds
	Group        bool          // Extend: not a direct conversation
	Large        bool          // Extend: members follow the head from here on
	Title        string        // Extend: of the group, if somebody joined
	Concerned    []Concerned   // Extend
}

// Concerned is a user who gets an inbox entry.
type Concerned struct {
	User domain.UserID
	Part Part
}

// Part is what an entry means to a user.
type Part uint8

// The parts.
const (
	Stays Part = 0
	Joins Part = 1
	Goes  Part = 2
)

const (
	flagGroup = 1 << iota
	flagLarge
)

// AppendMixed encodes m.
func AppendMixed(dst []byte, m *Mixed) []byte {
	dst = head(dst, m.Kind, m.Origin, m.At)
	dst = append(dst, m.Conversation[:]...)
	dst = enc.Uvarint(dst, m.Index)
	dst = enc.Uvarint(dst, m.N)
	dst = enc.Bytes(dst, m.User)
	if m.Kind == Read {
		return dst
	}
	dst = enc.Uvarint(dst, uint64(m.Stamp))
	if m.Kind == Follow {
		return dst
	}
	flags := byte(0)
	if m.Group {
		flags |= flagGroup
	}
	if m.Large {
		flags |= flagLarge
	}
	dst = enc.Bytes(append(dst, flags), m.Title)
	dst = enc.Uvarint(dst, uint64(len(m.Concerned)))
	for _, c := range m.Concerned {
		dst = append(enc.Bytes(dst, c.User), byte(c.Part))
	}
	return dst
}

// DecodeMixed decodes into m, using its Concerned again; byte fields are views of value.
func DecodeMixed(value []byte, m *Mixed) error {
	concerned := m.Concerned[:0]
	*m = Mixed{}
	r := enc.Read(value)
	var err error
	if m.Kind, m.At, err = readHead(&r, &m.Origin); err != nil {
		return err
	}
	if m.Kind != Extend && m.Kind != Read && m.Kind != Follow {
		return fmt.Errorf("%w: kind %d", ErrUnknown, m.Kind)
	}
	m.Conversation = r.ID()
	m.Index = r.Uvarint()
	m.N = r.Uvarint()
	m.User = domain.UserID(r.Bytes())
	if m.Kind != Read {
		m.Stamp = int64(r.Uvarint())
	}
	if m.Kind == Extend {
		flags := r.Byte()
		m.Group, m.Large = flags&flagGroup != 0, flags&flagLarge != 0
		m.Title = string(r.Bytes())
		for range r.Count(2) {
			c := Concerned{User: domain.UserID(r.Bytes()), Part: Part(r.Byte())}
			if c.Part > Goes {
				return fmt.Errorf("record: part %d: %w", c.Part, enc.ErrMalformed)
			}
			concerned = append(concerned, c)
		}
	}
	m.Concerned = concerned
	return r.Done()
}
