package user

import (
	"testing"

	"github.com/merchantim/merchantim/domain"
)

func TestExtend(t *testing.T) {
	var inbox Inbox
	conv := domain.DirectID("ann", "bob")
	for _, c := range []struct {
		entry, taken uint64
		want         Item
	}{
		{1, 0, Item{Index: 1, Pre: 0, Conversation: conv, Entry: 1}},
		{1, 1, Item{}}, // taken before
		{2, 1, Item{Index: 2, Pre: 1, Conversation: conv, Entry: 2}},
		{1, 2, Item{}},
		{7, 2, Item{Index: 3, Pre: 2, Conversation: conv, Entry: 7}},
	} {
		got, ok := inbox.Extend(conv, c.entry, c.taken)
		if got != c.want || ok != (c.want != Item{}) {
			t.Errorf("entry %d, taken %d: %+v, %v", c.entry, c.taken, got, ok)
		}
	}
	if inbox.Last != 3 {
		t.Errorf("last is %d", inbox.Last)
	}
}
