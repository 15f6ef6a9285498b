package store

import (
	"fmt"

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
	dst = enc.Uvarint(dst, uint64(len(h.Members)))
	for _, m := range h.Members {
		dst = enc.Bytes(dst, m)
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
	h.Members = make([]domain.UserID, r.Count(1))
	for i := range h.Members {
		h.Members[i] = domain.UserID(r.Bytes())
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
func readEntry(r *enc.Reader, members []domain.UserID) (e chat.Entry) {
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

func intern(name []byte, members []domain.UserID) domain.UserID {
	for _, m := range members {
		if string(m) == string(name) {
			return m
		}
	}
	return domain.UserID(name)
}

func encodeInbox(b *user.Inbox) []byte {
	return enc.Uvarint(appendPosition([]byte{layout}, b.Position), b.Last)
}

func decodeInbox(value []byte) (b user.Inbox, err error) {
	r, err := open(value, "inbox")
	if err != nil {
		return b, err
	}
	b.Position = readPosition(&r)
	b.Last = r.Uvarint()
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

func encodeRow(row *conversation.Row) []byte {
	dst := enc.Bytes([]byte{layout}, row.With)
	dst = enc.Uvarint(dst, row.Index)
	dst = enc.Uvarint(dst, row.N)
	dst = enc.Uvarint(dst, uint64(row.At))
	dst = enc.Uvarint(dst, row.OwnN)
	dst = enc.Uvarint(dst, row.Read)
	return enc.Uvarint(dst, row.ReadN)
}

func decodeRow(value []byte) (row conversation.Row, err error) {
	r, err := open(value, "row")
	if err != nil {
		return row, err
	}
	row.With = domain.UserID(r.Bytes())
	row.Index, row.N, row.At = r.Uvarint(), r.Uvarint(), int64(r.Uvarint())
	row.OwnN, row.Read, row.ReadN = r.Uvarint(), r.Uvarint(), r.Uvarint()
	return row, r.Done()
}
