package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/kv"
)

// Head returns the newest state of a chain, the zero Head if there is none. Its
// members are set only if they are at hand; see Roster.
func (c *Chains) Head(ctx context.Context, id domain.ConversationID) (h chat.Head, err error) {
	if h, ok := c.pendingHead(id); ok {
		return h, nil
	}
	value, err := c.kv.Get(ctx, conversationPartition(id), headKey)
	if errors.Is(err, kv.ErrNotFound) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("store: head: %w", err)
	}
	return decodeHead(value)
}

// Message reads one entry with its body; domain.NotFound if there is none.
func (c *Chains) Message(ctx context.Context, id domain.ConversationID, index uint64) (m chat.Message, err error) {
	found := false
	look := func(p *pendingChain) bool {
		for i := len(p.runs) - 1; i >= 0 && !found; i-- {
			m, found = p.runs[i].at(index, p.head.Members)
		}
		return !found
	}
	if c.pending.view(id, look); !found {
		c.pending.viewWritten(id, look)
	}
	if !found {
		err = c.stored(ctx, id, kv.Range{To: indexKey(keyRun, index+1), Reverse: true, Limit: 1}, func(s chat.Message) bool {
			if s.Index == index {
				m, found = s, true
			}
			return !found
		})
	}
	m.Conversation = id
	if err == nil && !found {
		err = domain.Refuse(domain.NotFound, "There is no message at this index.")
	}
	return m, err
}

// After reads up to limit messages with an index above index, ascending and
// without a gap.
func (c *Chains) After(ctx context.Context, id domain.ConversationID, index uint64, limit int) (m []chat.Message, err error) {
	for range lookTwice {
		m, err = c.after(ctx, id, index, limit)
		if err != nil || len(m) == 0 || m[len(m)-1].Index == index+uint64(len(m)) {
			break
		}
	}
	return m, err
}

func (c *Chains) after(ctx context.Context, id domain.ConversationID, index uint64, limit int) ([]chat.Message, error) {
	page := pageOf{keep: func(m chat.Message) bool { return m.Index > index }}
	c.oldest(id, &page, index, limit)
	from := indexKey(keyRun, index+1)
	// The run that holds index+1 may begin before it.
	err := c.kv.Scan(ctx, conversationPartition(id), kv.Range{From: []byte{keyRun}, To: from, Reverse: true, Limit: 1},
		func(key, _ []byte) error { from = slices.Clone(key); return nil })
	if err != nil {
		return nil, fmt.Errorf("store: history: %w", err)
	}
	n := 0
	err = c.stored(ctx, id, kv.Range{From: from}, func(m chat.Message) bool {
		if page.add(m) {
			n++
		}
		return n < limit
	})
	return page.first(limit, id), err
}

// Before reads up to limit messages with an index below index, the newest of
// them, ascending.
func (c *Chains) Before(ctx context.Context, id domain.ConversationID, index uint64, limit int) ([]chat.Message, error) {
	page := pageOf{keep: func(m chat.Message) bool { return m.Index < index }}
	c.newest(id, &page, index, limit)
	if len(page.messages) >= limit && contiguous(page.messages) {
		return page.last(limit, id), nil
	}
	to := []byte{keyRun + 1}
	if index < 1<<63 {
		to = indexKey(keyRun, index)
	}
	n, lowest := 0, uint64(1<<63)
	err := c.stored(ctx, id, kv.Range{To: to, Reverse: true}, func(m chat.Message) bool {
		if m.Index < lowest && n >= limit {
			return false // a whole run beyond the page was reached
		}
		lowest = min(lowest, m.Index)
		if page.add(m) {
			n++
		}
		return true
	})
	return page.last(limit, id), err
}

func contiguous(m []chat.Message) bool {
	slices.SortFunc(m, byIndex)
	return m[len(m)-1].Index-m[0].Index == uint64(len(m)-1)
}

// newest adds the newest pending entries below an index to a page, up to limit:
// what is pending is the end of the chain, without a gap. It holds up the
// chain's owner, so it looks at no more than it needs.
func (c *Chains) newest(id domain.ConversationID, page *pageOf, below uint64, limit int) {
	c.pending.view(id, func(p *pendingChain) bool {
		for _, r := range slices.Backward(p.runs) {
			for i := min(below, r.end()); i > r.first; i-- {
				if len(page.messages) >= limit {
					return false
				}
				if m, ok := r.at(i-1, p.head.Members); ok {
					page.add(m)
				}
			}
		}
		return true
	})
}

// oldest adds the oldest pending entries above an index to a page, up to limit
// of each generation.
func (c *Chains) oldest(id domain.ConversationID, page *pageOf, above uint64, limit int) {
	c.pending.view(id, func(p *pendingChain) bool {
		n := 0
		for _, r := range p.runs {
			for i := max(above+1, r.first); i < r.end() && n < limit; i++ {
				if m, ok := r.at(i, p.head.Members); ok {
					page.add(m)
					n++
				}
			}
		}
		return true
	})
}

// stored visits the entries of stored runs with their bodies, run by run in
// the order of the range, ascending within a run. Messages are copies.
func (c *Chains) stored(ctx context.Context, id domain.ConversationID, r kv.Range, fn func(chat.Message) bool) error {
	part := conversationPartition(id)
	if r.From == nil {
		r.From = []byte{keyRun}
	}
	if r.To == nil {
		r.To = []byte{keyRun + 1}
	}
	err := c.kv.Scan(ctx, part, r, func(key, value []byte) error {
		bodyKey := append([]byte{keyBody}, key[1:]...)
		bodies, err := c.kv.Get(ctx, part, bodyKey)
		if err != nil {
			return err
		}
		more := true
		err = decodeRun(slices.Clone(value), bodies, nil, func(m chat.Message) bool {
			more = fn(m)
			return more
		})
		if err == nil && !more {
			err = kv.Stop
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("store: read run: %w", err)
	}
	return nil
}

// pageOf gathers messages from pending and stored state; what is in both is
// taken once.
type pageOf struct {
	keep     func(chat.Message) bool
	messages []chat.Message
	have     map[uint64]struct{}
}

func (p *pageOf) add(m chat.Message) bool {
	if !p.keep(m) {
		return false
	}
	if _, ok := p.have[m.Index]; ok {
		return true
	}
	if p.have == nil {
		p.have = make(map[uint64]struct{})
	}
	p.have[m.Index] = struct{}{}
	p.messages = append(p.messages, m)
	return true
}

func byIndex(a, b chat.Message) int {
	switch {
	case a.Index < b.Index:
		return -1
	case a.Index > b.Index:
		return 1
	}
	return 0
}

func (p *pageOf) sorted(id domain.ConversationID) []chat.Message {
	slices.SortFunc(p.messages, byIndex)
	for i := range p.messages {
		p.messages[i].Conversation = id
	}
	return p.messages
}

func (p *pageOf) first(limit int, id domain.ConversationID) []chat.Message {
	m := p.sorted(id)
	return m[:min(limit, len(m))]
}

func (p *pageOf) last(limit int, id domain.ConversationID) []chat.Message {
	m := p.sorted(id)
	return m[max(0, len(m)-limit):]
}
