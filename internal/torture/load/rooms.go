package load

import (
	"maps"
	"math/rand/v2"
	"sync"

	"github.com/merchantim/merchantim/internal/torture/trail"
)

// Rooms are the conversations that all clients have learned of; safe for
// concurrent use.
type Rooms struct {
	mu      sync.Mutex
	ids     []string
	members map[string][2]string
	groups  map[string]string // keeper of each
}

// NewRooms is empty.
func NewRooms() *Rooms { return &Rooms{members: map[string][2]string{}, groups: map[string]string{}} }

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

// Found notes a group by the entry that made it.
func (r *Rooms) Found(e trail.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.groups[e.Conversation] = Keeper(e)
}

// Groups returns the keeper of each group.
func (r *Rooms) Groups() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.groups)
}

// Keeper is the member who stays in a group as long as it lives, so that there
// is always somebody who sees all of its history: the last by name of those who
// were there from the start, its creator left out. The load never has him go.
func Keeper(created trail.Entry) string {
	keeper := created.From
	for _, name := range created.Content.Members {
		if name != created.From && (keeper == created.From || name > keeper) {
			keeper = name
		}
	}
	return keeper
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
