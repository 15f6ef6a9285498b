package load

import (
	"math/rand/v2"
	"sync"
)

// Rooms are the conversations that all clients have learned of; safe for
// concurrent use.
type Rooms struct {
	mu      sync.Mutex
	ids     []string
	members map[string][2]string
}

// NewRooms is empty.
func NewRooms() *Rooms { return &Rooms{members: map[string][2]string{}} }

// Add notes a conversation. The first to tell decides; the checker compares
// all that were ever told.
func (r *Rooms) Add(conv, a, b string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.members[conv]; !ok {
		r.members[conv] = [2]string{a, b}
		r.ids = append(r.ids, conv)
	}
}

// All returns the members of each conversation.
func (r *Rooms) All() map[string][2]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string][2]string, len(r.members))
	for conv, m := range r.members {
		all[conv] = m
	}
	return all
}

// foreign picks a conversation that user is no member of, empty if none is known.
func (r *Rooms) foreign(rng *rand.Rand, user string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range 8 {
		if len(r.ids) == 0 {
			break
		}
		conv := r.ids[rng.IntN(len(r.ids))]
		if m := r.members[conv]; m[0] != user && m[1] != user {
			return conv
		}
	}
	return ""
}
