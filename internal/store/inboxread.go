package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/kv"
)

// Head is the head of a user's inbox. Its Large must not be changed.
func (b *Inboxes) Head(ctx context.Context, id domain.UserID) (head user.Inbox, err error) {
	found := false
	b.pending.view(id, func(p *pendingInbox) bool {
		head, found = p.head, true
		return false
	})
	if found {
		return head, nil
	}
	value, err := b.kv.Get(ctx, userPartition(id), headKey)
	if errors.Is(err, kv.ErrNotFound) {
		return head, nil
	}
	if err != nil {
		return head, fmt.Errorf("store: inbox: %w", err)
	}
	return decodeInbox(value)
}

// lookTwice is how often a page with a gap is read again. A gap arises when,
// between the look at pending state and the one at the store, what was pending
// by then was written, and more behind it.
const lookTwice = 3

// Items reads up to limit items with an index above index, ascending and without
// a gap.
func (b *Inboxes) Items(ctx context.Context, id domain.UserID, index uint64, limit int) (items []user.Item, err error) {
	for range lookTwice {
		items, err = b.items(ctx, id, index, limit)
		if err != nil || len(items) == 0 || items[len(items)-1].Index == index+uint64(len(items)) {
			break
		}
	}
	return items, err
}

func (b *Inboxes) items(ctx context.Context, id domain.UserID, index uint64, limit int) ([]user.Item, error) {
	var fresh []user.Item // pending, newer generation first
	b.pending.view(id, func(p *pendingInbox) bool {
		above := sort.Search(len(p.items), func(i int) bool { return p.items[i].Index > index })
		fresh = append(slices.Clone(p.items[above:min(above+limit, len(p.items))]), fresh...)
		return true
	})
	part := userPartition(id)
	from := indexKey(keyInbox, index+1)
	// The run that holds index+1 may begin before it.
	err := b.kv.Scan(ctx, part, kv.Range{From: []byte{keyInbox}, To: from, Reverse: true, Limit: 1},
		func(key, _ []byte) error { from = slices.Clone(key); return nil })
	if err != nil {
		return nil, fmt.Errorf("store: inbox: %w", err)
	}
	var items []user.Item
	err = b.kv.Scan(ctx, part, kv.Range{From: from, To: []byte{keyInbox + 1}}, func(key, value []byte) error {
		run, err := decodeItems(indexOf(key), value)
		if err != nil {
			return err
		}
		for _, it := range run {
			if it.Index > index && len(items) < limit {
				items = append(items, it)
			}
		}
		if len(items) == limit {
			return kv.Stop
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: inbox: %w", err)
	}
	newest := index
	if len(items) > 0 {
		newest = items[len(items)-1].Index
	}
	for _, it := range fresh {
		if it.Index > newest && len(items) < limit {
			items = append(items, it)
		}
	}
	return items, nil
}

func indexOf(key []byte) (index uint64) {
	for _, c := range key[1:] {
		index = index<<8 | uint64(c)
	}
	return index
}

// RowOf reads one row; false if there is none.
func (b *Inboxes) RowOf(ctx context.Context, id domain.UserID, conv domain.ConversationID) (row conversation.Row, ok bool, err error) {
	b.pending.view(id, func(p *pendingInbox) bool {
		row, ok = p.rows[conv]
		return !ok
	})
	if ok {
		return row, true, nil
	}
	value, err := b.kv.Get(ctx, userPartition(id), rowKey(conv))
	if errors.Is(err, kv.ErrNotFound) {
		return row, false, nil
	}
	if err != nil {
		return row, false, fmt.Errorf("store: row: %w", err)
	}
	row, err = decodeRow(value)
	return row, true, err
}

// Rows visits all rows of a user in no order, each once.
func (b *Inboxes) Rows(ctx context.Context, id domain.UserID, fn func(domain.ConversationID, conversation.Row)) error {
	fresh := make(map[domain.ConversationID]conversation.Row)
	b.pending.view(id, func(p *pendingInbox) bool {
		for conv, row := range p.rows {
			if _, newer := fresh[conv]; !newer {
				fresh[conv] = row
			}
		}
		return true
	})
	for conv, row := range fresh {
		fn(conv, row)
	}
	r := kv.Range{From: []byte{keyRow}, To: []byte{keyRow + 1}}
	err := b.kv.Scan(ctx, userPartition(id), r, func(key, value []byte) error {
		var conv domain.ConversationID
		copy(conv[:], key[1:])
		if _, newer := fresh[conv]; newer {
			return nil
		}
		row, err := decodeRow(value)
		if err == nil {
			fn(conv, row)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store: rows: %w", err)
	}
	return nil
}
