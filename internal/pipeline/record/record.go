// Package record lays out the values of the log's records. The first byte is
// the version of the layout, the second the kind; a reader refuses what it
// does not know, which parks the record. Golden files in testdata fix every
// encoding: a change needs a new version.
package record

import (
	"errors"
	"fmt"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/stream"
)

// The topics of the pipeline. Numbers are never reused.
const (
	SingleTopic stream.TopicID = 1 // key: conversation
	MixedTopic  stream.TopicID = 2 // key: user
)

const version = 1

// ErrUnknown: a version or kind that this program does not know.
var ErrUnknown = errors.New("record: unknown version or kind")

// Kind tells the records of a topic apart.
type Kind uint8

// Kinds of both topics.
const (
	Open   Kind = 1 // single: make a conversation
	Send   Kind = 2 // single: a message
	Extend Kind = 3 // mixed: an entry for the inboxes of members
	Read   Kind = 4 // mixed: a user has read up to an index
	Create Kind = 5 // single: make a group
	Change Kind = 6 // single: change the members of a group
	Follow Kind = 7 // mixed: a new head of a conversation that its members follow
	Replay Kind = 8 // single: a parked record is to be taken after all
)

// Single is a record of the single topic; its key is the conversation.
type Single struct {
	Kind    Kind
	Origin  domain.Origin
	Send    chat.Send       // Open: only Conversation, From and At; Create, Change: and ID
	Title   string          // Create
	Members []domain.UserID // Open, Create; Change: to be added
	Removed []domain.UserID // Change
	Limits  chat.Limits     // Create, Change
	Letter  domain.Place    // Replay: the parked record; its entry gets Send.ID
}

// AppendSend encodes a message. The conversation stands in the key.
func AppendSend(dst []byte, origin domain.Origin, s *chat.Send) []byte {
	dst = head(dst, Send, origin, s.At)
	dst = enc.Bytes(dst, s.From)
	dst = enc.Bytes(dst, s.Key)
	dst = enc.Bytes(dst, s.After)
	dst = append(dst, s.ID[:]...)
	dst = append(dst, byte(s.Kind))
	return append(dst, s.Body...)
}

// AppendOpen encodes the making of a conversation.
func AppendOpen(dst []byte, origin domain.Origin, from domain.UserID, at int64, members []domain.UserID) []byte {
	dst = head(dst, Open, origin, at)
	dst = enc.Bytes(dst, from)
	return appendUsers(dst, members)
}

// AppendCreate encodes the making of a group.
func AppendCreate(dst []byte, origin domain.Origin, g *chat.Creation) []byte {
	dst = head(dst, Create, origin, g.At)
	dst = enc.Bytes(dst, g.From)
	dst = enc.Bytes(dst, g.Title)
	return append(appendLimits(appendUsers(dst, g.Members), g.Limits), g.ID[:]...)
}

// AppendChange encodes a change of a group's members.
func AppendChange(dst []byte, origin domain.Origin, c *chat.Changing) []byte {
	dst = head(dst, Change, origin, c.At)
	dst = enc.Bytes(dst, c.From)
	return append(appendLimits(appendUsers(appendUsers(dst, c.Add), c.Remove), c.Limits), c.ID[:]...)
}

// AppendReplay encodes the wish to take a parked record after all. It comes from
// no user.
func AppendReplay(dst []byte, origin domain.Origin, at int64, id domain.MessageID, letter domain.Place) []byte {
	dst = head(dst, Replay, origin, at)
	dst = enc.Bytes(dst, domain.UserID(""))
	dst = enc.U32(dst, letter.Position.Incarnation)
	dst = enc.U32(dst, uint32(letter.Partition))
	dst = enc.U64(dst, uint64(letter.Position.Offset))
	return append(dst, id[:]...)
}

func appendLimits(dst []byte, l chat.Limits) []byte {
	return enc.Uvarint(enc.Uvarint(dst, uint64(l.Members)), uint64(l.Large))
}

func readLimits(r *enc.Reader) chat.Limits {
	return chat.Limits{Members: int(r.Uvarint()), Large: int(r.Uvarint())}
}

func head(dst []byte, kind Kind, origin domain.Origin, at int64) []byte {
	dst = append(dst, version, byte(kind))
	dst = enc.Uvarint(dst, uint64(at))
	dst = enc.Uvarint(dst, uint64(origin.Node))
	dst = enc.Uvarint(dst, origin.Conn)
	return enc.Bytes(dst, origin.Request)
}

func readHead(r *enc.Reader, origin *domain.Origin) (kind Kind, at int64, err error) {
	v := r.Byte()
	kind = Kind(r.Byte())
	if r.Err() == nil && v != version {
		return 0, 0, fmt.Errorf("%w: version %d", ErrUnknown, v)
	}
	at = int64(r.Uvarint())
	origin.Node = uint32(r.Uvarint())
	origin.Conn = r.Uvarint()
	origin.Request = r.Bytes()
	return kind, at, r.Err()
}

// DecodeSingle decodes into s; byte fields are views of key and value.
func DecodeSingle(key, value []byte, s *Single) error {
	*s = Single{}
	if len(key) != len(s.Send.Conversation) {
		return fmt.Errorf("record: key: %w", enc.ErrMalformed)
	}
	copy(s.Send.Conversation[:], key)
	r := enc.Read(value)
	var err error
	if s.Kind, s.Send.At, err = readHead(&r, &s.Origin); err != nil {
		return err
	}
	s.Send.From = domain.UserID(r.Bytes())
	switch s.Kind {
	case Open:
		s.Members = readUsers(&r)
	case Send:
		s.Send.Key = r.Bytes()
		s.Send.After = r.Bytes()
		s.Send.ID = r.ID()
		s.Send.Kind = chat.Kind(r.Byte())
		s.Send.Body = r.Take(uint64(r.Rest()))
	case Create:
		s.Title = string(r.Bytes())
		s.Members = readUsers(&r)
		s.Limits, s.Send.ID = readLimits(&r), r.ID()
	case Change:
		s.Members, s.Removed = readUsers(&r), readUsers(&r)
		s.Limits, s.Send.ID = readLimits(&r), r.ID()
	case Replay:
		if s.Send.From != "" {
			return fmt.Errorf("record: replay by a user: %w", enc.ErrMalformed)
		}
		s.Letter.Position.Incarnation = r.U32()
		s.Letter.Partition = int32(r.U32())
		s.Letter.Position.Offset = int64(r.U64())
		s.Send.ID = r.ID()
	default:
		return fmt.Errorf("%w: kind %d", ErrUnknown, s.Kind)
	}
	return r.Done()
}

func appendUsers(dst []byte, users []domain.UserID) []byte {
	dst = enc.Uvarint(dst, uint64(len(users)))
	for _, u := range users {
		dst = enc.Bytes(dst, u)
	}
	return dst
}

func readUsers(r *enc.Reader) []domain.UserID {
	users := make([]domain.UserID, r.Count(1))
	for i := range users {
		users[i] = domain.UserID(r.Bytes())
	}
	return users
}
