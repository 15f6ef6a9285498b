package check

import (
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// largeSize is the size above which the world's groups are large: with four
// members they are, with two no longer.
const largeSize = 3

var everybody = []string{"alice", "bob", "carol", "dave", "erin"}

// crowd is a group of the world.
type crowd struct {
	title   string
	members []string
	large   bool
	joined  map[string]int64     // n
	gone    map[string]trail.Row // of those who left
}

// newest is what a heartbeat tells.
func (w *world) newest(user string) *trail.Place {
	at := &trail.Place{Index: int64(len(w.state.Inboxes[user]))}
	for conv, c := range w.crowds {
		if c.large && slices.Contains(c.members, user) {
			at.Heads += int64(len(w.state.Chains[conv]))
		}
	}
	return at
}

func (w *world) ping(user string) {
	w.ask(user, trail.Frame{Type: "ping"}, trail.Frame{Type: "pong", Entry: trail.Entry{Inbox: w.newest(user)}})
}

// create has a user make a group; conv is its id and its key.
func (w *world) create(user, conv string, others ...string) {
	names := append(slices.Clone(others), user)
	slices.Sort(names)
	c := &crowd{title: "title of " + conv, joined: map[string]int64{}, gone: map[string]trail.Row{}}
	w.crowds[conv], w.state.Groups[conv] = c, others[0]
	ask := trail.Frame{Type: "create", ID: w.id(), Title: c.title, Members: trail.People(others), Entry: trail.Entry{Key: conv}}
	w.tell(user, trail.Event{Kind: trail.Out, Frame: ask})
	w.reform(user, conv, trail.Content{Type: trail.Created, Title: c.title, Members: names})
	w.tell(user, trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "opened", ID: ask.ID, Entry: trail.Entry{Conversation: conv}}})
}

// change has a user change the members of a group, and returns the entry's index.
func (w *world) change(user, conv string, add, remove []string) int64 {
	ask := trail.Frame{Type: "change", ID: w.id(), Add: add, Remove: remove, Entry: trail.Entry{Conversation: conv}}
	w.tell(user, trail.Event{Kind: trail.Out, Frame: ask})
	e := w.reform(user, conv, trail.Content{Type: trail.Members, Added: add, Removed: remove})
	w.tell(user, trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "changed", ID: ask.ID, Entry: trail.Entry{Conversation: conv, Index: e.Index}}})
	return e.Index
}

// reform adds an entry of the group's own and the switch that follows from it.
func (w *world) reform(user, conv string, content trail.Content) trail.Entry {
	c := w.crowds[conv]
	e := w.place(trail.Entry{Conversation: conv, From: user, Content: &content}, 0)
	come := append(slices.Clone(content.Members), content.Added...)
	for _, name := range content.Removed {
		c.gone[name] = w.groupRow(name, conv, e)
	}
	stay := slices.DeleteFunc(slices.Clone(c.members), func(m string) bool { return slices.Contains(content.Removed, m) })
	c.members = append(slices.Clone(stay), come...)
	slices.Sort(c.members)
	for _, name := range come {
		delete(c.gone, name)
		c.joined[name] = e.N
	}
	w.deliver(e, "", append(come, content.Removed...), true)
	w.deliver(e, "", stay, !c.large)
	mode := ""
	switch n := len(c.members); {
	case n > largeSize && !c.large:
		mode = "read"
	case 4*n < 3*largeSize && c.large:
		mode = "write"
	}
	if mode != "" {
		c.large = mode == "read"
		w.deliver(w.place(trail.Entry{Conversation: conv, From: user, Content: &trail.Content{Type: trail.Diffusion, Mode: mode}}, 0),
			"", c.members, true)
	}
	return e
}

// drop breaks a user's link; what comes then is not pushed.
func (w *world) drop(user string) {
	w.tell(user, trail.Event{Kind: trail.Down})
	w.offline[user] = true
}

// back lets a user come back with a position, and is told so: recovered with
// what was missed if told is true.
func (w *world) back(user string, at trail.Place, told bool) {
	w.offline[user] = false
	w.tell(user, trail.Event{Kind: trail.Up})
	w.ask(user, trail.Frame{Type: "hello", Entry: trail.Entry{Inbox: &at}},
		trail.Frame{Type: "welcome", User: user, Epoch: "e1", Recovered: told, Entry: trail.Entry{Inbox: w.newest(user)}})
	if told {
		for _, e := range w.state.Inboxes[user][at.Index:] {
			push := trail.Frame{Type: "msg", Entry: e}
			w.tell(user, trail.Event{Kind: trail.In, Frame: push})
			w.copies[user].Push(push)
		}
	}
	w.ping(user)
}

// position is what a user may truly tell.
func (w *world) position(user string) trail.Place {
	at := *w.copies[user].Position()
	at.Epoch = "e1"
	return at
}

// groupRow is a user's row of a group that ends with an entry.
func (w *world) groupRow(user, conv string, end trail.Entry) trail.Row {
	c := w.crowds[conv]
	read := w.reads[seat{user, conv}]
	seen := max(c.joined[user], countUpTo(w.state.Chains[conv], read))
	for _, e := range w.state.Chains[conv] {
		if e.From == user && !e.Own() {
			seen = max(seen, e.N)
		}
	}
	return trail.Row{Conversation: conv, Group: true, Title: c.title, Large: c.large, Index: end.Index, N: end.N,
		Read: read, Unread: end.N - min(seen, end.N), At: end.At}
}

func (w *world) finishGroups() {
	for conv, c := range w.crowds {
		chain := w.state.Chains[conv]
		for _, user := range everybody {
			if row, left := c.gone[user]; left {
				row.Left, row.Large = true, false
				w.state.Lists[user] = append(w.state.Lists[user], row)
			} else if slices.Contains(c.members, user) {
				w.state.Lists[user] = append(w.state.Lists[user], w.groupRow(user, conv, chain[len(chain)-1]))
			}
		}
	}
	for _, user := range everybody {
		end := End{Pong: *w.newest(user), Behind: true, Whole: true}
		for conv, c := range w.crowds {
			if c.large && slices.Contains(c.members, user) {
				end.Heads = append(end.Heads, trail.HeadOf{Conversation: conv, Index: int64(len(w.state.Chains[conv]))})
			}
		}
		w.state.Ends[user] = end
	}
}
