// Package conversation is the context of a user's view on his conversations:
// the list and what is unread in it. Sessions of service come to live here.
package conversation

import "github.com/merchantim/merchantim/domain"

// Row is one line of a user's list.
type Row struct {
	With  domain.UserID // the other member of a direct conversation
	Index uint64        // newest index of the conversation
	N     uint64        // its countable messages
	At    int64         // its time, unix milliseconds
	OwnN  uint64        // n of the newest message of this user
	Read  uint64        // index read up to
	ReadN uint64        // n at that index
}

// Touch takes a newer entry of the conversation into the row.
func (r *Row) Touch(index, n uint64, at int64, own bool) {
	r.Index, r.N, r.At = index, n, max(r.At, at)
	if own {
		r.OwnN = n
	}
}

// MarkRead moves the read position forward, even ahead of the newest entry that
// the row has taken so far. It reports whether it moved.
func (r *Row) MarkRead(index, n uint64) bool {
	if index <= r.Read {
		return false
	}
	r.Read, r.ReadN = index, n
	return true
}

// Unread is n(newest) − max(n(read), n(own last message)), not below 0:
// computed, never counted up and down.
func (r *Row) Unread() uint64 {
	seen := max(r.ReadN, r.OwnN)
	return r.N - min(seen, r.N)
}
