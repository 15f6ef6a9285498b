package journal

import (
	"fmt"
	"slices"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// past is what recovery found, beside what it put into the Log.
type past struct {
	last          *segmentHeader // of the newest segment; nil: there was no log
	number        uint64         // the highest of a segment
	firstSequence uint64
	cut           int64 // bytes of torn tail
}

// recovery replays the segments of a log. A group is written only when the one
// before it is durable, and a segment's first only when its header is. So what
// is not good and has nothing good after it is the tail that a crash tore, and
// anything else is damage.
type recovery struct {
	l       *Log
	past    past
	headers []*segmentHeader
	found   []*segment
	ragged  int64 // where the padding after the newest group was torn; 0: nowhere
	commits map[string]groupOffsets
	builder *blockBuilder
}

func recoverLog(l *Log) (past, error) {
	r := &recovery{l: l, commits: map[string]groupOffsets{}}
	if err := r.readHeaders(); err != nil {
		return past{}, err
	}
	var err error
	if l.table, err = newTable(l.opt.Topics, r.headers); err != nil {
		return past{}, err
	}
	c := &l.committer
	r.builder = newBlockBuilder(l.table.slots)
	c.ends = make([]int64, l.table.slots)
	c.markEvery = min(1<<20, l.opt.SegmentBytes/8)
	l.incarnation = 1
	oldest := slices.Clone(c.ends)
	if len(r.headers) > 0 {
		first := r.headers[0]
		c.ends = l.table.offsets(first)
		c.seq, r.past.firstSequence = first.sequence, first.sequence
		l.incarnation = first.incarnation
		copy(oldest, c.ends)
		r.past.last = r.headers[len(r.headers)-1]
	}
	l.tail = newTail(c.ends, l.opt.TailBytes)
	l.chunks = newChunkCache(l.fs, l.table, l.opt.ReadAheadBytes)
	for i := range r.headers {
		if err := r.replay(i); err != nil {
			return past{}, err
		}
	}
	l.offsets, err = newOffsets(l.table, l.opt.Groups, r.commits, oldest, c.ends)
	return r.past, err
}

// replay reads a segment's groups. The newest one is left open for writing.
func (r *recovery) replay(i int) error {
	l, c, s, h := r.l, &r.l.committer, r.found[i], r.headers[i]
	base := l.table.offsets(h)
	if err := r.follows(s, h, base); err != nil {
		return err
	}
	r.enter(s, h, base)
	f, err := l.fs.Open(s.path)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	newest := i+1 == len(r.found)
	if newest {
		c.file, c.seg = f, s
	} else {
		defer func() { _ = f.Close() }()
	}
	sc, err := newScanner(f, s)
	if err != nil {
		return err
	}
	if newest {
		if err := r.groups(sc, s, everything); err != nil {
			return err
		}
		return r.mend(sc, f, s)
	}
	stop := r.headers[i+1].sequence
	if err := r.groups(sc, s, stop); err != nil {
		return err
	}
	return r.complete(sc, s, stop)
}

// everything is the sequence number that no group has.
const everything = ^uint64(0)

// enter makes a segment the newest one so far.
func (r *recovery) enter(s *segment, h *segmentHeader, base []int64) {
	l, c := r.l, &r.l.committer
	l.segs.add(s, c.ends)
	l.incarnation = h.incarnation
	s.incarnation, s.sequence, s.base = h.incarnation, h.sequence, base
	copy(c.ends, base)
	for slot := range base {
		l.tail.parts[slot].end = base[slot]
	}
	clear(r.commits)
	for _, g := range h.groups {
		r.commits[g.name] = g
	}
}

// complete checks that a segment had all groups up to the next segment's.
func (r *recovery) complete(sc *scanner, s *segment, stop uint64) error {
	c := &r.l.committer
	if c.seq != stop {
		return r.damage(s, fmt.Sprintf("group %d is missing or damaged, the next segment begins with %d", c.seq, stop))
	}
	_, b, err := sc.groupAt(c.pos, c.seq)
	if err == nil && b != nil {
		err = r.damage(s, fmt.Sprintf("group %d is in the next segment, too", c.seq))
	}
	return err
}

// follows checks that a segment goes on where the one before ended.
func (r *recovery) follows(s *segment, h *segmentHeader, base []int64) error {
	c := &r.l.committer
	switch {
	case h.sequence != c.seq, h.incarnation < r.l.incarnation:
	case h.incarnation == r.l.incarnation && !slices.Equal(base, c.ends):
	default:
		for slot := range base {
			if base[slot] < c.ends[slot] {
				return fmt.Errorf("%w: segment %s begins below the end of the one before", stream.ErrCorrupt, s.path)
			}
		}
		return nil
	}
	return fmt.Errorf("%w: segment %s does not follow the one before", stream.ErrCorrupt, s.path)
}

// groups replays all good groups up to the sequence number stop.
func (r *recovery) groups(sc *scanner, s *segment, stop uint64) error {
	c := &r.l.committer
	newest := stop == everything
	if err := r.padding(sc, s, s.header, newest); err != nil {
		return err
	}
	for c.pos = s.at; c.seq != stop; {
		g, b, err := sc.groupAt(c.pos, c.seq)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		refs, err := r.records(b, g.records)
		if err != nil {
			return fmt.Errorf("%w: segment %s: group at %d: %w", stream.ErrCorrupt, s.path, c.pos, err)
		}
		end := c.pos + g.length
		next := pages(end)
		r.l.segs.grown(c.pos, next, c.markEvery, c.ends)
		if len(refs) > 0 {
			blk := r.builder.build(s.incarnation, b, refs, func(slot int32) int64 { return c.ends[slot] })
			for _, run := range blk.runs {
				if err := run.check(); err != nil {
					return fmt.Errorf("%w: segment %s: group at %d: %w", stream.ErrCorrupt, s.path, c.pos, err)
				}
				c.ends[run.slot] = run.end()
			}
			r.l.tail.publish(blk)
		}
		c.pos = next
		c.seq++
		if err := r.padding(sc, s, end, newest); err != nil {
			return err
		}
	}
	return nil
}

// padding checks that nothing lies from off, where a header or a group ends, to
// the next page: a misdirected write might. Of the newest one it may be what the
// file held in an earlier life, if a crash has kept the sectors of the group and
// not those of its padding. Nothing good follows it then.
func (r *recovery) padding(sc *scanner, s *segment, off int64, newest bool) error {
	r.ragged = 0
	clean, err := sc.padded(off)
	if err != nil || clean {
		return err
	}
	var left rest
	if newest {
		left, err = sc.rest(off, r.l.committer.seq)
	}
	if err != nil {
		return err
	}
	if !newest || left.later {
		return fmt.Errorf("%w: segment %s, offset %d: a misplaced write", stream.ErrCorrupt, s.path, off)
	}
	r.ragged = off
	return nil
}

// records lists a group's records and takes in its commits.
func (r *recovery) records(b []byte, n uint32) ([]ref, error) {
	refs := make([]ref, 0, min(int(n), len(b)/recordHead))
	err := eachRecord(b, n, func(at int, e entry) error {
		if e.topic == controlTopic {
			name, committed, err := decodeControl(e)
			if g := r.commits[name]; err == nil && int(e.partition) < len(g.committed) {
				g.committed[e.partition] = committed
			}
			return err
		}
		slot := r.l.table.slot(e.topic, e.partition)
		if slot < 0 {
			return fmt.Errorf("%w: topic %d has no partition %d", errRecord, e.topic, e.partition)
		}
		refs = append(refs, ref{slot: int32(slot), at: uint32(at)})
		return nil
	})
	return refs, err
}

// mend cuts the torn tail off the newest segment, and makes sure that what was
// read is durable: after the end of a process, not of the machine, it may still
// be on its way to the disk.
func (r *recovery) mend(sc *scanner, f vfs.File, s *segment) error {
	c := &r.l.committer
	left, err := sc.rest(c.pos, c.seq)
	if err != nil {
		return err
	}
	if left.later {
		return r.damage(s, fmt.Sprintf("group %d is damaged, a younger or misplaced one lies at %d", c.seq, left.at))
	}
	if from := c.pos; left.dirty || r.ragged > 0 {
		if r.ragged > 0 {
			from = r.ragged
		}
		r.past.cut = sc.size - from
		if err := f.Truncate(from); err != nil {
			return fmt.Errorf("cut a torn tail: %w", err)
		}
	}
	s.size = max(sc.size, r.l.opt.SegmentBytes)
	if err := f.Preallocate(s.size); err != nil {
		return fmt.Errorf("%w: reserve the newest segment: %w", stream.ErrUnavailable, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync the newest segment: %w", err)
	}
	return nil
}

func (r *recovery) damage(s *segment, what string) error {
	return fmt.Errorf("%w: segment %s, offset %d: %s", stream.ErrCorrupt, s.path, r.l.committer.pos, what)
}
