package journal

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// reader is a partition in the hands of its owner.
type reader struct {
	log   *Log
	group *groupState
	id    int32
	slot  int32
	part  *part

	start, end int64
	pos        int64         // of the next record to deliver
	handed     *atomic.Int64 // pos, for Stats
	runs       []run         // scratch
	old        run           // of a chunk read from disk; what is before pos was delivered

	waiting bool // guarded by part.mu
	owes    bool // was shown records early and is not back; guarded by part.mu
	hint    int  // number of the run to look at first; guarded by part.mu
	news    chan struct{}
}

// runsAtOnce bounds what is looked up under one lock.
const runsAtOnce = 16

func (l *Log) newReader(g *groupState, partition int32) *reader {
	slot := int32(g.first) + partition
	r := &reader{
		log: l, group: g, id: partition, slot: slot, part: &l.tail.parts[slot],
		handed: &g.handed[partition], runs: make([]run, 0, runsAtOnce), news: make(chan struct{}, 1),
	}
	r.part.mu.Lock()
	end := r.part.end
	r.part.readers = append(r.part.readers, r)
	r.part.mu.Unlock()
	if g.early {
		r.part.early.Add(1)
		l.early.readers.Add(1)
	}
	// A new incarnation begins above the end of the one before: there is nothing
	// in between that an owner could wait for.
	r.end = l.segs.last(slot, end)
	r.start = l.segs.first(slot, l.offsets.committed(g, partition))
	r.pos = r.start
	r.handed.Store(r.pos)
	return r
}

// leave takes the reader off its part.
func (r *reader) leave() {
	r.part.mu.Lock()
	defer r.part.mu.Unlock()
	i := slices.Index(r.part.readers, r)
	r.part.readers = slices.Delete(r.part.readers, i, i+1)
	r.settle()
	if r.group.early {
		r.part.early.Add(-1)
		r.log.early.readers.Add(-1)
	}
}

// ID implements stream.Partition.
func (r *reader) ID() int32 { return r.id }

// Start implements stream.Partition.
func (r *reader) Start() int64 { return r.start }

// End implements stream.Partition.
func (r *reader) End() int64 { return r.end }

// Commit implements stream.Partition. Beyond the durable end it is refused.
func (r *reader) Commit(next int64) error {
	if end := r.part.durableEnd(); next > end {
		return fmt.Errorf("journal: group %s commits %d in partition %d, which ends at %d", r.group.name, next, r.id, end)
	}
	// In a gap between incarnations the offset moves to its far side, so that
	// a committed offset is never below the oldest record kept.
	next = r.log.segs.first(r.slot, next)
	if r.log.offsets.commit(r.group, r.id, next, time.Now) {
		r.log.kick()
	}
	return nil
}

// Next implements stream.Partition. It returns the cause for which ctx ended.
func (r *reader) Next(ctx context.Context, buf []stream.Record, maxRecords int) ([]stream.Record, error) {
	if maxRecords < 1 {
		return buf, fmt.Errorf("journal: next with room for %d records", maxRecords)
	}
	before := len(buf)
	for len(buf) == before {
		if ctx.Err() != nil {
			return buf, context.Cause(ctx)
		}
		if r.old.end() > r.pos {
			buf = r.deliver(buf, r.old, maxRecords)
			break
		}
		r.old = run{}
		runs, behind := r.part.look(r)
		switch {
		case behind:
			if err := r.fetch(); err != nil {
				return buf, err
			}
		case len(runs) == 0:
			r.handed.Store(r.pos)
			select {
			case <-r.news:
			case <-ctx.Done():
			}
		}
		for _, run := range runs {
			if room := maxRecords - (len(buf) - before); room > 0 {
				buf = r.deliver(buf, run, room)
			}
		}
		clear(runs)
	}
	r.handed.Store(r.pos)
	return buf, nil
}

// deliver appends at most n records of a run, from pos on.
func (r *reader) deliver(buf []stream.Record, run run, n int) []stream.Record {
	r.pos = max(r.pos, run.first) // over a gap between incarnations
	from := int(r.pos - run.first)
	at := run.at[from:min(from+n, len(run.at))]
	buf = slices.Grow(buf, len(at))
	for _, a := range at {
		key, value := fields(run.block.buf[a:])
		buf = append(buf, stream.Record{
			Partition: r.id,
			Position:  stream.Position{Incarnation: run.block.incarnation, Offset: r.pos},
			Key:       key,
			Value:     value,
		})
		r.pos++
	}
	return buf
}

// look finds what the tail has for a reader. behind: it must read from disk.
// Neither: it will be woken.
func (p *part) look(r *reader) (runs []run, behind bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.pos >= p.end:
		if r.group.early {
			if runs := p.ahead(r); len(runs) > 0 {
				return runs, false
			}
		}
		r.waiting = true
		r.settle()
		return nil, false
	case len(p.runs) == 0 || r.pos < p.runs[0].first:
		return nil, true
	}
	i := r.hint - p.popped
	if i < 0 || i >= len(p.runs) || r.pos >= p.runs[i].end() || i > 0 && r.pos < p.runs[i-1].end() {
		i = sort.Search(len(p.runs), func(i int) bool { return p.runs[i].end() > r.pos })
	}
	if i == len(p.runs) { // at the end of a past incarnation; nothing in this one
		r.pos = p.end
		r.waiting = true
		r.settle()
		return nil, false
	}
	n := copy(r.runs[:runsAtOnce], p.runs[i:])
	r.hint = p.popped + i + n - 1
	if r.pos < p.runs[i].first {
		r.pos = p.runs[i].first
	}
	return r.runs[:n], false
}

// wake tells a waiting owner that its part has grown; part.mu is held.
func (r *reader) wake() {
	if !r.waiting {
		return
	}
	r.waiting = false
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// fetch reads the stretch of a segment that has the record at pos; over a gap
// between incarnations it moves pos, and finds nothing if that is the end.
func (r *reader) fetch() error {
	for {
		r.pos = r.log.segs.first(r.slot, r.pos)
		if r.pos >= r.part.durableEnd() {
			return nil
		}
		p, ok := r.log.segs.locate(r.slot, r.pos)
		if !ok {
			return fmt.Errorf("%w: record %d of partition %d is in no segment", stream.ErrCorrupt, r.pos, r.id)
		}
		b, err := r.log.chunks.get(p)
		if err != nil && r.log.segs.gone(p.segment) {
			continue // the group has committed it meanwhile; its file may be another's
		}
		if err != nil {
			return err
		}
		run, ok := b.find(r.slot)
		if !ok || run.end() <= r.pos {
			return fmt.Errorf("%w: %s: record %d of partition %d is not between %d and %d",
				stream.ErrCorrupt, p.segment.path, r.pos, r.id, p.from, p.to)
		}
		r.old = run
		return nil
	}
}
