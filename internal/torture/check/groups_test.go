package check

import (
	"slices"
	"testing"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

const (
	team = "conversation-team"
	club = "conversation-club"
)

// crowded is a flawless history of groups: members come, go and come again, the
// size is crossed both ways, links resume.
//
// team: 1 created (alice, bob, carol), 2 message, 3 +dave, 4 read, 5–6 messages,
// 7 +erin, 8 message, 9 −bob, 10 message, 11 −dave −erin, 12 write, 13 message,
// 14 +bob, 15 message.
func crowded(t *testing.T) *world {
	w := newWorld(t)
	w.say("alice", ab, "a0", "")
	w.create("alice", team, "bob", "carol")
	w.say("alice", team, "a1", "")
	w.change("alice", team, []string{"dave"}, nil)
	w.say("bob", team, "b1", "")
	w.say("dave", team, "d1", "")
	w.ping("carol")
	w.drop("carol")
	w.back("carol", w.position("carol"), true)
	w.change("alice", team, []string{"erin"}, nil)
	w.say("alice", team, "a2", "a1")
	w.ask("erin", trail.Frame{Type: "heads"}, trail.Frame{Type: "heads", Heads: []trail.HeadOf{{Conversation: team, Index: 8}}})
	w.change("bob", team, nil, []string{"bob"})
	w.say("erin", team, "e1", "")
	w.read("carol", team, 8)
	w.read("dave", team, 6)
	w.change("alice", team, nil, []string{"dave", "erin"})
	w.say("carol", team, "c1", "")
	w.change("alice", team, []string{"bob"}, nil)
	w.say("bob", team, "b2", "")

	// dave misses entries, comes back with his position, and has them all.
	w.create("dave", club, "alice", "bob", "carol") // 1, and large with 2
	w.drop("dave")
	w.say("alice", ab, "a9", "a0")
	w.change("dave", club, nil, []string{"bob", "carol"}) // 3 and small with 4
	w.say("alice", club, "x1", "")
	w.back("dave", trail.Place{Epoch: "e1", Index: int64(len(w.state.Inboxes["dave"]) - 2)}, true)
	w.change("dave", club, []string{"bob", "carol"}, nil) // 6, and large with 7
	w.say("alice", club, "x2", "x1")
	w.drop("carol")
	w.say("alice", club, "x3", "x2")
	w.back("carol", w.position("carol"), false)
	w.ask("bob", trail.Frame{Type: "members", Entry: trail.Entry{Conversation: club}}, trail.Frame{Type: "members", Total: 4, Members: []trail.Person{
		{User: "alice", Role: "member", Since: 1}, {User: "bob", Role: "member", Since: 6},
		{User: "carol", Role: "member", Since: 6}, {User: "dave", Role: "owner", Since: 1}}})
	w.ask("bob", trail.Frame{Type: "history", After: trail.IndexRef(0), Entry: trail.Entry{Conversation: team}},
		trail.Frame{Type: "messages", Messages: slices.Clone(w.state.Chains[team][13:])})
	w.refuse("dave", trail.Frame{Type: "change", Remove: []string{"alice"}, Entry: trail.Entry{Conversation: team}})
	w.refuse("bob", trail.Frame{Type: "change", Add: []string{"dave"}, Entry: trail.Entry{Conversation: team}})
	w.ask("alice", trail.Frame{Type: "change", Add: []string{"bob"}, Entry: trail.Entry{Conversation: team}},
		trail.Frame{Type: "changed", Entry: trail.Entry{Conversation: team}})
	w.finish()
	return w
}

// refuse has a request refused as of one who may not.
func (w *world) refuse(user string, ask trail.Frame) {
	w.ask(user, ask, trail.Frame{Type: "error", Code: "forbidden"})
}

func TestCleanGroups(t *testing.T) {
	w := crowded(t)
	v := w.judge()
	if !v.Clean() {
		t.Fatalf("a flawless history was blamed: %v\n%v", v.Counts, v.Findings)
	}
	if !Settled(w.state) {
		t.Error("it has settled")
	}
	if v.Switches != 5 || v.Refused != 2 {
		t.Errorf("switches %d, refused %d", v.Switches, v.Refused)
	}
}

// A change without an answer may have been made, once.
func TestChangeOutcomeUnknown(t *testing.T) {
	for times, clean := range []bool{true, true, false} {
		w := newWorld(t)
		w.create("alice", team, "bob")
		ask := trail.Frame{Type: "change", ID: w.id(), Add: []string{"carol"}, Entry: trail.Entry{Conversation: team}}
		w.tell("alice", trail.Event{Kind: trail.Out, Frame: ask})
		w.tell("alice", trail.Event{Kind: trail.Down})
		w.connect("alice")
		for i := range times {
			if i > 0 {
				w.change("alice", team, nil, []string{"carol"})
			}
			w.reform("alice", team, trail.Content{Type: trail.Members, Added: []string{"carol"}})
		}
		w.finish()
		if v := w.judge(); v.Clean() != clean {
			t.Errorf("made %d times: clean %v: %v", times, v.Clean(), v.Findings)
		}
	}
}

func TestGroupCorruptions(t *testing.T) {
	for _, c := range append(groupCorruptions, resumeCorruptions...) {
		t.Run(c.name, func(t *testing.T) {
			w := crowded(t)
			c.corrupt(w)
			blamed(t, w.judge(), c.field, c.also)
		})
	}
}
