package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/kv"
)

type deadLetter struct {
	key   []byte
	index uint64
	value []byte
}

// Bury keeps a record that could not be processed as a dead letter, together
// with its void entry and the body shown for it; void is nil if the
// conversation does not exist. The two are one change: a void stored without
// its dead letter would be made a second time by the replay.
func (c *Chains) Bury(s *ChainState, place Place, record []byte, void *chat.Outcome, body []byte) {
	index, size := uint64(0), int64(len(record))+perDead
	if void != nil {
		index = void.Entry.Index
		size += int64(len(body)) + perEntry
	}
	value := append(enc.Uvarint([]byte{layout}, index), record...)
	c.change(s, func(p *pendingChain) {
		if void != nil {
			p.add(void, body)
		}
		p.dead = append(p.dead, deadLetter{place.key(), index, value})
		p.size += len(value) + perDead
	})
	c.bytes.Add(size)
}

// Place is where a dead letter stood in the log.
type Place struct {
	Partition int32
	Position  domain.Position
}

func (p Place) key() []byte {
	k := enc.U32([]byte{keyDead}, p.Position.Incarnation)
	return enc.U64(enc.U32(k, uint32(p.Partition)), uint64(p.Position.Offset))
}

// Buried returns the index of the void entry of a dead letter.
func (c *Chains) Buried(ctx context.Context, id domain.ConversationID, place Place) (index uint64, ok bool, err error) {
	key := place.key()
	c.pending.view(id, func(p *pendingChain) bool {
		for _, d := range p.dead {
			if bytes.Equal(d.key, key) {
				index, ok = d.index, true
			}
		}
		return !ok
	})
	if ok {
		return index, true, nil
	}
	value, err := c.kv.Get(ctx, conversationPartition(id), key)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("store: dead letter: %w", err)
	}
	r, err := open(value, "dead letter")
	if err != nil {
		return 0, false, err
	}
	return r.Uvarint(), true, r.Err()
}
