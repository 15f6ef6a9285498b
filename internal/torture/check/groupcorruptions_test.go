package check

import (
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// insert puts an entry of a chain at the end of an inbox.
func (w *world) insert(user, conv string, index int) {
	e := w.state.Chains[conv][index-1]
	n := int64(len(w.state.Inboxes[user]))
	e.Inbox = &trail.Place{Index: n + 1, Pre: n}
	w.state.Inboxes[user] = append(w.state.Inboxes[user], e)
}

// remove takes an entry of a chain out of an inbox, without a hole.
func (w *world) remove(user, conv string, index int64) {
	in := w.state.Inboxes[user]
	i := slices.IndexFunc(in, func(e trail.Entry) bool { return e.Conversation == conv && e.Index == index })
	in = slices.Delete(slices.Clone(in), i, i+1)
	for j := range in {
		in[j].Inbox = &trail.Place{Index: int64(j + 1), Pre: int64(j)}
	}
	w.state.Inboxes[user] = in
}

// push pushes an entry of a large group to a user.
func (w *world) push(user, conv string, index int) {
	w.tell(user, trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "msg", Entry: w.state.Chains[conv][index-1]}})
}

// last changes the newest entry of a chain's own.
func (w *world) last(conv, kind string, change func(*trail.Entry)) {
	chain := w.state.Chains[conv]
	for i := len(chain) - 1; i >= 0; i-- {
		if chain[i].Content.Type == kind {
			c := *chain[i].Content
			chain[i].Content = &c
			change(&chain[i])
			return
		}
	}
	w.t.Fatal("no such entry")
}

// groupCorruptions are what a faulty server could do to the crowded history.
var groupCorruptions = []corruption{
	{"who came later gets an earlier entry", InboxMismatch, nil, func(w *world) { w.insert("erin", team, 6) }},
	{"who left gets a later entry", InboxMismatch, nil, func(w *world) { w.insert("dave", team, 13) }},
	{"who left and came again gets what was between", InboxMismatch, nil, func(w *world) { w.insert("bob", team, 13) }},
	{"a member lacks an entry", InboxMismatch, nil, func(w *world) { w.remove("carol", team, 2) }},
	{"who leaves is not told", InboxMismatch, nil, func(w *world) { w.remove("bob", team, 9) }},
	{"who joins a large group is not told", InboxMismatch, nil, func(w *world) { w.remove("erin", team, 7) }},
	{"an entry of a large group in an inbox", InboxMismatch, nil, func(w *world) { w.insert("carol", team, 5) }},
	{"a large group's entry pushed to a stranger", InboxMismatch, nil, func(w *world) { w.push("erin", club, 8) }},
	{"a large group's entry pushed to who came later", InboxMismatch, nil, func(w *world) { w.push("erin", team, 6) }},
	{"a large group's entry pushed to who left", InboxMismatch, nil, func(w *world) { w.push("bob", team, 10) }},
	{"a small group's entry pushed without inbox", InboxMismatch, nil, func(w *world) { w.push("alice", team, 13) }},
	{"pushes of a large group out of order", InboxMismatch, []Field{Reordered}, func(w *world) {
		events := w.trails["dave"]
		at := func(index int64) int {
			return slices.IndexFunc(events, func(ev trail.Event) bool {
				return ev.Kind == trail.In && ev.Frame.Conversation == club && ev.Frame.Type == "msg" && ev.Frame.Index == index
			})
		}
		events[at(8)].Frame, events[at(9)].Frame = events[at(9)].Frame, events[at(8)].Frame
	}},
	{"a change that was answered is gone", Lost, []Field{Invented, InboxMismatch, UnreadMismatch, WrongAnswers}, func(w *world) {
		w.last(team, trail.Members, func(e *trail.Entry) { e.Content.Added = []string{"erin"} })
	}},
	{"a change that was answered stands nowhere", Lost, []Field{Reordered, InboxMismatch, Invented, WrongAnswers}, func(w *world) {
		w.edit("alice", func(ev trail.Event) bool {
			return ev.Frame.Type == "changed" && ev.Frame.Index == 3 && ev.Frame.Conversation == team
		},
			func(ev *trail.Event) { ev.Frame.Index = 99 })
	}},
	{"a change said to be none", WrongAnswers, nil, func(w *world) {
		w.ask("alice", trail.Frame{Type: "change", Add: []string{"erin"}, Entry: trail.Entry{Conversation: team}},
			trail.Frame{Type: "changed", Entry: trail.Entry{Conversation: team}})
	}},
	{"a change that nobody asked for", Invented, nil, func(w *world) {
		w.state.Lists = map[string][]trail.Row{}
		w.reform("alice", team, trail.Content{Type: trail.Members, Added: []string{"erin"}})
		w.finish()
	}},
	{"a change by one who is no owner", WrongAnswers, nil, func(w *world) {
		w.state.Lists = map[string][]trail.Row{}
		w.change("carol", team, []string{"erin"}, nil)
		w.finish()
	}},
	{"a message of one who is no member", WrongAnswers, []Field{UnreadMismatch}, func(w *world) {
		w.state.Lists = map[string][]trail.Row{}
		w.say("dave", team, "d9", "d1")
		w.finish()
	}},
	{"a group that nobody asked for", Invented, []Field{InboxMismatch, UnreadMismatch}, func(w *world) {
		w.state.Chains[club+"2"] = []trail.Entry{{Conversation: club + "2", Index: 1, From: "alice", Message: "m",
			Content: &trail.Content{Type: trail.Created, Title: "?", Members: []string{"alice", "bob"}}}}
	}},
	{"a group made twice", Duplicated, []Field{InboxMismatch, UnreadMismatch, WrongAnswers}, func(w *world) {
		e := w.state.Chains[club][0]
		e.Conversation, e.Message = club+"2", "m"
		w.state.Chains[club+"2"] = []trail.Entry{e}
	}},
	{"a group that is gone", Lost, []Field{InboxMismatch, UnreadMismatch, WrongAnswers, Reordered}, func(w *world) { delete(w.state.Chains, club) }},
	{"a group that did not switch", WrongAnswers, []Field{Lost, InboxMismatch, UnreadMismatch, Reordered}, func(w *world) {
		w.state.Chains[club] = w.state.Chains[club][:6]
	}},
	{"a group that switched without cause", WrongAnswers, []Field{InboxMismatch, UnreadMismatch, Invented}, func(w *world) {
		w.last(team, trail.Diffusion, func(e *trail.Entry) { e.Content.Mode = "read" })
	}},
	{"a member refused", WrongAnswers, nil, func(w *world) {
		w.refuse("carol", trail.Frame{Type: "read", Entry: trail.Entry{Conversation: team, Index: 3}})
	}},
	{"an owner refused", WrongAnswers, nil, func(w *world) {
		w.refuse("alice", trail.Frame{Type: "change", Add: []string{"erin"}, Entry: trail.Entry{Conversation: team}})
	}},
	{"who left is refused what has its receipt", WrongAnswers, nil, func(w *world) {
		f := sendFrame(team, "d1", "", "text of d1")
		f.ID = w.id()
		w.tell("dave", trail.Event{Kind: trail.Intent, Expect: trail.Same, Frame: f})
		w.tell("dave", trail.Event{Kind: trail.Out, Frame: f})
		w.tell("dave", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "error", ID: f.ID, Code: "forbidden"}})
	}},
	{"history from before the joining", WrongAnswers, nil, func(w *world) {
		w.ask("bob", trail.Frame{Type: "history", After: trail.IndexRef(11), Entry: trail.Entry{Conversation: team}},
			trail.Frame{Type: "messages", Messages: slices.Clone(w.state.Chains[team][11:])})
	}},
	{"history of an earlier stay", WrongAnswers, nil, func(w *world) {
		w.ask("bob", trail.Frame{Type: "history", Before: 9, Limit: 2, Entry: trail.Entry{Conversation: team}},
			trail.Frame{Type: "messages", More: true, Messages: slices.Clone(w.state.Chains[team][6:8])})
	}},
	{"members as they were not", WrongAnswers, nil, func(w *world) {
		w.edit("bob", received("members"), func(ev *trail.Event) { ev.Frame.Members[0].Role = "owner" })
	}},
	{"who left is shown as in", UnreadMismatch, nil, func(w *world) { w.rowOf("dave", team).Left = false }},
	{"a large group shown as an ordinary one", UnreadMismatch, nil, func(w *world) { w.rowOf("bob", club).Large = false }},
	{"what was before the joining counts as unread", UnreadMismatch, nil, func(w *world) { w.rowOf("carol", club).Unread++ }},
	{"a group without its title", UnreadMismatch, nil, func(w *world) { w.rowOf("bob", club).Title = "" }},
	{"another title for a member", Invented, nil, func(w *world) {
		w.edit("dave", func(ev trail.Event) bool {
			return ev.Kind == trail.In && ev.Frame.Content != nil && ev.Frame.Content.Type == trail.Created
		},
			func(ev *trail.Event) { ev.Frame.Content = &trail.Content{Type: trail.Created, Title: "other"} })
	}},
	{"two groups under one key", WrongAnswers, nil, func(w *world) {
		f := trail.Frame{Type: "create", ID: w.id(), Title: "other", Entry: trail.Entry{Key: club}}
		w.tell("dave", trail.Event{Kind: trail.Intent, Expect: trail.Clash, Frame: f})
		w.tell("dave", trail.Event{Kind: trail.Out, Frame: f})
		w.tell("dave", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "opened", ID: f.ID, Entry: trail.Entry{Conversation: club}}})
	}},
}

func (w *world) rowOf(user, conv string) *trail.Row {
	rows := w.state.Lists[user]
	return &rows[slices.IndexFunc(rows, func(r trail.Row) bool { return r.Conversation == conv })]
}
