package chat

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/merchantim/merchantim/domain"
)

// Limits of a group, as configured when the request was accepted: the record
// carries them, so that a replay under other settings decides the same.
type Limits struct {
	Members int // at most so many members
	Large   int // above so many, members follow the head
}

// smallShare of Limits.Large is where a large group becomes an ordinary one
// again, well below the size at which it became large: a group whose members
// come and go at the limit does not switch each time.
const smallShare = 0.75

// Creation is the wish for a new group. Its id follows from creator and key
// (GroupID), so that a repeated wish meets the same conversation.
type Creation struct {
	From    domain.UserID
	ID      domain.MessageID // of the first entry
	Title   string
	Members []domain.UserID // besides From
	At      int64           // unix microseconds
	Limits  Limits
}

// Changing is the wish to change the members of a group.
type Changing struct {
	From   domain.UserID
	ID     domain.MessageID // of the first entry
	Add    []domain.UserID
	Remove []domain.UserID
	At     int64 // unix microseconds
	Limits Limits
}

// Step is an entry that a change of members makes.
type Step struct {
	Outcome Outcome
	Body    []byte
	Change  Change
}

// GroupID is the conversation that a user makes under a key of his own.
func GroupID(creator domain.UserID, key []byte) domain.ConversationID {
	sum := sha256.Sum256(append([]byte("group\x00"+string(creator)+"\x00"), key...))
	id := domain.ConversationID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Create makes a group. No steps and no refusal mean that this very group is
// there already.
func (c *Chain) Create(g *Creation, pos domain.Position) ([]Step, *domain.Error) {
	h := &c.Head
	made := g.hash()
	if h.Exists() {
		if h.Form != Group || h.Made != made {
			return nil, domain.Refuse(domain.Conflict, "This key was used for another group.")
		}
		return nil, nil
	}
	ids := sortedIDs(append(slices.Clone(g.Members), g.From))
	if len(ids) > g.Limits.Members {
		return nil, full(g.Limits)
	}
	h.Form, h.Title, h.Made = Group, g.Title, made
	joined := make([]Member, len(ids))
	for i, id := range ids {
		joined[i] = Member{ID: id, Since: h.Last + 1}
		if id == g.From {
			joined[i].Role = Owner
		}
	}
	body := marshal(struct {
		Type    string          `json:"type"`
		Title   string          `json:"title"`
		Members []domain.UserID `json:"members"`
	}{"created", g.Title, ids})
	first := c.change(Entry{ID: g.ID, From: g.From, Kind: Created, At: g.At / 1000}, body, Change{Joined: joined}, pos)
	return c.settle(first, g.Limits, pos), nil
}

func (g *Creation) hash() uint64 {
	sum := sha256.New()
	sum.Write([]byte(g.Title))
	for _, id := range sortedIDs(append(slices.Clone(g.Members), g.From)) {
		sum.Write([]byte{0})
		sum.Write([]byte(id))
	}
	return binary.BigEndian.Uint64(sum.Sum(nil))
}

// Alter changes the members of a group. Who is to be added and is there, or to
// be removed and is not, is passed over; no steps and no refusal mean that
// nothing changed.
func (c *Chain) Alter(ch *Changing, pos domain.Position) ([]Step, *domain.Error) {
	h := &c.Head
	switch i, member := Find(h.Members, ch.From); {
	case !h.Exists():
		return nil, domain.Refuse(domain.NotFound, "There is no such conversation.")
	case !member:
		return nil, domain.Refuse(domain.Forbidden, "You are not a member of this conversation.")
	case h.Form != Group:
		return nil, domain.Refuse(domain.Forbidden, "The members of a direct conversation stay.")
	case h.Members[i].Role != Owner && !ch.leaves():
		return nil, domain.Refuse(domain.Forbidden, "Only an owner changes the members of this group.")
	}
	var joined, left []Member
	for _, id := range sortedIDs(ch.Add) {
		if !h.Has(id) {
			joined = append(joined, Member{ID: id, Since: h.Last + 1})
		}
	}
	for _, id := range sortedIDs(ch.Remove) {
		if i, ok := Find(h.Members, id); ok {
			left = append(left, h.Members[i])
		}
	}
	if len(joined)+len(left) == 0 {
		return nil, nil
	}
	if len(joined) > 0 && len(h.Members)+len(joined)-len(left) > ch.Limits.Members {
		return nil, full(ch.Limits)
	}
	body := marshal(struct {
		Type    string          `json:"type"`
		Added   []domain.UserID `json:"added,omitempty"`
		Removed []domain.UserID `json:"removed,omitempty"`
	}{"members", names(joined), names(left)})
	first := c.change(Entry{ID: ch.ID, From: ch.From, Kind: Members, At: ch.At / 1000}, body, Change{Joined: joined, Left: left}, pos)
	return c.settle(first, ch.Limits, pos), nil
}

// Moves reports whether an entry changed which large groups a user is in, or
// may have.
func (m *Message) Moves(user domain.UserID) bool {
	switch m.Kind {
	case Created, Switched:
		return true
	case Members:
		var who struct{ Added, Removed []domain.UserID }
		return json.Unmarshal(m.Body, &who) != nil ||
			slices.Contains(who.Added, user) || slices.Contains(who.Removed, user)
	}
	return false
}

// leaves reports whether somebody only takes himself out.
func (ch *Changing) leaves() bool {
	return len(ch.Add) == 0 && len(ch.Remove) == 1 && ch.Remove[0] == ch.From
}

// settle adds the entry that switches the diffusion, if the size asks for it.
func (c *Chain) settle(first Step, l Limits, pos domain.Position) []Step {
	h := &c.Head
	to := h.Diffusion
	switch n := len(h.Members); {
	case n > l.Large:
		to = Read
	case float64(n) < smallShare*float64(l.Large):
		to = Write
	}
	if to == h.Diffusion {
		return []Step{first}
	}
	mode := "write"
	if to == Read {
		mode = "read"
	}
	body := marshal(struct {
		Type string `json:"type"`
		Mode string `json:"mode"`
	}{"diffusion", mode})
	e := Entry{ID: first.Outcome.Entry.ID, From: first.Outcome.Entry.From, Kind: Switched, At: first.Outcome.Entry.At}
	e.ID[len(e.ID)-1] ^= 1 // one request, two entries
	return []Step{first, c.change(e, body, Change{After: to}, pos)}
}

// change extends the chain by an entry that changes the group.
func (c *Chain) change(e Entry, body []byte, ch Change, pos domain.Position) Step {
	h := &c.Head
	ch.Before = h.Diffusion
	if e.Kind != Switched {
		ch.After = ch.Before
	}
	h.Members = inherit(Merge(h.Members, ch.Joined, ch.Left))
	h.Diffusion = ch.After
	e.Hash = Hash(e.Kind, body)
	out := c.extend(e, 0, 0, pos)
	ch.Index, ch.Position = out.Entry.Index, pos
	return Step{Outcome: out, Body: body, Change: ch}
}

// inherit makes the member who has been there longest the owner, if none is.
// It changes members, which nobody else has seen yet.
func inherit(members []Member) []Member {
	eldest := -1
	for i, m := range members {
		if m.Role == Owner {
			return members
		}
		if eldest < 0 || m.Since < members[eldest].Since {
			eldest = i
		}
	}
	if eldest >= 0 {
		members[eldest].Role = Owner
	}
	return members
}

func names(members []Member) []domain.UserID {
	ids := make([]domain.UserID, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	return ids
}

func full(l Limits) *domain.Error {
	return domain.Refuse(domain.TooLarge, "A group has at most %d members.", l.Members)
}

// marshal encodes what always can be: strings that were checked.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
