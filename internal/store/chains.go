package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/enc"
	"github.com/merchantim/merchantim/internal/kv"
)

// Chains keeps the single chains.
type Chains struct {
	kv      kv.Store
	seed    chat.Seed
	pending *pending[domain.ConversationID, *pendingChain]
	bytes   *atomic.Int64 // pending, shared with Inboxes
}

// ChainState is a chain in the hands of its owner, the goroutine of its
// partition; stored belongs to the lock of the pending shard.
type ChainState struct {
	*chat.Chain
	ID     domain.ConversationID
	stored []byte // the head as it is, or is being, stored; nil: none
}

// pendingChain is what is new of a chain since the last freeze.
type pendingChain struct {
	state    *ChainState
	head     chat.Head
	runs     []*run
	sealed   []sealedPage
	aged     []agedMark
	dead     []deadLetter
	verdicts []settled
	changes  []chat.Change
	reformed bool // the members of the group changed
	size     int  // bytes, about
	// Set when frozen.
	base, encoded []byte
}

type sealedPage struct {
	number uint64
	marks  []uint32
}

type agedMark struct {
	mark  uint32
	index uint64
}

func newChains(s kv.Store, seed chat.Seed, bytes *atomic.Int64) *Chains {
	hash := func(id domain.ConversationID) uint32 { return uint32(id[15]) }
	return &Chains{kv: s, seed: seed, pending: newPending(hash, (*pendingChain).full), bytes: bytes}
}

// maxPendingChain is how many bytes of a chain go into one batch, far below the
// limits of the port: a busy conversation takes several batches a flush.
const maxPendingChain = 4 << 20

func (p *pendingChain) full() bool { return p.size >= maxPendingChain }

// Load takes a chain up; one that does not exist yet is empty. Only the owner
// of the conversation's partition may hold a ChainState.
func (c *Chains) Load(ctx context.Context, id domain.ConversationID) (*ChainState, error) {
	var state *ChainState
	c.pending.view(id, func(p *pendingChain) bool {
		state = p.state
		return false
	})
	if state != nil {
		return state, nil
	}
	part := conversationPartition(id)
	value, err := c.kv.Get(ctx, part, headKey)
	if errors.Is(err, kv.ErrNotFound) {
		return &ChainState{Chain: chat.NewChain(c.seed, chat.Head{}, nil), ID: id}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: load chain: %w", err)
	}
	head, err := decodeHead(value)
	if err != nil {
		return nil, err
	}
	if head.Form == chat.Group {
		if err := c.loadMembers(ctx, part, &head); err != nil {
			return nil, err
		}
	}
	pages, err := c.pages(ctx, part, head.Last)
	if err != nil {
		return nil, err
	}
	return &ChainState{Chain: chat.NewChain(c.seed, head, pages), ID: id, stored: value}, nil
}

func (c *Chains) pages(ctx context.Context, part []byte, last uint64) (pages [][]uint32, err error) {
	if last < chat.PageSize {
		return nil, nil
	}
	prefix := []byte{keyPage}
	err = c.kv.Scan(ctx, part, kv.Range{From: prefix, To: after(prefix)}, func(_, value []byte) error {
		r, err := open(value, "page")
		if err != nil {
			return err
		}
		pages = append(pages, readMarks(&r))
		return r.Done()
	})
	if err != nil {
		return nil, fmt.Errorf("store: load pages: %w", err)
	}
	return pages, nil
}

// What a changed chain with its batch, an entry and a dead letter take besides
// their bytes, about.
const (
	perChain = 1024
	perEntry = 96
	perDead  = 1024
)

// Append keeps a new entry with its body, and the head that it made. Slices
// are copied.
func (c *Chains) Append(s *ChainState, out *chat.Outcome, body []byte) {
	c.change(s, func(p *pendingChain) { p.add(out, body) })
	c.bytes.Add(int64(len(body)) + perEntry)
}

func (p *pendingChain) add(out *chat.Outcome, body []byte) {
	e := &out.Entry
	if len(p.runs) == 0 || !p.runs[len(p.runs)-1].takes(e.Index) {
		p.runs = append(p.runs, newRun(e.Index))
	}
	p.runs[len(p.runs)-1].add(e, body)
	p.size += len(body) + perEntry
	if out.Sealed != nil {
		p.sealed = append(p.sealed, sealedPage{(e.Index - 1) / chat.PageSize, out.Sealed})
	}
	if e.Index > chat.Window && out.Fingerprint != 0 {
		p.aged = append(p.aged, agedMark{out.Fingerprint, e.Index})
	}
}

// Open keeps a conversation that was just opened: a head without an entry.
func (c *Chains) Open(s *ChainState) {
	c.change(s, func(*pendingChain) {})
	c.bytes.Add(128)
}

func (c *Chains) change(s *ChainState, fn func(*pendingChain)) {
	create := func() *pendingChain {
		c.bytes.Add(perChain)
		return &pendingChain{state: s}
	}
	c.pending.change(s.ID, create, func(p *pendingChain) {
		fn(p)
		p.head = s.Head
	})
}

func (c *Chains) freeze() []*pendingChain {
	return c.pending.freeze(func(p *pendingChain) {
		p.encoded = encodeHead(&p.head)
		p.base, p.state.stored = p.state.stored, p.encoded
	})
}

// maxAged keeps a batch of fingerprints far below the limits of the port.
const maxAged = 2000

// batches lays a pending chain out for the store: fingerprints above the
// window first (harmless without their entries), then all else, on condition
// of the head that it was computed from.
func (p *pendingChain) batches(dst []kv.Batch) []kv.Batch {
	part := conversationPartition(p.state.ID)
	for rest := p.aged; len(rest) > 0; {
		n := min(len(rest), maxAged)
		b := kv.Batch{Partition: part}
		for _, a := range rest[:n] {
			b.Ops = append(b.Ops, kv.Op{Key: agedKey(a.mark, a.index)})
		}
		dst, rest = append(dst, b), rest[n:]
	}
	b := kv.Batch{Partition: part, If: []kv.Cond{{Key: headKey, Value: p.base, Absent: p.base == nil}}}
	b.Ops = append(make([]kv.Op, 0, 1+2*len(p.runs)+len(p.sealed)+len(p.dead)+len(p.verdicts)), kv.Op{Key: headKey, Value: p.encoded})
	if p.reformed {
		b.Ops = append(b.Ops, kv.Op{Key: membersKey, Value: encodeMembers(&p.head)})
	}
	for i := range p.changes {
		b.Ops = append(b.Ops, kv.Op{Key: indexKey(keyChange, p.changes[i].Index), Value: encodeChange(&p.changes[i])})
	}
	for _, r := range p.runs {
		b.Ops = append(b.Ops,
			kv.Op{Key: indexKey(keyRun, r.first), Value: r.metas},
			kv.Op{Key: indexKey(keyBody, r.first), Value: r.bodies})
	}
	for _, s := range p.sealed {
		b.Ops = append(b.Ops, kv.Op{Key: indexKey(keyPage, s.number), Value: appendMarks([]byte{layout}, s.marks)})
	}
	b.Ops = p.deadOps(b.Ops)
	return append(dst, b)
}

// Past answers the questions of a chain on its history; see chat.Past.
type Past struct {
	chains *Chains
	ctx    context.Context //nolint:containedctx // one call's worth: made, used and dropped within a step
	id     domain.ConversationID
}

// Past returns the history of a conversation, for one step.
func (c *Chains) Past(ctx context.Context, id domain.ConversationID) Past {
	return Past{chains: c, ctx: ctx, id: id}
}

// Entry reads the entry at an index.
func (p Past) Entry(index uint64) (chat.Entry, error) {
	m, err := p.chains.Message(p.ctx, p.id, index)
	return m.Entry, err
}

// Aged lists the indices above chat.Window with a fingerprint.
func (p Past) Aged(mark uint32) (indices []uint64, err error) {
	p.chains.pending.view(p.id, func(pc *pendingChain) bool {
		for _, a := range pc.aged {
			if a.mark == mark {
				indices = append(indices, a.index)
			}
		}
		return true
	})
	prefix := enc.U32([]byte{keyAged}, mark)
	r := kv.Range{From: prefix, To: after(prefix)}
	err = p.chains.kv.Scan(p.ctx, conversationPartition(p.id), r, func(key, _ []byte) error {
		k := enc.Read(key[len(prefix):])
		indices = append(indices, k.U64())
		return k.Done()
	})
	if err != nil {
		return nil, fmt.Errorf("store: aged: %w", err)
	}
	return indices, nil
}
