package store

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"sync/atomic"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/kv"
)

// Inboxes keeps the mixed chains and the rows of the lists, both in their
// user's partition.
type Inboxes struct {
	kv      kv.Store
	pending *pending[domain.UserID, *pendingInbox]
	bytes   *atomic.Int64
}

// InboxState is a user's inbox in the hands of its owner, the goroutine of its
// partition; stored belongs to the lock of the pending shard.
type InboxState struct {
	user.Inbox
	ID     domain.UserID
	rows   map[domain.ConversationID]*conversation.Row
	stored []byte
}

// maxRows of one user stay in an InboxState; more are read again when needed.
const maxRows = 1024

// Size estimates the memory of an inbox at hand in bytes.
func (s *InboxState) Size() int { return 300 + 200*len(s.rows) }

type pendingInbox struct {
	state *InboxState
	head  user.Inbox
	items []user.Item
	rows  map[domain.ConversationID]conversation.Row
	// Set when frozen.
	base, encoded []byte
}

func newInboxes(s kv.Store, bytes *atomic.Int64) *Inboxes {
	seed := maphash.MakeSeed()
	hash := func(id domain.UserID) uint32 { return uint32(maphash.String(seed, string(id))) }
	return &Inboxes{kv: s, pending: newPending(hash, (*pendingInbox).full), bytes: bytes}
}

// What a changed inbox with its batch, a row and an item take, about.
const (
	perInbox = 768
	perRow   = 256
	perItem  = 48
)

// What goes into one batch of an inbox, far below the limits of the port.
const (
	maxPendingRows  = 4_000
	maxPendingItems = 100_000
)

func (p *pendingInbox) full() bool {
	return len(p.rows) >= maxPendingRows || len(p.items) >= maxPendingItems
}

// Load takes a user's inbox up. Only the owner of the user's partition may
// hold an InboxState.
func (b *Inboxes) Load(ctx context.Context, id domain.UserID) (*InboxState, error) {
	var state *InboxState
	b.pending.view(id, func(p *pendingInbox) bool {
		state = p.state
		return false
	})
	if state != nil {
		return state, nil
	}
	state = &InboxState{ID: id, rows: make(map[domain.ConversationID]*conversation.Row)}
	value, err := b.kv.Get(ctx, userPartition(id), headKey)
	if errors.Is(err, kv.ErrNotFound) {
		return state, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: load inbox: %w", err)
	}
	state.stored = value
	state.Inbox, err = decodeInbox(value)
	return state, err
}

// Row returns the owner's copy of a row, an empty one if there is none yet.
// After a change it must be saved.
func (b *Inboxes) Row(ctx context.Context, s *InboxState, id domain.ConversationID) (*conversation.Row, error) {
	if row, ok := s.rows[id]; ok {
		return row, nil
	}
	row, _, err := b.RowOf(ctx, s.ID, id)
	if err != nil {
		return nil, err
	}
	if len(s.rows) >= maxRows {
		clear(s.rows)
	}
	s.rows[id] = &row
	return &row, nil
}

// Save keeps a changed row, the newest head, and a new item unless it is zero.
// The row gets the next revision of the list.
func (b *Inboxes) Save(s *InboxState, id domain.ConversationID, row *conversation.Row, item user.Item) {
	s.Rev++
	row.Rev = s.Rev
	create := func() *pendingInbox {
		b.bytes.Add(perInbox)
		return &pendingInbox{state: s, rows: make(map[domain.ConversationID]conversation.Row, 1)}
	}
	b.pending.change(s.ID, create, func(p *pendingInbox) {
		p.head = s.Inbox
		if _, there := p.rows[id]; !there {
			b.bytes.Add(perRow)
		}
		p.rows[id] = *row
		if item.Index != 0 {
			p.items = append(p.items, item)
		}
	})
	b.bytes.Add(perItem)
}

func (b *Inboxes) freeze() []*pendingInbox {
	return b.pending.freeze(func(p *pendingInbox) {
		p.encoded = encodeInbox(&p.head)
		p.base, p.state.stored = p.state.stored, p.encoded
	})
}

// maxItems of one run of an inbox.
const maxItems = 512

func (p *pendingInbox) batches(dst []kv.Batch) []kv.Batch {
	b := kv.Batch{
		Partition: userPartition(p.state.ID),
		If:        []kv.Cond{{Key: headKey, Value: p.base, Absent: p.base == nil}},
		Ops:       []kv.Op{{Key: headKey, Value: p.encoded}},
	}
	for items := range slices.Chunk(p.items, maxItems) {
		b.Ops = append(b.Ops, kv.Op{Key: indexKey(keyInbox, items[0].Index), Value: encodeItems(items)})
	}
	for id, row := range p.rows {
		b.Ops = append(b.Ops, kv.Op{Key: rowKey(id), Value: encodeRow(&row)})
	}
	return append(dst, b)
}
