package keep

import "github.com/merchantim/merchantim/internal/torture/trail"

// Held is an entry as its client holds it. Message is empty for his own, of
// which the link only told the place.
type Held struct {
	Conversation string
	Index        int64
	Message      string
}

// store is all that a client has been given: the entries of its inbox, those of
// each conversation, and the rows of its list.
type store struct {
	inbox  map[int64]Held
	chains map[string]map[int64]string // message
	rows   map[string]trail.Row

	version int64 // of the list; 0: never read to its end
	reading int64 // the version that the first page of the reading under way told
}

func newStore() store {
	return store{inbox: map[int64]Held{}, chains: map[string]map[int64]string{}, rows: map[string]trail.Row{}}
}

// take holds an entry; what is told twice is held as it was first told whole.
func (s *store) take(e trail.Entry) {
	if e.Inbox != nil && (s.inbox[e.Inbox.Index].Message == "") {
		s.inbox[e.Inbox.Index] = Held{e.Conversation, e.Index, e.Message}
	}
	chain := s.chains[e.Conversation]
	if chain == nil {
		chain = map[int64]string{}
		s.chains[e.Conversation] = chain
	}
	if chain[e.Index] == "" {
		chain[e.Index] = e.Message
	}
}

// InboxAt is what is held at a place of the inbox.
func (s *store) InboxAt(index int64) (Held, bool) {
	h, ok := s.inbox[index]
	return h, ok
}

// At is the message that is held at a place of a chain; empty if it is his own
// and only its place was told.
func (s *store) At(conv string, index int64) (message string, ok bool) {
	message, ok = s.chains[conv][index]
	return message, ok
}

// Rows are the rows of the list, in no order.
func (s *store) Rows() map[string]trail.Row { return s.rows }

// Version is that after which the next list is asked for.
func (s *store) Version() int64 { return s.version }

// List takes a page of the list, from its start or since a version. What changes
// while pages are read may be missing from later ones, so the next list is since
// the version that the first page told. A reading that is not of this copy's
// version, or goes on where none began, brings rows but no version. One list at
// a time: rows have no order but that of their coming.
func (s *store) List(ask, f trail.Frame) {
	for _, row := range f.Conversations {
		s.rows[row.Conversation] = row
	}
	switch {
	case ask.Cursor == "" && (ask.Since == 0 || ask.Since == s.version):
		s.reading = f.Version
	case ask.Cursor == "":
		s.reading = 0
	}
	if f.Cursor == "" && s.reading > 0 {
		s.version, s.reading = s.reading, 0
	}
}

// Broken forgets a reading that lost its link.
func (s *store) Broken() { s.reading = 0 }
