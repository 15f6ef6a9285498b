package clienttest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// entry is what a chain is to be extended by.
type entry struct {
	from, key    string
	content      []byte
	by           *link // the link that sent it, nil if all see it
	counts       bool
	joined, left []string
	mode         string // of diffusion
}

// extend puts an entry into a chain, and before its members.
func (s *Server) extend(c *chat, id [16]byte, e *entry) {
	index, n := uint64(len(c.chain))+1, uint64(0)
	if index > 1 {
		n = c.chain[index-2].N
	}
	if e.counts {
		n++
	}
	m := wire.Message{Conversation: id, Index: index, Pre: index - 1, N: n, From: e.from, Key: e.key, At: s.now, Content: e.content}
	binary.BigEndian.PutUint64(m.ID[8:], index)
	c.chain = append(c.chain, m)
	for _, name := range e.joined {
		c.members[name] = index
	}
	follow := c.large && e.mode == ""
	if e.mode != "" {
		c.large = e.mode == "read"
	}
	for _, name := range slices.Sorted(maps.Keys(c.members)) {
		if follow && !slices.Contains(e.joined, name) && !slices.Contains(e.left, name) {
			s.tell(name, e, 0, &m)
			continue
		}
		u := s.user(name)
		u.inbox = append(u.inbox, wire.Entry{InboxIndex: uint64(len(u.inbox)) + 1, InboxPre: uint64(len(u.inbox)), Message: m})
		s.tell(name, e, uint64(len(u.inbox)), &m)
	}
	for _, name := range e.left {
		delete(c.members, name)
	}
}

// tell moves a member's row and pushes to his links.
func (s *Server) tell(name string, e *entry, inbox uint64, m *wire.Message) {
	u := s.user(name)
	w := u.rows[m.Conversation]
	if w == nil {
		w = &row{}
		u.rows[m.Conversation] = w
	}
	w.move(name, e, m)
	for _, l := range u.links {
		frame := wire.AppendMsgTail(wire.AppendMsgHead(nil, inbox, max(inbox, 1)-1), m)
		if l == e.by {
			frame = wire.AppendOwn(nil, inbox, max(inbox, 1)-1, m.Conversation, m.Index)
			if !s.ownFirst {
				l.own = append(l.own, frame)
				continue
			}
		}
		s.push(l, frame)
	}
	close(u.news)
	u.news = make(chan struct{})
}

func (s *Server) create(from string, r *wire.Frame) []byte {
	sum := sha256.Sum256([]byte("group " + from + " " + string(r.Key)))
	id := [16]byte(sum[:16])
	if s.chats[id] == nil {
		c := &chat{members: map[string]uint64{}, byKey: map[string]int{}, group: true, title: string(r.Title), owner: from}
		s.chats[id] = c
		members := slices.Compact(slices.Sorted(slices.Values(append(r.Users, from))))
		s.extend(c, id, &entry{from: from, joined: members, content: encode(map[string]any{"type": "created", "title": c.title, "members": members})})
		s.settle(c, id, from)
	}
	return wire.AppendOpened(nil, r.ID, id)
}

func (s *Server) change(from string, c *chat, r *wire.Frame) []byte {
	if !c.group || c.owner != from && (len(r.Users) > 0 || !slices.Equal(r.Remove, []string{from})) {
		return wire.AppendError(nil, r.ID, wire.CodeForbidden, "You may not.", 0)
	}
	e := entry{from: from}
	for _, name := range r.Users {
		if _, is := c.members[name]; !is {
			e.joined = append(e.joined, name)
		}
	}
	for _, name := range r.Remove {
		if _, is := c.members[name]; is {
			e.left = append(e.left, name)
		}
	}
	if len(e.joined)+len(e.left) == 0 {
		return wire.AppendChanged(nil, r.ID, r.Conversation, 0)
	}
	content := map[string]any{"type": "members"}
	if len(e.joined) > 0 {
		content["added"] = e.joined
	}
	if len(e.left) > 0 {
		content["removed"] = e.left
	}
	e.content = encode(content)
	s.extend(c, r.Conversation, &e)
	index := uint64(len(c.chain))
	s.settle(c, r.Conversation, from)
	return wire.AppendChanged(nil, r.ID, r.Conversation, index)
}

// settle switches the diffusion if the size asks for it.
func (s *Server) settle(c *chat, id [16]byte, from string) {
	mode := ""
	switch n := len(c.members); {
	case n > s.large && !c.large:
		mode = "read"
	case 4*n < 3*s.large && c.large:
		mode = "write"
	}
	if mode != "" {
		s.extend(c, id, &entry{from: from, mode: mode, content: encode(map[string]any{"type": "diffusion", "mode": mode})})
	}
}

func encode(content map[string]any) []byte {
	b, err := json.Marshal(content)
	if err != nil {
		panic(err)
	}
	return b
}
