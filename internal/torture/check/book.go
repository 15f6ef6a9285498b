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
}

func newBook(s State) *book {
	b := &book{
		state:     s,
		at:        map[place]*trail.Entry{},
		byKey:     map[ident][]*trail.Entry{},
		byMessage: map[string]*trail.Entry{},
		inbox:     map[string]map[int64]*trail.Entry{},
	}
	for conv, entries := range s.Chains {
		for i := range entries {
			e := &entries[i]
			b.at[place{conv, e.Index}] = e
			b.byMessage[e.Message] = e
			if !e.Void() {
				id := ident{conv, e.From, e.Key}
				b.byKey[id] = append(b.byKey[id], e)
			}
		}
	}
	for user, entries := range s.Inboxes {
		places := make(map[int64]*trail.Entry, len(entries))
		for i := range entries {
			if p := entries[i].Inbox; p != nil {
				places[p.Index] = &entries[i]
			}
		}
		b.inbox[user] = places
	}
	return b
}

func (b *book) sizes() (stored, entries int) {
	for _, c := range b.state.Chains {
		stored += len(c)
	}
	for _, in := range b.state.Inboxes {
		entries += len(in)
	}
	return stored, entries
}

func (b *book) member(conv, user string) bool {
	m := b.state.Conversations[conv]
	return user != "" && (m[0] == user || m[1] == user)
}

// short is enough of a UUID to find it. Time-ordered ones differ at their end.
func short(id string) string {
	if len(id) <= 12 {
		return id
	}
	return "…" + id[len(id)-12:]
}
