// Package user is the context of users: who they are and, as a mixed chain,
// the ordered inbox that each of them has over all conversations.
package user

import "github.com/merchantim/merchantim/domain"

// Inbox is the head of a user's mixed chain.
type Inbox struct {
	Position domain.Position // the record last applied
	Last     uint64          // newest inbox index; 0: none yet
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
