package keep

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

const conv = "group"

func told(inbox, index int64, c trail.Content) trail.Frame {
	e := trail.Entry{Conversation: conv, Index: index, Pre: index - 1, Content: &c}
	if inbox > 0 {
		e.Inbox = &trail.Place{Index: inbox, Pre: inbox - 1}
	}
	return trail.Frame{Type: "msg", Entry: e}
}

var (
	text    = trail.Content{Type: "text", Text: "x"}
	created = trail.Content{Type: trail.Created, Members: []string{"bob", "me"}}
	grown   = trail.Content{Type: trail.Diffusion, Mode: "read"}
	shrunk  = trail.Content{Type: trail.Diffusion, Mode: "write"}
	gone    = trail.Content{Type: trail.Members, Removed: []string{"me"}}
	back    = trail.Content{Type: trail.Members, Added: []string{"me"}}
)

// A group's life as a member sees it, and what he keeps and lacks after each frame.
func TestGroup(t *testing.T) {
	c := New("me")
	pull := Missing{Groups: []string{conv}}
	for i, step := range []struct {
		frame   trail.Frame
		missing Missing
		sum     int64
		inbox   int64
	}{
		{told(1, 1, created), Missing{}, 0, 1},
		{told(2, 2, text), Missing{}, 0, 2},
		{told(2, 2, text), Missing{}, 0, 2},             // again
		{told(4, 4, grown), Missing{Inbox: true}, 0, 2}, // 3 is missing
		{told(3, 3, text), Missing{}, 0, 3},
		{told(4, 4, grown), Missing{}, 4, 4},
		{told(0, 5, text), Missing{}, 5, 4},
		{told(0, 7, text), pull, 5, 4}, // 6 is missing
		{told(5, 8, shrunk), pull, 0, 5},
		{told(6, 9, gone), pull, 0, 6},
		{told(0, 10, text), Missing{}, 0, 6}, // too late, not for him
		{told(7, 20, back), Missing{}, 0, 7}, // in which mode is not said
		{told(0, 21, text), Missing{}, 21, 7},
		{trail.Frame{Type: "own", Entry: trail.Entry{Conversation: conv, Index: 22}}, Missing{}, 22, 7},
		{trail.Frame{Type: "own", Entry: trail.Entry{Conversation: conv, Index: 24}}, pull, 22, 7},
	} {
		got := c.Push(step.frame)
		if diff := cmp.Diff(step.missing, got); diff != "" {
			t.Fatalf("step %d: %s", i, diff)
		}
		if c.Sum() != step.sum || c.Inbox != step.inbox {
			t.Fatalf("step %d: sum %d, inbox %d", i, c.Sum(), c.Inbox)
		}
	}
	before := c.Clone()
	c.Messages(conv, 23, []trail.Entry{{Index: 24}})
	if c.Sum() != 22 {
		t.Error("a page from beyond a gap closed it")
	}
	c.Messages(conv, 22, []trail.Entry{{Index: 23}, {Index: 24}})
	if c.Sum() != 24 || before.Sum() != 22 {
		t.Errorf("sum %d, of the clone %d", c.Sum(), before.Sum())
	}
}

// Who joins a large group learns from heads that it is one.
func TestHeadsTell(t *testing.T) {
	c := New("me")
	c.Welcome(trail.Frame{Type: "welcome", Epoch: "e"})
	c.Push(told(1, 20, back))
	pong := trail.Frame{Type: "pong", Entry: trail.Entry{Inbox: &trail.Place{Index: 1, Heads: 22}}}
	if got := c.Pong(pong); !got.Heads || got.Inbox {
		t.Fatalf("got %+v", got)
	}
	got := c.Heads([]trail.HeadOf{{Conversation: "unheard", Index: 9}, {Conversation: conv, Index: 22}})
	if diff := cmp.Diff(Missing{Groups: []string{conv}}, got); diff != "" {
		t.Fatal(diff)
	}
	c.Messages(conv, c.Group(conv).Have, []trail.Entry{{Index: 21}, {Index: 22}})
	if got := c.Pong(pong); got.Heads || got.Inbox {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff(&trail.Place{Epoch: "e", Index: 1, Heads: 22}, c.Position()); diff != "" {
		t.Error(diff)
	}
}

// Another epoch makes everything kept void; a recovered welcome leaves nothing to ask.
func TestWelcome(t *testing.T) {
	c := New("me")
	at := trail.Entry{Inbox: &trail.Place{Index: 3}}
	if got := c.Welcome(trail.Frame{Epoch: "e", Entry: at}); !got.Inbox {
		t.Errorf("got %+v", got)
	}
	if got := c.Welcome(trail.Frame{Epoch: "e", Recovered: true, Entry: at}); got.Inbox {
		t.Errorf("got %+v", got)
	}
	got := c.Entries([]trail.Entry{told(1, 1, created).Entry, told(2, 2, grown).Entry, told(4, 3, text).Entry})
	if c.Inbox != 2 || c.Sum() != 2 || len(got.Groups) > 0 {
		t.Errorf("inbox %d, sum %d, %+v", c.Inbox, c.Sum(), got)
	}
	if c.Welcome(trail.Frame{Epoch: "f", Entry: at}); c.Inbox != 0 || c.Sum() != 0 {
		t.Errorf("inbox %d, sum %d of another numbering", c.Inbox, c.Sum())
	}
}
