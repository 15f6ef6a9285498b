package store

import (
	"context"
	"fmt"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/kv"
)

// The members of a group have a value of their own beside the head, written
// only when they change: the head is written at every flush. The two of a
// direct conversation stand in its head.

var membersKey = []byte{keyMembers}

func encodeMembers(h *chat.Head) []byte {
	dst := make([]byte, 0, 32+len(h.Title)+24*len(h.Members))
	dst = append(dst, layout, byte(h.Diffusion))
	dst = enc.U64(enc.Bytes(dst, h.Title), h.Made)
	return appendMembers(dst, h.Members)
}

func appendMembers(dst []byte, members []chat.Member) []byte {
	dst = enc.Uvarint(dst, uint64(len(members)))
	for _, m := range members {
		dst = append(enc.Bytes(dst, m.ID), byte(m.Role))
		dst = enc.Uvarint(dst, m.Since)
	}
	return dst
}

func readMembers(r *enc.Reader) []chat.Member {
	n := r.Count(3)
	if n == 0 {
		return nil
	}
	members := make([]chat.Member, n)
	for i := range members {
		members[i] = chat.Member{ID: domain.UserID(r.Bytes()), Role: chat.Role(r.Byte()), Since: r.Uvarint()}
	}
	return members
}

// openMembers reads all before the list of members into h.
func openMembers(value []byte, h *chat.Head) (enc.Reader, error) {
	r, err := open(value, "members")
	if err != nil {
		return r, err
	}
	h.Diffusion = chat.Diffusion(r.Byte())
	h.Title, h.Made = string(r.Bytes()), r.U64()
	err = r.Err()
	return r, err
}

// loadMembers reads the stored members of a group into its head.
func (c *Chains) loadMembers(ctx context.Context, part []byte, h *chat.Head) error {
	value, err := c.kv.Get(ctx, part, membersKey)
	if err != nil {
		return fmt.Errorf("store: members: %w", err)
	}
	r, err := openMembers(value, h)
	if err != nil {
		return err
	}
	h.Members = readMembers(&r)
	return r.Done()
}

// Roster returns the head of a chain with its members, the zero Head if there
// is none. The slice of members must not be changed.
func (c *Chains) Roster(ctx context.Context, id domain.ConversationID) (chat.Head, error) {
	if h, ok := c.pendingHead(id); ok {
		return h, nil
	}
	h, err := c.Head(ctx, id)
	if err == nil && h.Form == chat.Group {
		err = c.loadMembers(ctx, conversationPartition(id), &h)
	}
	return h, err
}

// Membership looks one user up. The head may lack its members.
func (c *Chains) Membership(ctx context.Context, id domain.ConversationID, user domain.UserID) (h chat.Head, m chat.Member, ok bool, err error) {
	h, pending := c.pendingHead(id)
	if !pending {
		if h, err = c.Head(ctx, id); err != nil {
			return h, m, false, err
		}
	}
	if pending || h.Form != chat.Group {
		i, found := chat.Find(h.Members, user)
		if found {
			m = h.Members[i]
		}
		return h, m, found, nil
	}
	value, err := c.kv.Get(ctx, conversationPartition(id), membersKey)
	if err != nil {
		return h, m, false, fmt.Errorf("store: members: %w", err)
	}
	r, err := openMembers(value, &h)
	if err != nil {
		return h, m, false, err
	}
	for range r.Count(3) { // without a copy of thousands of names
		name, role, since := r.Bytes(), chat.Role(r.Byte()), r.Uvarint()
		if r.Err() == nil && string(name) == string(user) {
			return h, chat.Member{ID: user, Role: role, Since: since}, true, nil
		}
	}
	return h, m, false, r.Err()
}

// pendingHead is the newest head of a chain that has pending changes.
func (c *Chains) pendingHead(id domain.ConversationID) (h chat.Head, ok bool) {
	c.pending.view(id, func(p *pendingChain) bool {
		h, ok = p.head, true
		return false
	})
	return h, ok
}

// Alter keeps the entries that a change of members made, and what they changed.
// All of it is one change of the store: a replay finds all or nothing.
func (c *Chains) Alter(s *ChainState, steps []chat.Step) {
	c.change(s, func(p *pendingChain) { p.alter(steps, s.Head.Members) })
	c.bytes.Add(sizeOf(steps, s.Head.Members))
}

// alter adds the entries of one record, and what they changed of the members,
// who are now these.
func (p *pendingChain) alter(steps []chat.Step, members []chat.Member) {
	for i := range steps {
		p.add(&steps[i].Outcome, steps[i].Body)
		if ch := &steps[i].Change; ch.Index > 0 { // a message has none
			p.changes = append(p.changes, *ch)
			p.reformed = true
		}
	}
	p.size += int(sizeOf(steps, members))
}

func sizeOf(steps []chat.Step, members []chat.Member) int64 {
	size := 0
	for i := range steps {
		ch := &steps[i].Change
		size += len(steps[i].Body) + 64*(len(ch.Joined)+len(ch.Left)) + perEntry
		if ch.Index > 0 && i == 0 {
			size += 64 * len(members)
		}
	}
	return int64(size)
}

func encodeChange(ch *chat.Change) []byte {
	dst := appendPosition([]byte{layout}, ch.Position)
	dst = append(dst, byte(ch.Before), byte(ch.After))
	return appendMembers(appendMembers(dst, ch.Joined), ch.Left)
}

func decodeChange(index uint64, value []byte) (ch chat.Change, err error) {
	r, err := open(value, "change")
	if err != nil {
		return ch, err
	}
	ch.Index, ch.Position = index, readPosition(&r)
	ch.Before, ch.After = chat.Diffusion(r.Byte()), chat.Diffusion(r.Byte())
	ch.Joined, ch.Left = readMembers(&r), readMembers(&r)
	return ch, r.Done()
}

// Changes visits what changed the members of a chain, the newest first, each
// once, until fn returns false.
func (c *Chains) Changes(ctx context.Context, id domain.ConversationID, fn func(*chat.Change) bool) error {
	below, more := uint64(1<<63), true
	var fresh []chat.Change
	c.pending.view(id, func(p *pendingChain) bool {
		for i := len(p.changes) - 1; i >= 0; i-- {
			fresh = append(fresh, p.changes[i])
		}
		return true
	})
	for i := range fresh {
		if below = fresh[i].Index; !fn(&fresh[i]) {
			return nil
		}
	}
	r := kv.Range{From: []byte{keyChange}, To: indexKey(keyChange, below), Reverse: true}
	err := c.kv.Scan(ctx, conversationPartition(id), r, func(key, value []byte) error {
		ch, err := decodeChange(indexOf(key), value)
		if err != nil {
			return err
		}
		if more = fn(&ch); !more {
			return kv.Stop
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: changes: %w", err)
	}
	return nil
}

// AsOf returns the members and the diffusion of a chain as they were with the
// entry at an index, that entry's own change included.
func (c *Chains) AsOf(ctx context.Context, s *ChainState, index uint64) (members []chat.Member, d chat.Diffusion, err error) {
	members, d = s.Head.Members, s.Head.Diffusion
	if s.Head.Form != chat.Group || index >= s.Head.Last {
		return members, d, nil
	}
	err = c.Changes(ctx, s.ID, func(ch *chat.Change) bool {
		if ch.Index <= index {
			return false
		}
		members, d = ch.Undo(members), ch.Before
		return true
	})
	return members, d, err
}
