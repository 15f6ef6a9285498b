package chat

import (
	"slices"
	"strings"

	"github.com/merchantim/merchantim/domain"
)

// Form is what a conversation is.
type Form uint8

// The forms. Absent is a conversation that was never made.
const (
	Absent Form = 0
	Direct Form = 1 // of exactly two users, who stay
	Group  Form = 2 // members come and go
)

// Diffusion is how the entries of a conversation reach its members.
type Diffusion uint8

// The diffusions.
const (
	Write Diffusion = 0 // every entry goes into the inbox of every member
	Read  Diffusion = 1 // members follow the head of the chain
)

// Role is what a member may do besides reading and sending.
type Role uint8

// The roles. An owner adds and removes others.
const (
	Plain Role = 0
	Owner Role = 1
)

// String is the role as clients see it.
func (r Role) String() string {
	if r == Owner {
		return "owner"
	}
	return "member"
}

// Member is one member of a conversation.
type Member struct {
	ID    domain.UserID
	Role  Role
	Since uint64 // index of the entry that brought him in; 0: there from the start
}

// Find returns a user's place among members, which are sorted by id.
func Find(members []Member, user domain.UserID) (int, bool) {
	return slices.BinarySearchFunc(members, user, func(m Member, id domain.UserID) int {
		return strings.Compare(string(m.ID), string(id))
	})
}

// Has reports whether the user is a member.
func (h *Head) Has(user domain.UserID) bool {
	_, ok := Find(h.Members, user)
	return ok
}

// Change is what one entry changed of a group: who came, who went, how entries
// reach its members. It is kept, so that a replay finds the members as of any
// index.
type Change struct {
	Index    uint64
	Position domain.Position // of the record that made the entry
	Joined   []Member        // sorted by id
	Left     []Member        // as they were, sorted by id
	Before   Diffusion       // and After: the same unless this entry switched
	After    Diffusion
}

// Undo returns the members as they were before a change.
func (c *Change) Undo(members []Member) []Member {
	return Merge(members, c.Left, c.Joined)
}

// Merge returns members with some put in and others taken out, as a new slice.
// All are sorted by id; whoever is put in replaces a member of his name.
func Merge(members, in, out []Member) []Member {
	merged := make([]Member, 0, len(members)+len(in))
	i := 0
	for _, m := range members {
		for i < len(in) && in[i].ID < m.ID {
			merged = append(merged, in[i])
			i++
		}
		if i < len(in) && in[i].ID == m.ID {
			merged = append(merged, in[i])
			i++
			continue
		}
		if _, gone := Find(out, m.ID); !gone {
			merged = append(merged, m)
		}
	}
	return append(merged, in[i:]...)
}

// sortedIDs returns names in order, each once.
func sortedIDs(ids []domain.UserID) []domain.UserID {
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
