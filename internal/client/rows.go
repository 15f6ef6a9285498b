package client

import (
	"slices"
	"sort"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// How a row of the list follows from the messages, and from what the server
// listed. It is the newer of both.

// add keeps a message, and drops the oldest beyond a number.
func (c *kept) add(m *Message, me string, keep int) {
	if m.Index <= c.newest {
		return
	}
	c.newest = m.Index
	c.messages = append(c.messages, m.shown())
	if extra := len(c.messages) - keep; extra > keep/4 { // not one by one
		c.messages = slices.Delete(c.messages, 0, extra)
	}
	if m.Index > c.row.Index {
		c.row.Index, c.row.N, c.row.At = m.Index, m.N, m.At.UnixMilli()
		c.change(m, me)
	}
	if m.Kind == KindText && m.From == me {
		c.seen = max(c.seen, m.N)
	}
	if m.Kind == KindText && m.From != me && !c.row.Group {
		c.row.With = m.From
	}
}

// change takes what an entry says of its group.
func (c *kept) change(m *Message, me string) {
	g := m.Change
	if g == nil {
		return
	}
	c.row.Group, c.row.With = true, ""
	if m.Kind == KindCreated {
		c.row.Title = g.Title
	}
	if slices.Contains(g.Members, me) || slices.Contains(g.Added, me) {
		c.row.Left, c.seen = false, max(c.seen, m.N)
	}
	if slices.Contains(g.Removed, me) {
		c.row.Left, c.row.Large = true, false
	}
	if m.Kind == KindDiffusion {
		c.row.Large = g.Mode == ModeRead
	}
}

// list takes a row of the server.
func (c *kept) list(r *wire.Row) {
	c.seen = max(c.seen, r.N-min(r.Unread, r.N))
	read := max(c.row.Read, r.Read)
	if r.Index >= c.row.Index {
		c.row = *r
	} else {
		c.row.Title, c.row.With, c.row.Group = r.Title, r.With, r.Group
	}
	c.row.Read = read
}

// read takes how far the user has read.
func (c *kept) read(index uint64) {
	c.row.Read = max(c.row.Read, index)
	i := sort.Search(len(c.messages), func(i int) bool { return c.messages[i].Index > index })
	if i > 0 {
		c.seen = max(c.seen, c.messages[i-1].N)
	}
}

func (c *kept) shown() wire.Row {
	r := c.row
	r.Unread = r.N - min(c.seen, r.N)
	return r
}
