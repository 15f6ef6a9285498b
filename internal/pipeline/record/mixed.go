package record

import (
	"fmt"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/enc"
)

// Mixed is a record of the mixed topic: one for each partition that holds the
// inbox of a member. Members lists them all as of the index; an owner takes
// those of its own partition.
type Mixed struct {
	Kind         Kind
	Origin       domain.Origin // Extend: of the message, without the request's id
	At           int64         // unix microseconds when accepted
	Conversation domain.ConversationID
	Index, N     uint64
	Stamp        int64           // Extend: the entry's own time, unix milliseconds
	User         domain.UserID   // Extend: the sender, empty for a void; Read: the reader
	Members      []domain.UserID // Extend
}

// AppendMixed encodes m.
func AppendMixed(dst []byte, m *Mixed) []byte {
	dst = head(dst, m.Kind, m.Origin, m.At)
	dst = append(dst, m.Conversation[:]...)
	dst = enc.Uvarint(dst, m.Index)
	dst = enc.Uvarint(dst, m.N)
	dst = enc.Bytes(dst, m.User)
	if m.Kind == Extend {
		dst = enc.Uvarint(dst, uint64(m.Stamp))
		dst = appendUsers(dst, m.Members)
	}
	return dst
}

// DecodeMixed decodes into m, using its Members again; byte fields are views of value.
func DecodeMixed(value []byte, m *Mixed) error {
	members := m.Members[:0]
	*m = Mixed{}
	r := enc.Read(value)
	var err error
	if m.Kind, m.At, err = readHead(&r, &m.Origin); err != nil {
		return err
	}
	if m.Kind != Extend && m.Kind != Read {
		return fmt.Errorf("%w: kind %d", ErrUnknown, m.Kind)
	}
	m.Conversation = r.ID()
	m.Index = r.Uvarint()
	m.N = r.Uvarint()
	m.User = domain.UserID(r.Bytes())
	if m.Kind == Extend {
		m.Stamp = int64(r.Uvarint())
		for range r.Count(1) {
			members = append(members, domain.UserID(r.Bytes()))
		}
	}
	m.Members = members
	return r.Done()
}
