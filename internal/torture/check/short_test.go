package check

import (
	"slices"
	"testing"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// changing is a flawless history in which bob goes on by the short link, in the
// middle of a repetition and of the server's refusing work, and in which in the
// end everybody gets all that he lacks.
func changing(t *testing.T) *world {
	w := newWorld(t)
	w.say("alice", ab, "a1", "")
	w.create("alice", team, "bob", "carol")
	w.change("alice", team, []string{"dave"}, nil)

	// The answer to b1 is lost with the long link; the short one gives it.
	at := w.position("bob")
	b1 := w.intend("bob", sendFrame(ab, "b1", "", "text of b1"))
	w.drop("bob")
	e := w.store("bob", b1)
	w.say("alice", ab, "a2", "a1")
	w.say("alice", team, "t1", "")
	at.Heads = w.newest("bob").Heads // false on purpose: what he lacks of the team he gets in the end
	w.signIn("bob", at)
	w.again("bob", b1, e)

	// b2 is refused for load and stored all the same, b3 is refused with it.
	b2 := w.intend("bob", sendFrame(ab, "b2", "b1", "text of b2"))
	e2 := w.store("bob", b2)
	b3 := w.intend("bob", sendFrame(ab, "b3", "b2", "text of b3"))
	for _, f := range []trail.Frame{b2, b3} {
		w.tell("bob", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "error", ID: f.ID, Code: "overloaded", HTTP: 429, Retry: true, RetryMS: 5}})
	}
	w.again("bob", b2, e2)
	w.again("bob", b3, w.store("bob", b3))
	w.poll("bob", at.Index)
	w.read("bob", ab, 2)
	w.list("bob", 0, 3, []trail.Row{{Conversation: ab, With: "alice", Index: 5, N: 5}, {Conversation: team, Group: true, Index: 3, Unread: 0}})
	w.say("alice", ab, "a3", "a2")
	w.say("alice", ab, "a4", "a3")
	w.poll("bob", int64(len(w.state.Inboxes["bob"])-2))
	w.drop("alice")
	w.say("carol", ac, "c1", "")
	w.finish()
	for _, user := range everybody {
		w.settle(user)
	}
	return w
}

// again sends a message once more, on the short link, and has its receipt.
func (w *world) again(user string, f trail.Frame, e trail.Entry) {
	f.ID = w.id()
	w.tell(user, trail.Event{Kind: trail.Out, Frame: f})
	receipt := receiptOf(f.ID, e)
	receipt.HTTP = 200
	w.tell(user, trail.Event{Kind: trail.In, Frame: receipt})
}

func TestCleanChangeOfLinks(t *testing.T) {
	if v := changing(t).judge(); !v.Clean() {
		t.Fatalf("a flawless history was blamed: %v\n%v", v.Counts, v.Findings)
	}
}

// polled is an answer of the inbox on the short link with some entries.
func polled(ev trail.Event) bool {
	return received("entries")(ev) && ev.Frame.Inbox != nil && len(ev.Frame.Entries) > 1
}

func missed(ev trail.Event) bool { return received("welcome")(ev) && len(ev.Frame.Missed) > 0 }

// never takes a request and its answer out of a trail.
func (w *world) never(user string, asked func(trail.Frame) bool) {
	w.t.Helper()
	i := slices.IndexFunc(w.trails[user], func(ev trail.Event) bool { return ev.Kind == trail.Out && asked(ev.Frame) })
	if i < 0 {
		w.t.Fatal("nothing to take out")
	}
	w.trails[user] = slices.Delete(w.trails[user], i, i+2)
}

// shortCorruptions are what a faulty server could do on the short link, in lists
// since a version, and to what clients keep.
var shortCorruptions = []corruption{
	{"taken again for new on the other link", Duplicated, []Field{InboxMismatch, UnreadMismatch}, func(w *world) {
		w.store("bob", sendFrame(ab, "b1~", "", "text of b1"))
	}},
	{"another place for it on the other link", Reordered, nil, func(w *world) {
		w.edit("bob", func(ev trail.Event) bool { return received("sent")(ev) && ev.Frame.Key == "b1" }, func(ev *trail.Event) { ev.Frame.Index++ })
	}},
	{"acked after a refusal for load, and gone", Lost, nil, func(w *world) {
		f := w.intend("bob", sendFrame(ab, "b9", "b3", "text of b9"))
		w.tell("bob", trail.Event{Kind: trail.In, Frame: trail.Frame{Type: "error", ID: f.ID, Code: "overloaded", HTTP: 429, Retry: true}})
		w.again("bob", f, trail.Entry{Conversation: ab, Key: "b9", Message: "m", Index: 8, N: 8})
	}},
	{"out of order after a refusal for load", Reordered, []Field{InboxMismatch}, func(w *world) {
		c := w.state.Chains[ab]
		i := slices.IndexFunc(c, func(e trail.Entry) bool { return e.Key == "b2" })
		c[i].Key, c[i+1].Key = c[i+1].Key, c[i].Key
		c[i].Message, c[i+1].Message = c[i+1].Message, c[i].Message
		c[i].Content, c[i+1].Content = c[i+1].Content, c[i].Content
	}},
	{"a refusal for load that is final", WrongAnswers, nil, func(w *world) {
		w.edit("bob", received("error"), func(ev *trail.Event) { ev.Frame.Retry = false })
	}},
	{"a refusal with the status of another", WrongAnswers, nil, func(w *world) {
		w.edit("bob", received("error"), func(ev *trail.Event) { ev.Frame.HTTP = 500 })
	}},
	{"an answer with the status of a refusal", WrongAnswers, nil, func(w *world) {
		w.edit("bob", received("sent"), func(ev *trail.Event) { ev.Frame.HTTP = 404 })
	}},
	{"a poll without its first entry", InboxMismatch, nil, func(w *world) {
		w.edit("bob", polled, func(ev *trail.Event) { ev.Frame.Entries = ev.Frame.Entries[1:] })
	}},
	{"a poll that tells an old index", InboxMismatch, nil, func(w *world) {
		w.edit("bob", polled, func(ev *trail.Event) { ev.Frame.Inbox = &trail.Place{Index: 2, Heads: ev.Frame.Inbox.Heads} })
	}},
	{"a poll that tells an index that never was", InboxMismatch, nil, func(w *world) {
		w.edit("bob", polled, func(ev *trail.Event) { ev.Frame.Inbox = &trail.Place{Index: 200, Heads: ev.Frame.Inbox.Heads} })
	}},
	{"a poll with heads that never were", InboxMismatch, nil, func(w *world) {
		w.edit("bob", polled, func(ev *trail.Event) {
			ev.Frame.Inbox = &trail.Place{Index: ev.Frame.Inbox.Index, Heads: ev.Frame.Inbox.Heads + 1}
		})
	}},
	{"signed in without the first of what was missed", InboxMismatch, nil, func(w *world) {
		w.edit("bob", missed, func(ev *trail.Event) { ev.Frame.Missed = ev.Frame.Missed[1:] })
	}},
	{"signed in without the last of what was missed", InboxMismatch, nil, func(w *world) {
		w.edit("bob", missed, func(ev *trail.Event) { ev.Frame.Missed = ev.Frame.Missed[:1] })
	}},
	{"a later list without a row", UnreadMismatch, nil, func(w *world) {
		w.edit("bob", received("conversations"), func(ev *trail.Event) { ev.Frame.Conversations = nil })
	}},
	{"a later list with an old read position", UnreadMismatch, nil, func(w *world) {
		w.edit("bob", received("conversations"), func(ev *trail.Event) { ev.Frame.Conversations[0].Read = 1 })
	}},
	{"a list since a version with a row of nobody's", UnreadMismatch, nil, func(w *world) {
		w.edit("bob", received("conversations"), func(ev *trail.Event) {
			ev.Frame.Conversations = append(ev.Frame.Conversations, trail.Row{Conversation: ac, With: "carol"})
		})
	}},
	{"a group's entries that never reached a client", InboxMismatch, nil, func(w *world) {
		w.never("bob", func(f trail.Frame) bool { return f.Type == "history" })
	}},
	{"a group's last entry that never reached a client", InboxMismatch, []Field{WrongAnswers}, func(w *world) {
		w.edit("bob", received("messages"), func(ev *trail.Event) { ev.Frame.Messages = ev.Frame.Messages[:len(ev.Frame.Messages)-1] })
	}},
	{"the end of an inbox that never reached a client", InboxMismatch, nil, func(w *world) {
		w.never("alice", func(f trail.Frame) bool { return f.Type == "inbox" })
	}},
	{"not recovered with all that there is", InboxMismatch, nil, func(w *world) {
		w.edit("bob", received("welcome"), func(ev *trail.Event) { ev.Frame.Recovered = false })
	}},
}

func TestShortCorruptions(t *testing.T) {
	for _, c := range shortCorruptions {
		t.Run(c.name, func(t *testing.T) {
			w := changing(t)
			c.corrupt(w)
			blamed(t, w.judge(), c.field, c.also)
		})
	}
}
