package clienttest

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// do takes a request and returns its answer.
func (s *Server) do(l *link, r *wire.Frame) []byte {
	s.now++
	switch r.Type {
	case wire.Hello:
		return s.hello(l, r)
	case wire.Open:
		return wire.AppendOpened(nil, r.ID, s.open(l.user, string(r.With)))
	case wire.Send:
		return s.send(l, r)
	case wire.History:
		return s.history(r)
	case wire.Inbox:
		inbox := s.user(l.user).inbox
		from := min(int(r.After), len(inbox))
		to := min(from+min(r.Limit, 7), len(inbox)) // small pages are lawful, too
		return wire.AppendEntries(nil, r.ID, inbox[from:to], uint64(len(inbox)))
	case wire.List:
		return s.list(l, r)
	case wire.Read:
		return wire.AppendDone(nil, r.ID)
	default:
		return wire.AppendPong(nil, r.ID, uint64(len(s.user(l.user).inbox)), 0, s.now)
	}
}

func (s *Server) user(name string) *user {
	if s.users[name] == nil {
		s.users[name] = &user{}
	}
	return s.users[name]
}

func (s *Server) hello(l *link, r *wire.Frame) []byte {
	l.user = string(r.Token)
	u := s.user(l.user)
	u.links = append(u.links, l)
	return wire.AppendWelcome(nil, r.ID, &wire.Welcome{User: l.user, Epoch: s.epoch, InboxIndex: uint64(len(u.inbox)),
		HeartbeatMS: s.beat.Milliseconds(), MaxTextBytes: 8192, MaxInflight: s.inflight, At: s.now})
}

func (s *Server) open(a, b string) [16]byte {
	members := [2]string{min(a, b), max(a, b)}
	sum := sha256.Sum256([]byte(members[0] + " " + members[1]))
	id := [16]byte(sum[:16])
	if s.chats[id] == nil {
		s.chats[id] = &chat{members: members, byKey: map[string]int{}}
	}
	return id
}

func (s *Server) send(l *link, r *wire.Frame) []byte {
	c := s.chats[r.Conversation]
	if c == nil {
		return wire.AppendError(nil, r.ID, wire.CodeNotFound, "No such conversation.", 0)
	}
	if len(r.Text) > 8192 {
		return wire.AppendError(nil, r.ID, wire.CodeTooLarge, "The text is too long.", 0)
	}
	content := wire.AppendTextContent(nil, r.Text)
	i, stored := c.byKey[l.user+" "+string(r.Key)]
	_, follows := c.byKey[l.user+" "+string(r.Predecessor)]
	switch {
	case stored && string(c.chain[i].Content) != string(content):
		return wire.AppendError(nil, r.ID, wire.CodeConflict, "Another text had this key.", 0)
	case !stored && len(r.Predecessor) > 0 && !follows:
		return wire.AppendError(nil, r.ID, wire.CodePredecessorMissing, "Its predecessor is missing.", 0)
	case !stored:
		i = s.store(l, c, r, content)
	}
	m := c.chain[i]
	return wire.AppendSent(nil, r.ID, &wire.Sent{Conversation: m.Conversation, Key: r.Key, ID: m.ID, Index: m.Index, N: m.N, At: m.At})
}

func (s *Server) store(l *link, c *chat, r *wire.Frame, content []byte) int {
	i, n := len(c.chain), uint64(len(c.chain))
	m := wire.Message{Conversation: r.Conversation, Index: n + 1, Pre: n, N: n + 1, From: l.user, Key: string(r.Key), At: s.now, Content: content}
	binary.BigEndian.PutUint64(m.ID[8:], n)
	c.chain = append(c.chain, m)
	c.byKey[l.user+" "+string(r.Key)] = i
	for _, member := range c.members {
		s.push(member, l, m)
	}
	return i
}

func (s *Server) push(member string, from *link, m wire.Message) {
	u := s.user(member)
	pre := uint64(len(u.inbox))
	u.inbox = append(u.inbox, wire.Entry{InboxIndex: pre + 1, InboxPre: pre, Message: m})
	for _, l := range u.links {
		frame := wire.AppendMsgTail(wire.AppendMsgHead(nil, pre+1, pre), &m)
		if l == from {
			frame = wire.AppendOwn(nil, pre+1, pre, m.Conversation, m.Index)
		}
		for range s.pushes() {
			l.write(frame)
		}
	}
}

func (s *Server) history(r *wire.Frame) []byte {
	chain := s.chats[r.Conversation].chain
	if r.HasAfter {
		from := min(int(r.After), len(chain))
		to := min(from+r.Limit, len(chain))
		return wire.AppendMessages(nil, r.ID, r.Conversation, chain[from:to], to < len(chain))
	}
	to := len(chain)
	if r.Before > 0 {
		to = min(to, int(r.Before)-1)
	}
	from := max(0, to-r.Limit)
	return wire.AppendMessages(nil, r.ID, r.Conversation, chain[from:to], from > 0)
}

// list knows one page of one conversation.
func (s *Server) list(l *link, r *wire.Frame) []byte {
	for id, c := range s.chats {
		n := uint64(len(c.chain))
		row := wire.Conversation{ID: id, With: c.members[1], Index: n, N: n, Unread: n, At: s.now}
		if l.user == c.members[1] {
			row.With = c.members[0]
		}
		return wire.AppendConversations(nil, r.ID, []wire.Conversation{row}, "next", 1)
	}
	return wire.AppendConversations(nil, r.ID, nil, "", 1)
}
