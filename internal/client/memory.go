package client

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/merchantim/merchantim/internal/gateway/wire"
)

// Memory keeps a user's chains as long as the process lives. The zero value is
// ready.
type Memory struct {
	// Keep is how many messages of each conversation are kept, the newest ones.
	// 0: 1,000.
	Keep int

	mu     sync.Mutex
	at     Position
	chains map[string]*kept
}

// kept is what is kept of a conversation.
type kept struct {
	messages []wire.Shown // ascending
	newest   uint64
	row      wire.Row
	seen     uint64 // n up to which nothing is unread
}

const defaultKeep = 1000

// Load implements Store.
func (s *Memory) Load() (Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at
	at.Heads = maps.Clone(at.Heads)
	return at, nil
}

// Newest implements Store.
func (s *Memory) Newest(conversation string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.chains[conversation]; c != nil {
		return c.newest
	}
	return 0
}

// Messages implements Store.
func (s *Memory) Messages(conversation string, after uint64, limit int) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chains[conversation]
	if c == nil {
		return nil, nil
	}
	from := sort.Search(len(c.messages), func(i int) bool { return c.messages[i].Index > after })
	var out []Message
	for i := from; i < len(c.messages) && len(out) < limit; i++ {
		out = append(out, messageOf(s.at.Epoch, &c.messages[i]))
	}
	return out, nil
}

// Rows implements Store.
func (s *Memory) Rows() ([]wire.Row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]wire.Row, 0, len(s.chains))
	for _, c := range s.chains {
		if c.row.Index > 0 {
			rows = append(rows, c.shown())
		}
	}
	slices.SortFunc(rows, func(a, b wire.Row) int {
		if a.At != b.At {
			return int(min(max(b.At-a.At, -1), 1))
		}
		return strings.Compare(a.Conversation, b.Conversation)
	})
	return rows, nil
}

// Apply implements Store.
func (s *Memory) Apply(b *Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(b)
	return nil
}

func (s *Memory) apply(b *Batch) {
	if b.Anew || s.chains == nil {
		s.at, s.chains = Position{User: b.User, Epoch: b.Epoch, Heads: make(map[string]uint64)}, make(map[string]*kept)
	}
	s.at.Index = max(s.at.Index, b.Index)
	s.at.Version = max(s.at.Version, b.Version)
	maps.Copy(s.at.Heads, b.Heads)
	for _, conversation := range b.Gone {
		delete(s.at.Heads, conversation)
	}
	for i := range b.Messages {
		m := &b.Messages[i]
		s.chain(m.Conversation).add(m, s.at.User, s.keep())
	}
	for i := range b.Rows {
		s.chain(b.Rows[i].Conversation).list(&b.Rows[i])
	}
	for conversation, index := range b.Reads {
		s.chain(conversation).read(index)
	}
}

func (s *Memory) keep() int {
	if s.Keep > 0 {
		return s.Keep
	}
	return defaultKeep
}

func (s *Memory) chain(conversation string) *kept {
	c := s.chains[conversation]
	if c == nil {
		c = &kept{row: wire.Row{Conversation: conversation}}
		s.chains[conversation] = c
	}
	return c
}
