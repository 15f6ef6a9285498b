package journal

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// block is a piece of the log in memory that never changes again: one group
// just synced, or a chunk read from a segment. Records delivered point into it.
type block struct {
	incarnation uint32
	buf         []byte
	runs        []run // one a slot that has records here
	bytes       int64 // what the block costs
}

// run is the records of one slot in a block: offsets from first on without a
// gap, each at its place in the buffer.
type run struct {
	block *block
	slot  int32
	first int64
	at    []uint32
}

func (r run) end() int64 { return r.first + int64(len(r.at)) }

// check compares the offsets in the records with their places in the run.
func (r run) check() error {
	for i, at := range r.at {
		if o := recordOffset(r.block.buf[at:]); o != r.first+int64(i) {
			return fmt.Errorf("%w: offset %d where %d is next", errRecord, o, r.first+int64(i))
		}
	}
	return nil
}

// ref is a record's slot and its place in a group's buffer.
type ref struct {
	slot int32
	at   uint32
}

// blockBuilder sorts references by slot. Its scratch is reused.
type blockBuilder struct {
	counts []int32
	used   []int32
}

func newBlockBuilder(slots int) *blockBuilder {
	return &blockBuilder{counts: make([]int32, slots)}
}

// build makes a block of buf, whose records are refs in their order; first is
// the offset of a slot's first record here.
func (bb *blockBuilder) build(incarnation uint32, buf []byte, refs []ref, first func(slot int32) int64) *block {
	bb.used = bb.used[:0]
	for _, r := range refs {
		if bb.counts[r.slot] == 0 {
			bb.used = append(bb.used, r.slot)
		}
		bb.counts[r.slot]++
	}
	slices.Sort(bb.used)
	b := &block{incarnation: incarnation, buf: buf, runs: make([]run, len(bb.used))}
	at := make([]uint32, len(refs))
	var from int32
	for i, slot := range bb.used {
		n := bb.counts[slot]
		b.runs[i] = run{block: b, slot: slot, first: first(slot), at: at[from : from : from+n]}
		bb.counts[slot] = int32(i)
		from += n
	}
	for _, r := range refs {
		run := &b.runs[bb.counts[r.slot]]
		run.at = append(run.at, r.at)
	}
	for _, slot := range bb.used {
		bb.counts[slot] = 0
	}
	b.bytes = int64(cap(buf)) + int64(len(refs))*4 + int64(len(b.runs))*80 + 128
	return b
}

// find returns the slot's run, if the block has one.
func (b *block) find(slot int32) (run, bool) {
	i, ok := slices.BinarySearchFunc(b.runs, slot, func(r run, s int32) int { return int(r.slot - s) })
	if !ok {
		return run{}, false
	}
	return b.runs[i], true
}

// tail is the newest durable part of the log in memory: whole blocks, at most
// limit bytes but at least the newest block. The committer publishes, owners
// of partitions read.
type tail struct {
	parts  []part // by slot
	limit  int64
	bytes  int64    // publisher's
	blocks []*block // publisher's; oldest first
}

// part is the tail of one slot.
type part struct {
	mu      sync.Mutex
	runs    []run
	popped  int   // runs that were here and are gone
	end     int64 // one past the newest durable offset
	shown   []run // beyond the end, for early owners
	readers []*reader
	early   atomic.Int32 // readers of early groups
}

func newTail(ends []int64, limit int64) *tail {
	t := &tail{parts: make([]part, len(ends)), limit: limit}
	for i := range t.parts {
		t.parts[i].end = ends[i]
	}
	return t
}

// publish shows a durable block to the readers, and forgets the oldest.
func (t *tail) publish(b *block) {
	for _, r := range b.runs {
		t.parts[r.slot].push(r)
	}
	t.blocks = append(t.blocks, b)
	t.bytes += b.bytes
	for t.bytes > t.limit && len(t.blocks) > 1 {
		old := t.blocks[0]
		t.blocks[0] = nil
		t.blocks = t.blocks[1:]
		t.bytes -= old.bytes
		for _, r := range old.runs {
			t.parts[r.slot].pop()
		}
	}
}

func (p *part) push(r run) {
	p.mu.Lock()
	p.runs = append(p.runs, r)
	p.end = r.end()
	p.forget()
	for _, rd := range p.readers {
		if !rd.group.early || rd.handed.Load() < p.end {
			rd.wake()
		}
	}
	p.mu.Unlock()
}

func (p *part) pop() {
	p.mu.Lock()
	p.runs[0] = run{}
	p.runs = p.runs[1:]
	p.popped++
	p.mu.Unlock()
}

func (p *part) durableEnd() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.end
}
