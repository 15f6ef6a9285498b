package clienttest

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// row is a conversation in a user's list.
type row struct {
	index, n, seen, read uint64
	at                   int64
	left                 bool
}

func (w *row) move(name string, e *entry, m *wire.Message) {
	w.index, w.n, w.at = m.Index, m.N, m.At
	switch {
	case slices.Contains(e.left, name):
		w.left = true
	case slices.Contains(e.joined, name):
		w.left, w.seen = false, m.N
	case e.counts && e.from == name:
		w.seen = m.N
	}
}

func (s *Server) read(name string, c *chat, r *wire.Frame) []byte {
	if r.Index == 0 || r.Index > uint64(len(c.chain)) {
		return wire.AppendError(nil, r.ID, wire.CodeNotFound, "No such index.", 0)
	}
	if w := s.user(name).rows[r.Conversation]; w != nil {
		w.read, w.seen = max(w.read, r.Index), max(w.seen, c.chain[r.Index-1].N)
	}
	return wire.AppendDone(nil, r.ID)
}

// Rows is the whole list of a user, by conversation.
func (s *Server) Rows(name string) map[string]wire.Conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]wire.Conversation)
	for _, r := range s.rows(name) {
		all[string(wire.AppendUUID(nil, r.ID))] = r
	}
	return all
}

// Inbox is the whole inbox of a user, and the large groups that he is in.
func (s *Server) Inbox(name string) (entries []wire.Entry, heads map[string]uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heads = make(map[string]uint64)
	for _, h := range s.heads(name) {
		heads[string(wire.AppendUUID(nil, h.Conversation))] = h.Index
	}
	return slices.Clone(s.user(name).inbox), heads
}

func (s *Server) rows(name string) (rows []wire.Conversation) {
	for id, w := range s.user(name).rows {
		c := s.chats[id]
		r := wire.Conversation{
			ID: id, Group: c.group, Title: c.title, Left: w.left, Large: c.large && !w.left,
			Index: w.index, N: w.n, Read: w.read, Unread: w.n - w.seen, At: w.at,
		}
		for other := range c.members {
			if !c.group && other != name {
				r.With = other
			}
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b wire.Conversation) int {
		return cmp.Or(cmp.Compare(b.At, a.At), slices.Compare(a.ID[:], b.ID[:]))
	})
	return rows
}

// list has the place in the list as its cursor, and the clock as its version.
func (s *Server) list(name string, r *wire.Frame) []byte {
	rows := s.rows(name)
	if r.Since > 0 {
		rows = slices.DeleteFunc(rows, func(c wire.Conversation) bool {
			return !c.Large && c.At <= 1790000000000+int64(r.Since)
		})
	}
	from, err := strconv.Atoi(cmp.Or(string(r.Cursor), "0"))
	if err != nil {
		return wire.AppendError(nil, r.ID, wire.CodeInvalid, "No such cursor.", 0)
	}
	from = min(from, len(rows))
	to, cursor := min(from+r.Limit, len(rows)), ""
	if to < len(rows) {
		cursor = strconv.Itoa(to)
	}
	return wire.AppendConversations(nil, r.ID, rows[from:to], cursor, uint64(s.now-1790000000000))
}

func (s *Server) listMembers(c *chat, r *wire.Frame) []byte {
	var page []wire.Member
	cursor := ""
	for _, name := range slices.Sorted(maps.Keys(c.members)) {
		if name <= string(r.Cursor) {
			continue
		}
		if len(page) == r.Limit {
			cursor = page[r.Limit-1].User
			break
		}
		m := wire.Member{User: name, Role: "member", Since: c.members[name]}
		if name == c.owner {
			m.Role = "owner"
		}
		page = append(page, m)
	}
	return wire.AppendMembers(nil, r.ID, r.Conversation, page, len(c.members), cursor)
}

func (s *Server) heads(name string) (heads []wire.HeadOf) {
	for id, c := range s.chats {
		if _, member := c.members[name]; member && c.large {
			heads = append(heads, wire.HeadOf{Conversation: id, Index: uint64(len(c.chain))})
		}
	}
	return heads
}

func (s *Server) headSum(name string) (sum uint64) {
	for _, h := range s.heads(name) {
		sum += h.Index
	}
	return sum
}

func (s *Server) listHeads(name string, r *wire.Frame) []byte {
	return wire.AppendHeads(nil, r.ID, s.heads(name))
}
