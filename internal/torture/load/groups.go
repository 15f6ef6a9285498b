package load

import (
	"slices"

	"github.com/google/uuid"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// How many groups there are: every so many users found up to so many.
const (
	founderEvery = 3
	maxFoundings = 2
)

// crew is what a client knows of a group that it saw from its beginning. Who
// joined later knows nobody, and is never an owner.
type crew struct {
	creator, keeper string
	members         []string
}

// founding is a group that is asked for until it is there.
type founding struct {
	frame trail.Frame
	asked bool
}

// hello goes on where the client was; now and then it tells nothing, less, more
// than there is, or a position of another numbering.
func (c *client) hello() trail.Frame {
	f := trail.Frame{Type: "hello", Token: c.user.Token, Device: c.device}
	if c.copy.Epoch == "" || c.rng.IntN(10) == 0 {
		return f
	}
	p := c.copy.Position()
	switch c.rng.IntN(16) {
	case 0, 1:
		p.Epoch = uuid.NewString()
	case 2, 3, 4:
		p.Index = max(0, p.Index-c.rng.Int64N(40))
	case 5:
		p.Index += 1 + c.rng.Int64N(3)
	case 6:
		p.Heads = max(0, p.Heads-1)
	}
	f.Inbox = p
	return f
}

// found has a group made of some of the cast, or asks again for one that is.
func (c *client) found() {
	if n := len(c.founded); n > 0 && c.rng.IntN(2) == 0 {
		f := c.founded[c.rng.IntN(n)]
		if c.rng.IntN(2) == 0 {
			f.Title = "another title"
			c.deliberate(trail.Clash, f)
			return
		}
		c.ask(f, question{})
		return
	}
	if c.foundings == 0 {
		return
	}
	c.foundings--
	others := c.some(1+c.rng.IntN(7), nil)
	c.founding = append(c.founding, &founding{frame: trail.Frame{
		Type: "create", Title: "Group " + c.mark(), Members: trail.People(others), Entry: trail.Entry{Key: "group-" + c.mark()},
	}})
}

// some picks up to n others of the cast, whom of does not name.
func (c *client) some(n int, of []string) []string {
	var picked []string
	for range 4 * n {
		name := c.names[c.rng.IntN(len(c.names))]
		if len(picked) < n && name != c.user.Name && !slices.Contains(of, name) && !slices.Contains(picked, name) {
			picked = append(picked, name)
		}
	}
	return picked
}

func (c *client) askFoundings() {
	for _, g := range c.founding {
		if !g.asked {
			g.asked = true
			c.ask(g.frame, question{found: g})
		}
	}
}

// begun takes the answer to a founding.
func (c *client) begun(f trail.Frame, g *founding) {
	c.founding = slices.DeleteFunc(c.founding, func(x *founding) bool { return x == g })
	c.founded = append(c.founded, g.frame)
	c.stats.Groups++
	c.groupLane(f.Conversation)
}

func (c *client) groupLane(conv string) {
	if !slices.ContainsFunc(c.lanes, func(l *lane) bool { return l.conv == conv }) {
		c.lanes = append(c.lanes, &lane{group: true, conv: conv})
	}
}

// learn takes an entry of a group's own.
func (c *client) learn(e trail.Entry) {
	if e.Joins(c.user.Name) {
		c.groupLane(e.Conversation)
	}
	known := c.crews[e.Conversation]
	switch {
	case e.Content.Type == trail.Created && known == nil:
		c.crews[e.Conversation] = &crew{e.From, Keeper(e), slices.Clone(e.Content.Members)}
		c.rooms.Found(e)
	case e.Content.Type == trail.Members && known != nil:
		known.members = slices.DeleteFunc(known.members, func(m string) bool {
			return slices.Contains(e.Content.Removed, m) || slices.Contains(e.Content.Added, m)
		})
		known.members = append(known.members, e.Content.Added...)
	}
}

// reshape changes the members of a group: its owner lets others come and go, to
// and fro across the size at which it is large; the others leave at times, or
// try what only an owner may.
func (c *client) reshape(l *lane) {
	known := c.crews[l.conv]
	me := c.user.Name
	if known == nil || me != known.creator && c.rng.IntN(4) > 0 {
		switch c.rng.IntN(12) {
		case 0, 1:
			if known == nil || known.keeper != me {
				c.change(l, nil, []string{me})
			}
		case 2:
			c.change(l, c.some(1, nil), nil)
		}
		return
	}
	n := len(known.members)
	switch p := c.rng.IntN(40); {
	case p == 0 && known.keeper != me:
		c.change(l, nil, []string{me})
	case p < 4: // who is there already, and who is not
		c.change(l, c.some(2, nil), nil)
	case n < 4+p/10:
		c.change(l, c.some(1+c.rng.IntN(3), known.members), nil)
	default:
		c.change(l, nil, c.goers(known, 1+c.rng.IntN(3)))
	}
}

// goers picks members who are to go.
func (c *client) goers(known *crew, n int) []string {
	var picked []string
	for range 4 * min(n, len(known.members)) {
		name := known.members[c.rng.IntN(len(known.members))]
		if len(picked) < n && name != c.user.Name && name != known.keeper && !slices.Contains(picked, name) {
			picked = append(picked, name)
		}
	}
	return picked
}

func (c *client) change(l *lane, add, remove []string) {
	if len(add)+len(remove) == 0 {
		return
	}
	c.stats.Changes++
	c.ask(trail.Frame{Type: "change", Add: add, Remove: remove, Entry: trail.Entry{Conversation: l.conv}}, question{})
}

// outside tries now and then what only a member may.
func (c *client) outside(l *lane) {
	if c.rng.IntN(30) > 0 {
		return
	}
	switch c.rng.IntN(5) {
	case 0:
		c.history(l)
	case 1:
		c.read(l)
	case 2, 3:
		c.repeat(l) // which even who left may
	default:
		c.change(l, c.some(1, nil), nil)
	}
}
