// Package user is the context of users: who they are and, as a mixed chain,
// the ordered inbox that each of them has over all conversations.
package user

import (
	"bytes"
	"slices"

	"github.com/merchantim/merchantim/domain"
)

// Inbox is the head of a user's mixed chain.
type Inbox struct {
	Position domain.Position // the record last applied
	Last     uint64          // newest inbox index; 0: none yet
	Rev      uint64          // revision of the list: one more with every change of a row
	// Large are the conversations whose head the user follows, since their
	// entries do not come into the inbox. Sorted, never changed in place.
	Large []domain.ConversationID
}

// Item is one place of a mixed chain: which entry of which conversation.
type Item struct {
	Index        uint64
	Pre          uint64
	Conversation domain.ConversationID
	Entry        uint64 // index in the single chain
}

// Extend gives the next inbox index to an entry of a conversation. taken is the
// newest index already taken from it: what is not above was taken before, and
// is skipped (false).
func (b *Inbox) Extend(conversation domain.ConversationID, entry, taken uint64) (Item, bool) {
	if entry <= taken {
		return Item{}, false
	}
	item := Item{Index: b.Last + 1, Pre: b.Last, Conversation: conversation, Entry: entry}
	b.Last = item.Index
	return item, true
}

// Follow notes whether the user follows the head of a conversation.
func (b *Inbox) Follow(conversation domain.ConversationID, follow bool) {
	at, follows := slices.BinarySearchFunc(b.Large, conversation, func(a, c domain.ConversationID) int {
		return bytes.Compare(a[:], c[:])
	})
	switch {
	case follow && !follows:
		b.Large = slices.Insert(slices.Clone(b.Large), at, conversation)
	case !follow && follows:
		b.Large = slices.Delete(slices.Clone(b.Large), at, at+1)
	}
}
