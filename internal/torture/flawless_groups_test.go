package torture

import (
	"cmp"
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// largeSize is the size above which the flawless server's groups are large.
const largeSize = 4

// crowd is a group of the flawless server, its people by name. gone keeps the
// rows of those who left.
type crowd struct {
	title  string
	asked  []string
	people []trail.Person
	large  bool
	joined map[string]int64     // n with which a user joined
	gone   map[string]trail.Row // of those who left
}

func (g *crowd) names() []string { return trail.Names(g.people) }

func (g *crowd) has(user string) bool { return slices.Contains(g.names(), user) }

func (g *crowd) since(user string) int64 {
	for _, p := range g.people {
		if p.User == user {
			return p.Since
		}
	}
	return 0
}

func (s *flawless) in(user, conv string) bool {
	if g := s.groups[conv]; g != nil {
		return g.has(user)
	}
	pair := s.convs[conv]
	return pair[0] == user || pair[1] == user
}

// newest is what a heartbeat tells.
func (s *flawless) newest(user string) *trail.Place {
	at := &trail.Place{Index: int64(len(s.inbox[user]))}
	for conv, g := range s.groups {
		if g.large && g.has(user) {
			at.Heads += int64(len(s.chains[conv]))
		}
	}
	return at
}

func (s *flawless) create(user string, f trail.Frame, a *trail.Frame) {
	conv := "group of " + user + " " + f.Key
	names := append(trail.Names(f.Members), user)
	slices.Sort(names)
	if g := s.groups[conv]; g != nil {
		if a.Type, a.Conversation = "opened", conv; g.title != f.Title || !slices.Equal(g.asked, names) {
			*a = trail.Frame{Type: "error", ID: a.ID, Code: "conflict"}
		}
		return
	}
	g := &crowd{title: f.Title, asked: names, joined: map[string]int64{}, gone: map[string]trail.Row{}}
	s.groups[conv] = g
	s.reshape(conv, g, trail.Entry{From: user, Content: &trail.Content{Type: trail.Created, Title: f.Title, Members: names}})
	a.Type, a.Conversation = "opened", conv
}

func (s *flawless) change(user string, f trail.Frame, a *trail.Frame) {
	g := s.groups[f.Conversation]
	leaves := len(f.Add) == 0 && slices.Equal(f.Remove, []string{user})
	if g == nil || !g.has(user) || !leaves && !slices.ContainsFunc(g.people, func(p trail.Person) bool { return p.User == user && p.Role == "owner" }) {
		a.Type, a.Code = "error", "forbidden"
		return
	}
	c := trail.Content{Type: trail.Members}
	for _, name := range f.Add {
		if !g.has(name) {
			c.Added = append(c.Added, name)
		}
	}
	for _, name := range f.Remove {
		if g.has(name) {
			c.Removed = append(c.Removed, name)
		}
	}
	a.Type, a.Conversation = "changed", f.Conversation
	if len(c.Added)+len(c.Removed) == 0 {
		return
	}
	slices.Sort(c.Added)
	slices.Sort(c.Removed)
	a.Index = s.reshape(f.Conversation, g, trail.Entry{From: user, Content: &c}).Index
}

// reshape adds an entry of the group's own, and the switch if there has to be
// one, and delivers both.
func (s *flawless) reshape(conv string, g *crowd, e trail.Entry) trail.Entry {
	e = s.extend(conv, e, 0)
	newcomers := append(slices.Clone(e.Content.Members), e.Content.Added...)
	for _, name := range e.Content.Removed {
		g.gone[name] = s.groupRow(name, conv, g, e)
	}
	g.people = slices.DeleteFunc(g.people, func(p trail.Person) bool { return slices.Contains(e.Content.Removed, p.User) })
	stayed := g.names()
	for _, name := range newcomers {
		delete(g.gone, name)
		g.joined[name] = e.N
		role := "member"
		if e.Content.Type == trail.Created && name == e.From {
			role = "owner"
		}
		g.people = append(g.people, trail.Person{User: name, Role: role, Since: e.Index})
	}
	slices.SortFunc(g.people, func(a, b trail.Person) int { return cmp.Compare(a.User, b.User) })
	if !slices.ContainsFunc(g.people, func(p trail.Person) bool { return p.Role == "owner" }) {
		eldest := slices.MinFunc(g.people, func(a, b trail.Person) int { return cmp.Compare(a.Since, b.Since) })
		g.people[slices.Index(g.people, eldest)].Role = "owner"
	}
	s.deliver(nil, e, append(newcomers, e.Content.Removed...), true)
	s.deliver(nil, e, stayed, !g.large)
	switch n := len(g.people); {
	case n > largeSize && !g.large:
		g.large = true
		s.deliver(nil, s.extend(conv, trail.Entry{From: e.From, Content: &trail.Content{Type: trail.Diffusion, Mode: "read"}}, 0), g.names(), true)
	case 4*n < 3*largeSize && g.large:
		g.large = false
		s.deliver(nil, s.extend(conv, trail.Entry{From: e.From, Content: &trail.Content{Type: trail.Diffusion, Mode: "write"}}, 0), g.names(), true)
	}
	return e
}

func (s *flawless) members(user string, f trail.Frame, a *trail.Frame) {
	g := s.groups[f.Conversation]
	if g == nil || !g.has(user) {
		a.Type, a.Code = "error", "forbidden"
		return
	}
	a.Type, a.Total = "members", len(g.people)
	a.Members = g.people[:min(f.Limit, len(g.people))]
}

// groupRow is a user's row of a group that ends with an entry.
func (s *flawless) groupRow(user, conv string, g *crowd, end trail.Entry) trail.Row {
	seen, read := g.joined[user], s.reads[user+" "+conv]
	for _, e := range s.chains[conv] {
		if e.Index <= read || e.From == user && !e.Own() {
			seen = max(seen, e.N)
		}
	}
	return trail.Row{Conversation: conv, Group: true, Title: g.title, Large: g.large, Index: end.Index, N: end.N,
		Read: read, Unread: end.N - min(seen, end.N), At: end.At}
}

func (s *flawless) groupRows(user string) []trail.Row {
	var rows []trail.Row
	for conv, g := range s.groups {
		chain := s.chains[conv]
		if row, left := g.gone[user]; left {
			row.Left, row.Large = true, false
			rows = append(rows, row)
		} else if g.has(user) {
			rows = append(rows, s.groupRow(user, conv, g, chain[len(chain)-1]))
		}
	}
	return rows
}
