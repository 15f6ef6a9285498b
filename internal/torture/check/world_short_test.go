package check

import (
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// signIn lets a user go on by the short link, with what he missed in the answer.
// Nothing is pushed to him there.
func (w *world) signIn(user string, at trail.Place) {
	w.tell(user, trail.Event{Kind: trail.Up})
	w.ask(user, trail.Frame{Type: "hello", Entry: trail.Entry{Inbox: &at}}, trail.Frame{Type: "welcome", HTTP: 200, User: user, Epoch: "e1",
		Recovered: true, Missed: slices.Clone(w.state.Inboxes[user][at.Index:]), Entry: trail.Entry{Inbox: w.newest(user)}})
}

// poll is a long poll after an index.
func (w *world) poll(user string, after int64) {
	in := w.state.Inboxes[user]
	w.ask(user, trail.Frame{Type: "inbox", WaitMS: 1000, After: trail.IndexRef(after)}, trail.Frame{Type: "entries", HTTP: 200,
		Entries: slices.Clone(in[after:]), Newest: int64(len(in)), Entry: trail.Entry{Inbox: w.newest(user)}})
}

// list is two pages of a list since a version: the first has one row.
func (w *world) list(user string, since, version int64, rows []trail.Row) {
	for i, page := range [][]trail.Row{rows[:1], rows[1:]} {
		ask := trail.Frame{Type: "list", Since: since}
		answer := trail.Frame{Type: "conversations", HTTP: 200, Version: version + int64(i), Conversations: slices.Clone(page)}
		if i == 0 {
			answer.Cursor = "rest"
		} else {
			ask.Cursor = "rest"
		}
		w.ask(user, ask, answer)
	}
}

// settle has a user come back, get all that he may lack, and come back with it.
func (w *world) settle(user string) {
	w.drop(user)
	w.connect(user)
	w.pull(user, 0)
	for conv, c := range w.crowds {
		if slices.Contains(c.members, user) {
			first := slices.IndexFunc(w.state.Chains[conv], func(e trail.Entry) bool { return e.Joins(user) })
			w.ask(user, trail.Frame{Type: "history", After: trail.IndexRef(0), Limit: 200, Entry: trail.Entry{Conversation: conv}},
				trail.Frame{Type: "messages", Messages: slices.Clone(w.state.Chains[conv][first:])})
		}
	}
	if rows := w.state.Lists[user]; len(rows) > 0 {
		w.list(user, 3, 8, rows)
	}
	w.tell(user, trail.Event{Kind: trail.Whole})
	w.tell(user, trail.Event{Kind: trail.Down})
	at := *w.newest(user)
	at.Epoch = "e1"
	w.signIn(user, at)
}
