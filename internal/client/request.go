package client

import (
	"time"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// request is what a client asks for, whichever link carries it. The fields are
// those of the frame of this type (docs/protocol.md).
type request struct {
	op wire.Type

	conversation, with, key, after, text, title, cursor string
	users, remove                                       []string

	index, since uint64 // index: before, after or read index
	behind       bool   // history: after index, not before it
	limit        int

	// Of an inbox request on the short link: how long the server may wait for
	// something new, and which sum of heads is not new.
	wait  time.Duration
	heads uint64

	// Of the pages of a list that refreshes the store: the version that the
	// store has once the last page came, and the epoch that it belongs to.
	version uint64
	epoch   string
}

// frame is the request as the long link carries it.
func (r *request) frame(id string) []byte {
	switch r.op {
	case wire.Open:
		return wire.AppendOpen(nil, id, r.with)
	case wire.Send:
		return wire.AppendSend(nil, id, r.conversation, r.key, r.after, r.text)
	case wire.Create:
		return wire.AppendCreate(nil, id, r.key, r.title, r.users)
	case wire.Change:
		return wire.AppendChange(nil, id, r.conversation, r.users, r.remove)
	case wire.Members:
		return wire.AppendListMembers(nil, id, r.conversation, r.cursor, r.limit)
	case wire.Heads:
		return wire.AppendListHeads(nil, id)
	case wire.History:
		if r.behind {
			return wire.AppendHistoryAfter(nil, id, r.conversation, r.index, r.limit)
		}
		return wire.AppendHistory(nil, id, r.conversation, r.index, r.limit)
	case wire.Inbox:
		return wire.AppendInbox(nil, id, r.index, r.limit)
	case wire.List:
		return wire.AppendList(nil, id, r.cursor, r.since, r.limit)
	case wire.Read:
		return wire.AppendRead(nil, id, r.conversation, r.index)
	default:
		return wire.AppendPing(nil, id)
	}
}
