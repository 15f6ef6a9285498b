package client

import "github.com/merchantim/merchantim/internal/gateway/wire"

// Store keeps what one user on one device has received, so that the next
// process goes on where the last one stopped. One client at a time uses it; its
// methods may be called concurrently with the client's own calls.
type Store interface {
	// Load returns the position kept, the zero one if there is none.
	Load() (Position, error)
	// Apply makes a change, wholly or not at all. It does not keep the batch,
	// but may keep its messages.
	Apply(*Batch) error
	// Newest returns the newest index that was kept of a conversation, also if
	// that message is kept no more; 0: none. It is asked often, and answers
	// from memory.
	Newest(conversation string) uint64
	// Messages returns up to limit kept messages of a conversation after an
	// index, ascending.
	Messages(conversation string, after uint64, limit int) ([]Message, error)
	// Rows returns the list of conversations, newest first.
	Rows() ([]wire.Row, error)
}

// Position is how far a user's chains were taken: his inbox up to Index, and
// each large group up to the index in Heads. It means nothing for another user
// or under another epoch.
type Position struct {
	User  string
	Epoch string
	Index uint64
	Heads map[string]uint64
	// Version is that of the list of conversations, as of the last Refresh.
	Version uint64
}

// Batch is one change of a store. What is zero stays as it was.
type Batch struct {
	// Anew drops all that is kept: it is of another user or epoch. User and
	// Epoch come with it, and hold from then on.
	Anew  bool   `json:"anew,omitempty"`
	User  string `json:"user,omitempty"`
	Epoch string `json:"epoch,omitempty"`

	Index   uint64            `json:"index,omitempty"` // of the inbox
	Heads   map[string]uint64 `json:"heads,omitempty"` // of these large groups
	Gone    []string          `json:"gone,omitempty"`  // these are large groups of the user no more
	Version uint64            `json:"version,omitempty"`

	Messages []Message         `json:"-"`               // newer in each conversation than all before, ascending
	Rows     []wire.Row        `json:"rows,omitempty"`  // as the server listed them
	Reads    map[string]uint64 `json:"reads,omitempty"` // indices up to which the user has read
}

func (b *Batch) empty() bool {
	return !b.Anew && b.Index == 0 && len(b.Heads) == 0 && len(b.Gone) == 0 && b.Version == 0 &&
		len(b.Messages) == 0 && len(b.Rows) == 0 && len(b.Reads) == 0
}
