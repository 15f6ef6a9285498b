package keep

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// What is told is held, whether it closes a gap or not; own entries by their
// place alone, until a page tells the rest. Another numbering makes it void.
func TestStore(t *testing.T) {
	c := New("me")
	c.Welcome(trail.Frame{Epoch: "one"})
	c.Push(trail.Frame{Type: "own", Entry: trail.Entry{Inbox: &trail.Place{Index: 1}, Conversation: conv, Index: 1}})
	c.Push(trail.Frame{Type: "msg", Entry: trail.Entry{Inbox: &trail.Place{Index: 3, Pre: 2}, Conversation: conv, Index: 3, Message: "m3"}})
	if h, ok := c.InboxAt(1); !ok || h.Message != "" {
		t.Errorf("own: %+v %v", h, ok)
	}
	if c.Inbox != 1 {
		t.Errorf("a gap was passed over: %d", c.Inbox)
	}
	c.Entries([]trail.Entry{
		{Inbox: &trail.Place{Index: 1}, Conversation: conv, Index: 1, Message: "m1"},
		{Inbox: &trail.Place{Index: 2, Pre: 1}, Conversation: conv, Index: 2, Message: "m2"},
	})
	c.Messages("other", 0, []trail.Entry{{Conversation: "other", Index: 7, Message: "o7"}})
	for i, want := range []string{"m1", "m2", "m3"} {
		h, _ := c.InboxAt(int64(i + 1))
		if diff := cmp.Diff(Held{conv, int64(i + 1), want}, h); diff != "" {
			t.Error(diff)
		}
		if m, _ := c.At(conv, int64(i+1)); m != want {
			t.Errorf("index %d: %q", i+1, m)
		}
	}
	if m, ok := c.At("other", 7); m != "o7" || !ok {
		t.Errorf("a page of history: %q %v", m, ok)
	}
	c.Welcome(trail.Frame{Epoch: "two"})
	if _, ok := c.InboxAt(1); ok {
		t.Error("kept of another numbering")
	}
}

// The version is that of the first page of a list that was read to its end.
func TestListVersion(t *testing.T) {
	page := func(version, unread int64, cursor string) trail.Frame {
		return trail.Frame{Version: version, Cursor: cursor, Conversations: []trail.Row{{Conversation: conv, Unread: unread}}}
	}
	all, more := trail.Frame{}, trail.Frame{Cursor: "x"}
	for name, step := range map[string]struct {
		do      func(c *Copy)
		version int64
	}{
		"one page":           {func(c *Copy) { c.List(all, page(5, 1, "")) }, 5},
		"two pages":          {func(c *Copy) { c.List(all, page(5, 1, "x")); c.List(more, page(7, 2, "")) }, 5},
		"not to its end":     {func(c *Copy) { c.List(all, page(5, 1, "x")) }, 0},
		"its link broken":    {func(c *Copy) { c.List(all, page(5, 1, "x")); c.Broken(); c.List(more, page(7, 2, "")) }, 0},
		"since its version":  {func(c *Copy) { c.List(all, page(5, 1, "")); c.List(trail.Frame{Since: 5}, page(9, 2, "")) }, 9},
		"since another one":  {func(c *Copy) { c.List(all, page(5, 1, "")); c.List(trail.Frame{Since: 7}, page(9, 2, "")) }, 5},
		"begun, then anew":   {func(c *Copy) { c.List(all, page(5, 1, "x")); c.List(all, page(6, 2, "")) }, 6},
		"an end of no start": {func(c *Copy) { c.List(more, page(6, 2, "")) }, 0},
	} {
		c := New("me")
		step.do(c)
		if c.Version() != step.version {
			t.Errorf("%s: version %d, want %d", name, c.Version(), step.version)
		}
		if len(c.Rows()) != 1 {
			t.Errorf("%s: %d rows", name, len(c.Rows()))
		}
	}
}
