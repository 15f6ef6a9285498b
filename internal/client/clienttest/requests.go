package clienttest

import (
	"bytes"
	"crypto/sha256"

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
	case wire.Create:
		return s.create(l.user, r)
	case wire.Inbox:
		inbox := s.user(l.user).inbox
		from := min(int(r.After), len(inbox))
		to := min(from+min(r.Limit, 7), len(inbox)) // small pages are lawful, too
		return wire.AppendEntries(nil, r.ID, inbox[from:to], uint64(len(inbox)))
	case wire.Heads:
		return s.listHeads(l.user, r)
	case wire.List:
		return s.list(l.user, r)
	case wire.Ping:
		return wire.AppendPong(nil, r.ID, uint64(len(s.user(l.user).inbox)), s.headSum(l.user), s.now)
	}
	c := s.chats[r.Conversation]
	if c == nil {
		return wire.AppendError(nil, r.ID, wire.CodeNotFound, "No such conversation.", 0)
	}
	since, member := c.members[l.user]
	if !member {
		return wire.AppendError(nil, r.ID, wire.CodeForbidden, "You are no member.", 0)
	}
	switch r.Type {
	case wire.Send:
		return s.send(l, c, r)
	case wire.Change:
		return s.change(l.user, c, r)
	case wire.Members:
		return s.listMembers(c, r)
	case wire.History:
		return history(c, since, r)
	default:
		return s.read(l.user, c, r)
	}
}

func (s *Server) user(name string) *user {
	if s.users[name] == nil {
		s.users[name] = &user{rows: map[[16]byte]*row{}, news: make(chan struct{})}
	}
	return s.users[name]
}

// hello welcomes on a long link, with what was missed, or, with no link, on
// the short one.
func (s *Server) hello(l *link, r *wire.Frame) []byte {
	if l.conn != nil {
		l.user = string(r.Token)
		u := s.user(l.user)
		u.links = append(u.links, l)
	}
	w, missed := s.welcome(l.user, r)
	frame := wire.AppendWelcome(nil, r.ID, w)
	for i := range missed {
		e := &missed[i]
		frame = append(frame, '\n')
		frame = wire.AppendMsgTail(wire.AppendMsgHead(frame, e.InboxIndex, e.InboxPre), &e.Message)
	}
	return frame
}

func (s *Server) welcome(name string, r *wire.Frame) (w *wire.Welcome, missed []wire.Entry) {
	u := s.user(name)
	w = &wire.Welcome{
		User: name, Epoch: s.epoch, InboxIndex: uint64(len(u.inbox)), HeadSum: s.headSum(name),
		HeartbeatMS: s.beat.Milliseconds(), MaxTextBytes: 8192, MaxInflight: s.inflight, At: s.now,
	}
	if r.Resumes && r.Epoch == s.epoch && r.HeadSum == w.HeadSum && r.InboxIndex <= w.InboxIndex && w.InboxIndex-r.InboxIndex <= 20 {
		w.Recovered, missed = true, u.inbox[r.InboxIndex:]
	}
	return w, missed
}

func (s *Server) open(a, b string) [16]byte {
	sum := sha256.Sum256([]byte(min(a, b) + " " + max(a, b)))
	id := [16]byte(sum[:16])
	if s.chats[id] == nil {
		s.chats[id] = &chat{members: map[string]uint64{a: 0, b: 0}, byKey: map[string]int{}}
	}
	return id
}

func (s *Server) send(l *link, c *chat, r *wire.Frame) []byte {
	if len(r.Text) > 8192 {
		return wire.AppendError(nil, r.ID, wire.CodeTooLarge, "The text is too long.", 0)
	}
	content := wire.AppendTextContent(nil, r.Text)
	i, stored := c.byKey[l.user+" "+string(r.Key)]
	_, follows := c.byKey[l.user+" "+string(r.Predecessor)]
	switch {
	case stored && !bytes.Equal(c.chain[i].Content, content):
		return wire.AppendError(nil, r.ID, wire.CodeConflict, "Another text had this key.", 0)
	case !stored && len(r.Predecessor) > 0 && !follows:
		return wire.AppendError(nil, r.ID, wire.CodePredecessorMissing, "Its predecessor is missing.", 0)
	case !stored:
		i = len(c.chain)
		c.byKey[l.user+" "+string(r.Key)] = i
		s.extend(c, r.Conversation, &entry{from: l.user, key: string(r.Key), content: content, by: l, counts: true})
	}
	m := c.chain[i]
	return wire.AppendSent(nil, r.ID, &wire.Sent{Conversation: m.Conversation, Key: r.Key, ID: m.ID, Index: m.Index, N: m.N, At: m.At})
}

func history(c *chat, since uint64, r *wire.Frame) []byte {
	first := max(int(since)-1, 0) // place in chain of what the member sees first
	if r.HasAfter {
		from := min(max(int(r.After), first), len(c.chain))
		to := min(from+min(r.Limit, 9), len(c.chain))
		return wire.AppendMessages(nil, r.ID, r.Conversation, c.chain[from:to], to < len(c.chain))
	}
	to := len(c.chain)
	if r.Before > 0 {
		to = max(min(to, int(r.Before)-1), first)
	}
	from := max(first, to-r.Limit)
	return wire.AppendMessages(nil, r.ID, r.Conversation, c.chain[from:to], from > first)
}
