package store

import (
	"fmt"
	"sort"
	"strings"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/enc"
)

// The first byte of every value; a change of a layout takes the next number.
const layout = 1

func open(value []byte, what string) (enc.Reader, error) {
	r := enc.Read(value)
	if v := r.Byte(); v != layout {
		return r, fmt.Errorf("store: %s: unknown layout %d", what, v)
	}
	return r, nil
}

func appendPosition(dst []byte, p domain.Position) []byte {
	return enc.Uvarint(enc.Uvarint(dst, uint64(p.Incarnation)), uint64(p.Offset))
}

func readPosition(r *enc.Reader) domain.Position {
	return domain.Position{Incarnation: uint32(r.Uvarint()), Offset: int64(r.Uvarint())}
}

func encodeHead(h *chat.Head) []byte {
	dst := make([]byte, 0, 64+4*len(h.Tail))
	dst = append(dst, layout)
	dst = appendPosition(dst, h.Position)
	dst = enc.Uvarint(dst, h.Last)
	dst = enc.Uvarint(dst, h.N)
	dst = enc.Uvarint(dst, uint64(h.At))
	dst = append(dst, byte(h.Form))
	if h.Form == chat.Direct {
		dst = appendMembers(dst, h.Members)
	}
	return appendMarks(dst, h.Tail)
}

func decodeHead(value []byte) (h chat.Head, err error) {
	r, err := open(value, "head")
	if err != nil {
		return h, err
	}
	h.Position = readPosition(&r)
	h.Last, h.N, h.At = r.Uvarint(), r.Uvarint(), int64(r.Uvarint())
	if h.Form = chat.Form(r.Byte()); h.Form == chat.Direct {
		h.Members = readMembers(&r)
	}
	h.Tail = readMarks(&r)
	return h, r.Done()
}

func appendMarks(dst []byte, marks []uint32) []byte {
	dst = enc.Uvarint(dst, uint64(len(marks)))
	for _, m := range marks {
		dst = enc.U32(dst, m)
	}
	return dst
}

func readMarks(r *enc.Reader) []uint32 {
	marks := make([]uint32, r.Count(4))
	for i := range marks {
		marks[i] = r.U32()
	}
	return marks
}

func appendEntry(dst []byte, e *chat.Entry) []byte {
	dst = enc.Uvarint(dst, e.Index)
	dst = enc.Uvarint(dst, e.Index-e.Pre)
	dst = enc.Uvarint(dst, e.N)
	dst = append(dst, byte(e.Kind))
	dst = enc.Uvarint(dst, uint64(e.At))
	dst = append(dst, e.ID[:]...)
	dst = enc.Bytes(dst, e.From)
	dst = enc.Bytes(dst, e.Key)
	return enc.U64(dst, e.Hash)
}

// readEntry reads an entry whose key is a view. A sender among the members is
// not copied.
func readEntry(r *enc.Reader, members []chat.Member) (e chat.Entry) {
	e.Index = r.Uvarint()
	e.Pre = e.Index - r.Uvarint()
	e.N = r.Uvarint()
	e.Kind = chat.Kind(r.Byte())
	e.At = int64(r.Uvarint())
	e.ID = r.ID()
	e.From = intern(r.Bytes(), members)
	e.Key = r.Bytes()
	e.Hash = r.U64()
	return e
}

func intern(name []byte, members []chat.Member) domain.UserID {
	i, found := sort.Find(len(members), func(i int) int { return strings.Compare(string(name), string(members[i].ID)) })
	if found {
		return members[i].ID
	}
	return domain.UserID(name)
}

func encodeInbox(b *user.Inbox) []byte {
	dst := appendPosition([]byte{layout}, b.Position)
	dst = enc.Uvarint(enc.Uvarint(dst, b.Last), b.Rev)
	dst = enc.Uvarint(dst, uint64(len(b.Large)))
	for _, id := range b.Large {
		dst = append(dst, id[:]...)
	}
	return dst
}

func decodeInbox(value []byte) (b user.Inbox, err error) {
	r, err := open(value, "inbox")
	if err != nil {
		return b, err
	}
	b.Position = readPosition(&r)
	b.Last, b.Rev = r.Uvarint(), r.Uvarint()
	for range r.Count(16) {
		b.Large = append(b.Large, r.ID())
	}
	return b, r.Done()
}

// encodeItems lays out a run of an inbox: each item is the number of its
// conversation within the run (0: a new one, spelled out) and its entry, as a
// difference to the entry before it of the same conversation.
func encodeItems(items []user.Item) []byte {
	type seen struct{ number, entry uint64 }
	known := make(map[domain.ConversationID]seen, 4)
	dst := enc.Uvarint(append(make([]byte, 0, 32+3*len(items)), layout), uint64(len(items)))
	for _, it := range items {
		s, ok := known[it.Conversation]
		dst = enc.Uvarint(dst, s.number)
		if !ok {
			s.number = uint64(len(known) + 1)
			dst = append(dst, it.Conversation[:]...)
		}
		dst = enc.Uvarint(dst, it.Entry-s.entry)
		s.entry = it.Entry
		known[it.Conversation] = s
	}
	return dst
}

func decodeItems(first uint64, value []byte) ([]user.Item, error) {
	r, err := open(value, "inbox run")
	if err != nil {
		return nil, err
	}
	type seen struct {
		id    domain.ConversationID
		entry uint64
	}
	var known []seen
	items := make([]user.Item, r.Count(2))
	for i := range items {
		number := r.Uvarint()
		if number == 0 {
			known = append(known, seen{id: r.ID()})
			number = uint64(len(known))
		}
		if number > uint64(len(known)) {
			return nil, fmt.Errorf("store: inbox run: %w", enc.ErrMalformed)
		}
		s := &known[number-1]
		s.entry += r.Uvarint()
		index := first + uint64(i)
		items[i] = user.Item{Index: index, Pre: index - 1, Conversation: s.id, Entry: s.entry}
	}
	return items, r.Done()
}

const (
	rowGroup = 1 << iota
	rowLeft
	rowLarge
)

func flagIf(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

func encodeRow(row *conversation.Row) []byte {
	flags := flagIf(row.Group, rowGroup) | flagIf(row.Left, rowLeft) | flagIf(row.Large, rowLarge)
	dst := enc.Bytes([]byte{layout, flags}, row.With)
	dst = enc.Bytes(dst, row.Title)
	for _, v := range [...]uint64{row.Index, row.N, uint64(row.At), row.OwnN, row.Read, row.ReadN, row.JoinN, row.Rev} {
		dst = enc.Uvarint(dst, v)
	}
	return dst
}

func decodeRow(value []byte) (row conversation.Row, err error) {
	r, err := open(value, "row")
	if err != nil {
		return row, err
	}
	flags := r.Byte()
	row.Group, row.Left, row.Large = flags&rowGroup != 0, flags&rowLeft != 0, flags&rowLarge != 0
	row.With, row.Title = domain.UserID(r.Bytes()), string(r.Bytes())
	row.Index, row.N, row.At = r.Uvarint(), r.Uvarint(), int64(r.Uvarint())
	row.OwnN, row.Read, row.ReadN = r.Uvarint(), r.Uvarint(), r.Uvarint()
	row.JoinN, row.Rev = r.Uvarint(), r.Uvarint()
	return row, r.Done()
}
