// Package keep is what a client keeps of what it is told, as docs/protocol.md
// asks of it: the newest index of the inbox, and for each group of its user the
// newest index without a gap; and with that all entries and rows that it was
// given. The load uses it to know what to ask for; the checker goes over a
// client's trail with it, to know what that client had when it was told that
// nothing was missing, and what it has in the end.
//
// It judges nothing and believes everything: whether what came was right is
// asked of the chains, elsewhere.
package keep

import (
	"maps"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Mode is how the entries of a group come.
type Mode int

// The modes. Who joins a group is not told which it is in: the next entry
// tells, or the answer to heads.
const (
	Unknown Mode = iota
	Write
	Read
)

// Group is a group as its member knows it.
type Group struct {
	In   bool
	Mode Mode
	Have int64 // newest index without a gap
	mark int64 // newest entry that told of the mode
}

// Copy is what one client keeps.
type Copy struct {
	Epoch string
	Inbox int64 // newest index without a gap

	me     string
	groups map[string]Group
	store
}

// New is the empty copy of a user's.
func New(me string) *Copy { return &Copy{me: me, groups: map[string]Group{}, store: newStore()} }

// Clone is a copy of the positions, independent of the copy. What is stored it shares.
func (c *Copy) Clone() *Copy {
	d := *c
	d.groups = maps.Clone(c.groups)
	return &d
}

// Group returns what is known of a conversation, the zero Group if it is none
// of the user's groups.
func (c *Copy) Group(conv string) Group { return c.groups[conv] }

// Sum is the client's own sum of heads.
func (c *Copy) Sum() int64 {
	var sum int64
	for _, g := range c.groups {
		if g.In && g.Mode == Read {
			sum += g.Have
		}
	}
	return sum
}

// Position is what the client tells when it comes back.
func (c *Copy) Position() *trail.Place {
	return &trail.Place{Epoch: c.Epoch, Index: c.Inbox, Heads: c.Sum()}
}

// Missing is what a frame shows to be missing.
type Missing struct {
	Inbox  bool     // pull the inbox
	Heads  bool     // ask for the heads
	Groups []string // pull the history of these
}

// Welcome takes the epoch of a welcome; another one makes everything kept void.
func (c *Copy) Welcome(f trail.Frame) Missing {
	if c.Epoch != f.Epoch {
		*c = *New(c.me)
		c.Epoch = f.Epoch
	}
	if f.Recovered {
		return Missing{} // what was missed follows
	}
	return c.Pong(f)
}

// Pong compares the newest state with what is kept.
func (c *Copy) Pong(f trail.Frame) Missing {
	switch {
	case f.Inbox == nil:
		return Missing{}
	case f.Inbox.Index > c.Inbox:
		return Missing{Inbox: true}
	}
	return Missing{Heads: f.Inbox.Heads > c.Sum()}
}

// Newest takes what a page of the inbox tells of the newest state, once its
// entries are taken: of the heads only, since more pages follow anyway.
func (c *Copy) Newest(f trail.Frame) Missing {
	return Missing{Heads: f.Inbox != nil && f.Inbox.Heads > c.Sum()}
}

// Push takes a msg or an own.
func (c *Copy) Push(f trail.Frame) Missing {
	e := f.Entry
	c.take(e)
	if f.Type == "own" {
		e.Pre = e.Index - 1 // it does not say; if there was none, a page shows it
	}
	switch {
	case e.Inbox == nil:
		return c.follow(e)
	case e.Inbox.Index <= c.Inbox:
		return Missing{}
	case e.Inbox.Pre > c.Inbox:
		return Missing{Inbox: true}
	}
	if c.Apply(e) {
		return Missing{Groups: []string{e.Conversation}}
	}
	return Missing{}
}

// follow takes an entry of a large group.
func (c *Copy) follow(e trail.Entry) Missing {
	g := c.groups[e.Conversation]
	if !g.In {
		return Missing{}
	}
	gap := e.Pre > g.Have
	if !gap {
		g.Have = max(g.Have, e.Index)
	}
	if e.Index > g.mark {
		g.Mode, g.mark = Read, e.Index
	}
	c.groups[e.Conversation] = g
	if gap {
		return Missing{Groups: []string{e.Conversation}}
	}
	return Missing{}
}

// Apply takes the entry after the newest of the inbox, and reports whether
// entries of its group before it are missing that were for this user.
func (c *Copy) Apply(e trail.Entry) bool {
	c.Inbox = e.Inbox.Index
	g, known := c.groups[e.Conversation]
	joins := e.Joins(c.me)
	if !known && !joins {
		return false // not a group
	}
	gap := g.In && e.Pre > g.Have
	switch {
	case joins:
		g.In, g.Mode = true, Unknown
	case e.Leaves(c.me):
		g.In, g.Mode = false, Unknown
	case e.Content != nil && e.Content.Type == trail.Diffusion && e.Content.Mode == "read":
		g.Mode = Read
	default:
		g.Mode = Write
	}
	if !gap || joins {
		g.Have = max(g.Have, e.Index)
	}
	g.mark = e.Index
	c.groups[e.Conversation] = g
	return gap
}

// Entries takes a page of the inbox.
func (c *Copy) Entries(page []trail.Entry) Missing {
	var m Missing
	for _, e := range page {
		c.take(e)
		if e.Inbox != nil && e.Inbox.Pre <= c.Inbox && e.Inbox.Index > c.Inbox && c.Apply(e) {
			m.Groups = append(m.Groups, e.Conversation)
		}
	}
	return m
}

// Messages takes a page of history that was asked for after an index.
func (c *Copy) Messages(conv string, after int64, page []trail.Entry) {
	for _, e := range page {
		c.take(e)
	}
	g, known := c.groups[conv]
	if known && after >= 0 && after <= g.Have && len(page) > 0 {
		g.Have = max(g.Have, page[len(page)-1].Index)
		c.groups[conv] = g
	}
}

// Heads takes the newest indices of the large groups.
func (c *Copy) Heads(heads []trail.HeadOf) Missing {
	var m Missing
	for _, h := range heads {
		g := c.groups[h.Conversation]
		if !g.In {
			continue // joined by an entry that is still to come
		}
		if g.Mode == Unknown {
			g.Mode = Read
			c.groups[h.Conversation] = g
		}
		if h.Index > g.Have {
			m.Groups = append(m.Groups, h.Conversation)
		}
	}
	return m
}
