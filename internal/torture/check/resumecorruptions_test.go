package check

import "github.com/merchantim/merchantim/internal/torture/trail"

// resumed is the answer to the last hello of a user.
func (w *world) resumed(user string, change func(f *trail.Frame)) {
	w.edit(user, received("welcome"), func(ev *trail.Event) { change(&ev.Frame) })
}

// asked is the last hello of a user.
func (w *world) asked(user string, change func(at *trail.Place)) {
	w.edit(user, func(ev trail.Event) bool { return ev.Kind == trail.Out && ev.Frame.Type == "hello" }, func(ev *trail.Event) {
		at := *ev.Frame.Inbox
		change(&at)
		ev.Frame.Inbox = &at
	})
}

// told is a later heartbeat of a user.
func (w *world) told(user string, change func(at *trail.Place)) {
	at := w.newest(user)
	change(at)
	w.ask(user, trail.Frame{Type: "ping"}, trail.Frame{Type: "pong", Entry: trail.Entry{Inbox: at}})
}

// resumeCorruptions are what a faulty server could say of positions and heads.
var resumeCorruptions = []corruption{
	{"recovered without a position", WrongAnswers, nil, func(w *world) {
		w.edit("dave", func(ev trail.Event) bool { return ev.Kind == trail.Out && ev.Frame.Type == "hello" },
			func(ev *trail.Event) { ev.Frame.Inbox = nil })
	}},
	{"a position of another epoch recovered", WrongAnswers, nil, func(w *world) {
		w.asked("dave", func(at *trail.Place) { at.Epoch = "e0" })
	}},
	{"a position beyond the end recovered", InboxMismatch, nil, func(w *world) {
		w.asked("dave", func(at *trail.Place) { at.Index += 100 })
	}},
	{"other heads recovered", InboxMismatch, nil, func(w *world) {
		w.asked("dave", func(at *trail.Place) { at.Heads += 3 })
	}},
	{"recovered without the last of what was missed", InboxMismatch, nil, func(w *world) {
		w.asked("dave", func(at *trail.Place) { at.Index-- })
	}},
	{"recovered without heads that moved", InboxMismatch, nil, func(w *world) {
		w.resumed("carol", func(f *trail.Frame) { f.Recovered = true })
	}},
	{"recovered since one head left and another moved as far", InboxMismatch, nil, func(w *world) {
		w.state.Lists = map[string][]trail.Row{}
		w.back("carol", w.position("carol"), false)
		w.ask("carol", trail.Frame{Type: "history", After: trail.IndexRef(8), Entry: trail.Entry{Conversation: club}},
			trail.Frame{Type: "messages", Messages: w.state.Chains[club][8:]})
		w.copies["carol"].Messages(club, 8, w.state.Chains[club][8:])
		w.create("dave", "conversation-new", "alice", "bob", "carol") // large, with head 2
		w.drop("carol")
		at := w.position("carol")
		w.change("dave", "conversation-new", nil, []string{"carol"})
		w.say("alice", club, "x4", "x3")
		w.say("alice", club, "x5", "x4")
		w.back("carol", at, true)
		w.finish()
	}},
	{"a heartbeat with an old inbox index", InboxMismatch, nil, func(w *world) {
		w.told("dave", func(at *trail.Place) { at.Index-- })
	}},
	{"a heartbeat with an index that never was", InboxMismatch, nil, func(w *world) {
		w.told("dave", func(at *trail.Place) { at.Index++ })
	}},
	{"a heartbeat with old heads", InboxMismatch, nil, func(w *world) {
		w.told("dave", func(at *trail.Place) { at.Heads-- })
	}},
	{"a heartbeat with heads that never were", InboxMismatch, nil, func(w *world) {
		w.told("dave", func(at *trail.Place) { at.Heads++ })
	}},
	{"a welcome with an old index", InboxMismatch, nil, func(w *world) {
		w.drop("bob")
		at := w.newest("bob")
		at.Index -= 2
		w.tell("bob", trail.Event{Kind: trail.Up})
		w.ask("bob", trail.Frame{Type: "hello"}, trail.Frame{Type: "welcome", User: "bob", Epoch: "e1", Entry: trail.Entry{Inbox: at}})
	}},
	{"an old head", InboxMismatch, nil, func(w *world) {
		w.ask("dave", trail.Frame{Type: "heads"}, trail.Frame{Type: "heads", Heads: []trail.HeadOf{{Conversation: club, Index: 8}}})
	}},
	{"a head that never was", InboxMismatch, nil, func(w *world) {
		w.ask("dave", trail.Frame{Type: "heads"}, trail.Frame{Type: "heads", Heads: []trail.HeadOf{{Conversation: club, Index: 10}}})
	}},
	{"heads that do not add up in the end", InboxMismatch, nil, func(w *world) {
		end := w.state.Ends["bob"]
		end.Pong.Heads--
		w.state.Ends["bob"] = end
	}},
	{"an index behind in the end", InboxMismatch, nil, func(w *world) {
		end := w.state.Ends["bob"]
		end.Pong.Index--
		w.state.Ends["bob"] = end
	}},
	{"a large group not listed in the end", InboxMismatch, nil, func(w *world) {
		end := w.state.Ends["bob"]
		end.Heads = nil
		w.state.Ends["bob"] = end
	}},
	{"not recovered with everything", InboxMismatch, nil, func(w *world) {
		end := w.state.Ends["bob"]
		end.Whole = false
		w.state.Ends["bob"] = end
	}},
}
