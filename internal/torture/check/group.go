package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// member is somebody in a group.
type member struct {
	user  string
	owner bool
	since int64 // index of the entry that brought him in
}

// standing is how a group stands from an entry of its own on, until the next.
type standing struct {
	index   int64
	members []member // by name
	large   bool
}

func (s standing) find(user string) (member, bool) {
	i, ok := slices.BinarySearchFunc(s.members, user, func(m member, name string) int { return strings.Compare(m.user, name) })
	if !ok {
		return member{}, false
	}
	return s.members[i], true
}

func (s standing) has(user string) bool { _, ok := s.find(user); return ok }

// group is the chain of a group, taken apart by the protocol's rules.
type group struct {
	first     trail.Entry
	last      int64
	standings []standing
	inbox     map[string][]int64 // by user: the entries that go into his inbox
}

func newGroup(chain []trail.Entry) *group {
	g := &group{inbox: map[string][]int64{}}
	var now standing
	for i := range chain {
		e := &chain[i]
		if i == 0 {
			g.first = *e
		}
		g.last = e.Index
		before := now
		if e.Own() {
			now = now.after(e)
			g.standings = append(g.standings, now)
		}
		for _, user := range receivers(e, before, now) {
			g.inbox[user] = append(g.inbox[user], e.Index)
		}
	}
	return g
}

// receivers are those into whose inbox an entry goes: the members, of a large
// group those who come or go; the switches go to all.
func receivers(e *trail.Entry, before, now standing) []string {
	var users []string
	for _, m := range now.members {
		if !now.large || !before.large || e.Joins(m.user) {
			users = append(users, m.user)
		}
	}
	for _, m := range before.members {
		if !now.has(m.user) {
			users = append(users, m.user)
		}
	}
	return users
}

// after is the standing with an entry of the group's own.
func (s standing) after(e *trail.Entry) standing {
	next := standing{index: e.Index, large: s.large, members: slices.Clone(s.members)}
	switch c := e.Content; c.Type {
	case trail.Diffusion:
		next.large = c.Mode == "read"
		return next
	case trail.Created:
		for _, user := range c.Members {
			next.members = append(next.members, member{user, user == e.From, e.Index})
		}
	case trail.Members:
		next.members = slices.DeleteFunc(next.members, func(m member) bool { return slices.Contains(c.Removed, m.user) })
		for _, user := range c.Added {
			if !s.has(user) {
				next.members = append(next.members, member{user, false, e.Index})
			}
		}
	}
	slices.SortFunc(next.members, func(a, b member) int { return strings.Compare(a.user, b.user) })
	next.inherit()
	return next
}

// inherit makes the member who has been there longest the owner, if none is.
func (s *standing) inherit() {
	if len(s.members) == 0 || slices.ContainsFunc(s.members, func(m member) bool { return m.owner }) {
		return
	}
	eldest := 0
	for i, m := range s.members {
		if m.since < s.members[eldest].since {
			eldest = i
		}
	}
	s.members[eldest].owner = true
}

// at is the group with the entry at an index.
func (g *group) at(index int64) standing {
	i, ok := slices.BinarySearchFunc(g.standings, index, func(s standing, index int64) int { return cmp.Compare(s.index, index) })
	switch {
	case ok:
		return g.standings[i]
	case i == 0:
		return standing{}
	}
	return g.standings[i-1]
}

// between are the standings that there were while the chain's newest index went
// from lo to hi.
func (g *group) between(lo, hi int64) []standing {
	var out []standing
	for i, s := range g.standings {
		if s.index > hi {
			break
		}
		if i+1 == len(g.standings) || g.standings[i+1].index > lo {
			out = append(out, s)
		}
	}
	return out
}

// follows reports whether an entry is pushed to a user without an inbox: the
// group is large before and after it, and he was in it before and is still.
func (g *group) follows(user string, index int64) bool {
	before, now := g.at(index-1), g.at(index)
	m, ok := now.find(user)
	return ok && m.since < index && before.large && now.large
}

// seat is a user's last stay in a group; left is the entry that ended it, 0 if
// he is still there.
func (g *group) stay(user string) (joined, left int64, ever bool) {
	was := false
	for _, s := range g.standings {
		m, is := s.find(user)
		switch {
		case is:
			joined, left, ever = m.since, 0, true
		case was:
			left = s.index
		}
		was = is
	}
	return joined, left, ever
}
