package check

import (
	"slices"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// corruption is what a faulty server could do to a history, with the field that
// names it. also: fields that it must touch as well.
type corruption struct {
	name    string
	field   Field
	also    []Field
	corrupt func(w *world)
}

// corruptions are those of the busy history.
var corruptions = []corruption{
	{"the newest acked message is gone", Lost, []Field{InboxMismatch, UnreadMismatch, WrongAnswers}, func(w *world) {
		w.state.Chains[ab] = w.state.Chains[ab][:len(w.state.Chains[ab])-1]
	}},
	{"its receipt alone tells of it", Lost, nil, func(w *world) {
		f := w.intend("carol", sendFrame(ac, "c3", "", "text of c3"))
		w.tell("carol", trail.Event{Kind: trail.In, Frame: receiptOf(f.ID, trail.Entry{Conversation: ac, Key: "c3", Message: "m", Index: 2, N: 2})})
	}},
	{"a pushed message is gone", Lost, []Field{InboxMismatch}, func(w *world) {
		w.tell("carol", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "msg", Entry: trail.Entry{Inbox: &trail.Place{Index: 2, Pre: 1},
			Conversation: ac, Index: 2, Pre: 1, N: 2, Message: "m9", From: "alice", Key: "a9", Content: &trail.Content{Type: "text", Text: "x"}}}})
	}},
	{"an index means another message", Lost, []Field{InboxMismatch}, func(w *world) {
		w.state.Chains[ab][2].Message = "m-other"
	}},
	{"stored twice", Duplicated, []Field{InboxMismatch}, func(w *world) {
		f := w.intend("carol", sendFrame(ac, "c3", "", "text of c3"))
		w.store("carol", f)
		e := w.store("carol", f)
		w.state.Chains[ac][2].Message = e.Message + "'"
		w.state.Lists = map[string][]trail.Row{}
		w.finish()
		w.trails["alice"] = drop(w.trails["alice"], 2)
		w.trails["carol"] = drop(w.trails["carol"], 2)
	}},
	{"stored again under a key of its own", Duplicated, nil, func(w *world) {
		w.state.Lists = map[string][]trail.Row{}
		f := sendFrame(ac, "c1~", "", "text of c1")
		w.store("carol", f)
		w.finish()
	}},
	{"neighbours swapped", Reordered, []Field{InboxMismatch, UnreadMismatch}, func(w *world) {
		c := w.state.Chains[ab]
		c[3], c[4] = c[4], c[3]
		c[3].Index, c[3].Pre, c[3].N = 4, 3, 4
		c[4].Index, c[4].Pre, c[4].N = 5, 4, 5
	}},
	{"a receipt with a wrong index", Reordered, nil, func(w *world) {
		w.edit("alice", received("sent"), func(ev *trail.Event) { ev.Frame.Index-- })
	}},
	{"a receipt with a wrong n", Reordered, nil, func(w *world) {
		w.edit("alice", received("sent"), func(ev *trail.Event) { ev.Frame.N++ })
	}},
	{"a chain with a wrong pre", Reordered, []Field{InboxMismatch, WrongAnswers}, func(w *world) {
		w.state.Chains[ab][3].Pre = 2
	}},
	{"a chain with a hole in n", Reordered, []Field{UnreadMismatch}, func(w *world) {
		for i := 4; i < len(w.state.Chains[ab]); i++ {
			w.state.Chains[ab][i].N++
		}
	}},
	{"stored without its predecessor", Reordered, nil, func(w *world) {
		w.state.Lists = map[string][]trail.Row{}
		f := w.intend("carol", sendFrame(ac, "c3", "c2", "text of c3"))
		e := w.store("carol", f)
		w.tell("carol", trail.Event{Kind: trail.In, Frame: receiptOf(f.ID, e)})
		w.finish()
	}},
	{"a message before one that was known when it was sent", Reordered, nil, func(w *world) {
		w.edit("bob", func(ev trail.Event) bool { return ev.Kind == trail.Intent && ev.Frame.Key == "b1" },
			func(ev *trail.Event) { ev.T = w.clock })
	}},
	{"an inbox entry missing", InboxMismatch, nil, func(w *world) {
		in := w.state.Inboxes["carol"]
		w.state.Inboxes["carol"] = in[:len(in)-1]
	}},
	{"an inbox entry twice", InboxMismatch, nil, func(w *world) {
		in := w.state.Inboxes["bob"]
		again := in[2]
		again.Inbox = &trail.Place{Index: int64(len(in) + 1), Pre: int64(len(in))}
		w.state.Inboxes["bob"] = append(in, again)
	}},
	{"inbox entries swapped", InboxMismatch, nil, func(w *world) {
		in := w.state.Inboxes["bob"]
		in[1], in[2] = in[2], in[1]
		in[1].Inbox, in[2].Inbox = in[2].Inbox, in[1].Inbox
	}},
	{"somebody else's entry in an inbox", InboxMismatch, nil, func(w *world) {
		e := w.state.Chains[ac][0]
		n := int64(len(w.state.Inboxes["bob"]))
		e.Inbox = &trail.Place{Index: n + 1, Pre: n}
		w.state.Inboxes["bob"] = append(w.state.Inboxes["bob"], e)
	}},
	{"an inbox with a wrong pre", InboxMismatch, nil, func(w *world) {
		w.state.Inboxes["bob"][3].Inbox = &trail.Place{Index: 4, Pre: 2}
	}},
	{"an inbox entry with another text", InboxMismatch, []Field{Invented}, func(w *world) {
		w.state.Inboxes["carol"][0].Content = &trail.Content{Type: "text", Text: "other"}
	}},
	{"a push that told another place", InboxMismatch, nil, func(w *world) {
		w.edit("bob", received("msg"), func(ev *trail.Event) {
			ev.Frame.Inbox = &trail.Place{Index: ev.Frame.Inbox.Index - 1, Pre: ev.Frame.Inbox.Pre - 1}
		})
	}},
	{"a push left out on a link", InboxMismatch, nil, func(w *world) {
		events := w.trails["bob"]
		i := slices.IndexFunc(events, received("msg"))
		w.trails["bob"] = slices.Delete(events, i, i+1)
	}},
	{"own for a message of another", InboxMismatch, nil, func(w *world) {
		w.edit("carol", received("own"), func(ev *trail.Event) { ev.Frame.Conversation = ab })
	}},
	{"unread one too many", UnreadMismatch, nil, func(w *world) { w.state.Lists["bob"][0].Unread++ }},
	{"an answered read forgotten", UnreadMismatch, nil, func(w *world) {
		r := slices.IndexFunc(w.state.Lists["alice"], func(r trail.Row) bool { return r.Conversation == ac })
		w.state.Lists["alice"][r].Read, w.state.Lists["alice"][r].Unread = 0, 1
	}},
	{"a row missing", UnreadMismatch, nil, func(w *world) { w.state.Lists["carol"] = nil }},
	{"a row twice", UnreadMismatch, nil, func(w *world) {
		w.state.Lists["carol"] = append(w.state.Lists["carol"], w.state.Lists["carol"][0])
	}},
	{"a list upside down", UnreadMismatch, nil, func(w *world) { slices.Reverse(w.state.Lists["alice"]) }},
	{"a row behind its chain", UnreadMismatch, nil, func(w *world) {
		w.state.Lists["bob"][0].Index--
		w.state.Lists["bob"][0].N--
	}},
	{"a row shown that never was", UnreadMismatch, nil, func(w *world) {
		w.ask("bob", trail.Frame{Type: "list"}, trail.Frame{Type: "conversations", Conversations: []trail.Row{{Conversation: ab, Index: 3, N: 2}}})
	}},
	{"a message that nobody meant", Invented, []Field{InboxMismatch, UnreadMismatch}, func(w *world) {
		c := w.state.Chains[ac]
		w.state.Chains[ac] = append(c, trail.Entry{Conversation: ac, Index: 2, Pre: 1, N: 2, Message: "m", From: "carol", Key: "zz", Content: &trail.Content{Type: "text", Text: "boo"}})
	}},
	{"a message with another text", Invented, []Field{InboxMismatch}, func(w *world) {
		w.state.Chains[ab][0].Content = &trail.Content{Type: "text", Text: "other"}
	}},
	{"a text changed on its way to one client", Invented, nil, func(w *world) {
		w.edit("bob", received("msg"), func(ev *trail.Event) { ev.Frame.Content = &trail.Content{Type: "text", Text: "garbled"} })
	}},
	{"a conflict taken", WrongAnswers, []Field{Lost}, func(w *world) {
		w.mistake("carol", trail.Clash, trail.Frame{Type: "sent", Entry: trail.Entry{Conversation: ac, Key: "bad-conflict", Index: 2, N: 2, Message: "m"}})
	}},
	{"a foreign conversation with the wrong code", WrongAnswers, nil, func(w *world) {
		w.mistake("carol", trail.Foreign, trail.Frame{Type: "error", Code: "internal"})
	}},
	{"a good message refused", WrongAnswers, nil, func(w *world) {
		f := w.intend("carol", sendFrame(ac, "c3", "c1", "text of c3"))
		w.tell("carol", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "error", ID: f.ID, Code: "predecessor_missing"}})
	}},
	{"unavailable without retry", WrongAnswers, nil, func(w *world) {
		w.mistake("carol", "unavailable", trail.Frame{Type: "error", Code: "unavailable"})
	}},
	{"a page with a hole", WrongAnswers, nil, func(w *world) {
		w.edit("alice", received("messages"), func(ev *trail.Event) { ev.Frame.Messages = slices.Delete(ev.Frame.Messages, 1, 2) })
	}},
	{"a page out of date", WrongAnswers, nil, func(w *world) {
		w.edit("alice", received("messages"), func(ev *trail.Event) { ev.Frame.Messages = ev.Frame.Messages[:2] })
	}},
	{"a page that hides that there is more", WrongAnswers, nil, func(w *world) {
		w.edit("alice", received("messages"), func(ev *trail.Event) { ev.Frame.More = false })
	}},
	{"another epoch", WrongAnswers, nil, func(w *world) {
		w.edit("bob", received("welcome"), func(ev *trail.Event) { ev.Frame.Epoch = "e0" })
	}},
	{"a parked record", WrongAnswers, []Field{Lost, Invented, InboxMismatch, UnreadMismatch, Reordered}, func(w *world) {
		w.state.Chains[ac][0].Content = &trail.Content{Type: "void"}
	}},
	{"an answer to nothing", WrongAnswers, nil, func(w *world) {
		w.tell("bob", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "done", ID: "nothing"}})
	}},
	{"a frame that is none", WrongAnswers, nil, func(w *world) { w.tell("bob", trail.Event{Kind: trail.Bad, Note: "{"}) }},
	{"a link closed for a fault of the client", WrongAnswers, nil, func(w *world) { w.tell("bob", trail.Event{Kind: trail.Down, Code: 4400}) }},
	{"one pair, two conversations", WrongAnswers, nil, func(w *world) {
		w.ask("bob", trail.Frame{Type: "open", With: "alice"}, trail.Frame{Type: "opened", Entry: trail.Entry{Conversation: "conversation-xx"}})
	}},
}

func drop(events []trail.Event, n int) []trail.Event { return events[:len(events)-n] }
