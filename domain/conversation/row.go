// Package conversation is the context of a user's view on his conversations:
// the list and what is unread in it. Sessions of service come to live here.
package conversation

import "github.com/merchantim/merchantim/domain"

// Row is one line of a user's list.
type Row struct {
	With  domain.UserID // the other member of a direct conversation
	Group bool
	Title string // of a group
	Left  bool   // the user is no longer a member; the row stays as it was
	// Large: members follow the chain's head, so Index, N and At are those of
	// the last entry that came into the inbox, and the reader looks at the head.
	Large bool
	Index uint64 // newest index of the conversation
	N     uint64 // its countable messages
	At    int64  // its time, unix milliseconds
	OwnN  uint64 // n of the newest message of this user
	Read  uint64 // index read up to
	ReadN uint64 // n at that index
	JoinN uint64 // n when the user joined
	Rev   uint64 // revision of the list in which the row changed last
}

// Touch takes a newer entry of the conversation into the row.
func (r *Row) Touch(index, n uint64, at int64, own bool) {
	r.Index, r.N, r.At = index, n, max(r.At, at)
	if own {
		r.Sent(n)
	}
}

// Sent takes a message of the user himself: with it he has read all before.
func (r *Row) Sent(n uint64) { r.OwnN = max(r.OwnN, n) }

// Join begins membership: what was said before is not unread.
func (r *Row) Join(n uint64) { r.Left, r.JoinN = false, n }

// Leave ends membership.
func (r *Row) Leave() { r.Left, r.Large = true, false }

// Follow brings a large conversation's row up to its head.
func (r *Row) Follow(index, n uint64, at int64) {
	if index > r.Index {
		r.Index, r.N, r.At = index, n, max(r.At, at)
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

// Unread is n(newest) − max(n(read), n(own last message), n(joined)), not below
// 0: computed, never counted up and down.
func (r *Row) Unread() uint64 {
	seen := max(r.ReadN, r.OwnN, r.JoinN)
	return r.N - min(seen, r.N)
}
