package check

import "github.com/merchantim/merchantim/internal/torture/trail"

// ident names a message as its sender does.
type ident struct{ conv, from, key string }

func (id ident) String() string { return id.from + "/" + id.key + " in " + short(id.conv) }

// place is a place in a chain.
type place struct {
	conv  string
	index int64
}

// book is the final state with its indexes. It is only read once made.
type book struct {
	state     State
	at        map[place]*trail.Entry
	byKey     map[ident][]*trail.Entry
	byMessage map[string]*trail.Entry
	inbox     map[string]map[int64]*trail.Entry // user, inbox index
	groups    map[string]*group
	want      map[string]map[string][]int64 // user, conversation: the entries that belong into his inbox
	turns     map[string][]turn             // by user
}

// turn is a place of a user's inbox with which a group becomes a large one of
// his, or ceases to be.
type turn struct {
	inbox int64
	conv  string
	large bool
}

func newBook(s State) *book {
	b := &book{
		state:     s,
		at:        map[place]*trail.Entry{},
		byKey:     map[ident][]*trail.Entry{},
		byMessage: map[string]*trail.Entry{},
		inbox:     map[string]map[int64]*trail.Entry{},
		groups:    map[string]*group{},
		want:      map[string]map[string][]int64{},
		turns:     map[string][]turn{},
	}
	for conv, entries := range s.Chains {
		b.chain(conv, entries)
	}
	for user, entries := range s.Inboxes {
		places := make(map[int64]*trail.Entry, len(entries))
		for i := range entries {
			if p := entries[i].Inbox; p != nil {
				places[p.Index] = &entries[i]
				b.turn(user, &entries[i])
			}
		}
		b.inbox[user] = places
	}
	return b
}

func (b *book) chain(conv string, entries []trail.Entry) {
	var all []int64
	for i := range entries {
		e := &entries[i]
		all = append(all, e.Index)
		b.at[place{conv, e.Index}] = e
		b.byMessage[e.Message] = e
		if !e.Void() && !e.Own() {
			id := ident{conv, e.From, e.Key}
			b.byKey[id] = append(b.byKey[id], e)
		}
	}
	if pair, direct := b.state.Conversations[conv]; direct {
		for _, user := range pair {
			b.wants(user, conv, all)
		}
		return
	}
	g := newGroup(entries)
	b.groups[conv] = g
	for user, some := range g.inbox {
		b.wants(user, conv, some)
	}
}

func (b *book) wants(user, conv string, entries []int64) {
	if b.want[user] == nil {
		b.want[user] = map[string][]int64{}
	}
	b.want[user][conv] = entries
}

// turn notes what an inbox entry says of its group's size.
func (b *book) turn(user string, e *trail.Entry) {
	g, final := b.groups[e.Conversation], b.at[place{e.Conversation, e.Index}]
	if g == nil || final == nil || !final.Own() {
		return
	}
	now := g.at(e.Index)
	b.turns[user] = append(b.turns[user], turn{e.Inbox.Index, e.Conversation, now.large && now.has(user)})
}

// largeAt are the large groups of a user as of an index of his inbox.
func (b *book) largeAt(user string, inbox int64) map[string]bool {
	large := map[string]bool{}
	for _, t := range b.turns[user] {
		switch {
		case t.inbox > inbox:
			return large
		case t.large:
			large[t.conv] = true
		default:
			delete(large, t.conv)
		}
	}
	return large
}

// newest is the newest index of a chain.
func (b *book) newest(conv string) int64 {
	if c := b.state.Chains[conv]; len(c) > 0 {
		return c[len(c)-1].Index
	}
	return 0
}

func (b *book) sizes() (stored, entries, switches int) {
	for _, c := range b.state.Chains {
		stored += len(c)
	}
	for _, g := range b.groups {
		for i := 1; i < len(g.standings); i++ {
			if g.standings[i].large != g.standings[i-1].large {
				switches++
			}
		}
	}
	for _, in := range b.state.Inboxes {
		entries += len(in)
	}
	return stored, entries, switches
}

// member reports whether a user is in a direct conversation.
func (b *book) member(conv, user string) bool {
	m := b.state.Conversations[conv]
	return user != "" && (m[0] == user || m[1] == user)
}

// sees reports whether a user may read an entry.
func (b *book) sees(user, conv string, index int64) bool {
	if g := b.groups[conv]; g != nil {
		return g.at(index).has(user)
	}
	return b.member(conv, user)
}

// begins reports whether a user's view of a group begins with an entry.
func (b *book) begins(user, conv string, index int64) bool {
	e := b.at[place{conv, index}]
	return e != nil && e.Joins(user)
}

// short is enough of a UUID to find it. Time-ordered ones differ at their end.
func short(id string) string {
	if len(id) <= 12 {
		return id
	}
	return "…" + id[len(id)-12:]
}
