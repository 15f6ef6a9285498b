package journal

import (
	"fmt"

	"github.com/merchantim/merchantim/internal/stream"
)

// intake is what was appended and waits for the committer, guarded by Log.mu.
type intake struct {
	open   *group   // takes records; nil: none yet
	queue  []*group // full ones before it, oldest first
	spare  *group   // a written group, whose slices can be used again
	next   []int64  // offset of the next record, by slot
	bytes  int64    // of all records not yet durable
	size   int      // a good first capacity
	over   error    // why nothing will ever be taken again: closed or failed
	refuse error    // why nothing can be taken now
	idle   bool     // the committer waits for wake

	room   int64 // bytes left for records in the newest segment
	noNext error // why there is no next segment; nil: there is, or will be at once
}

// group is records that will be written and synced together.
type group struct {
	buf     []byte // room for the head, then encoded records
	refs    []ref
	dones   []func(error)
	size    int64 // of the encoded records
	commits int   // control records after them
	shown   int   // refs that early owners have seen
}

// Append implements stream.Log. Without records, done is called when everything
// appended before is durable.
func (l *Log) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	size, err := l.check(topic, recs)
	if err != nil {
		return err
	}
	first := l.table.topics[topic].first
	l.mu.Lock()
	in := &l.intake
	if err := l.admit(size); err != nil {
		l.mu.Unlock()
		return err
	}
	g := in.open
	if g == nil {
		g = in.begin()
	}
	for i := range recs {
		r := &recs[i]
		need := recordSize(r.Key, r.Value)
		if len(g.buf)+need > l.committer.groupBytes && len(g.refs) > 0 {
			in.queue = append(in.queue, g)
			g = in.begin()
		}
		slot := first + int(r.Partition)
		at := len(g.buf)
		g.buf = extend(g.buf, need)
		putRecord(g.buf[at:], topic, r.Partition, in.next[slot], r.Key, r.Value)
		in.next[slot]++
		g.size += int64(need)
		g.refs = append(g.refs, ref{slot: int32(slot), at: uint32(at)})
	}
	in.bytes += size
	if done != nil {
		g.dones = append(g.dones, done)
	}
	wake := in.idle
	in.idle = false
	l.mu.Unlock()
	if wake {
		l.kick()
	}
	return nil
}

// check validates records and returns their encoded size.
func (l *Log) check(topic stream.TopicID, recs []stream.Record) (int64, error) {
	s := &l.table.topics[topic]
	if !s.declared {
		return 0, fmt.Errorf("journal: append to topic %d, which is not declared", topic)
	}
	var size int64
	for i := range recs {
		r := &recs[i]
		if uint32(r.Partition) >= uint32(s.partitions) {
			return 0, fmt.Errorf("journal: append to partition %d of %d of topic %s", r.Partition, s.partitions, s.name)
		}
		if n := len(r.Key) + len(r.Value); n > l.opt.MaxRecordBytes {
			return 0, fmt.Errorf("%w: %d bytes, at most %d", stream.ErrTooLarge, n, l.opt.MaxRecordBytes)
		}
		size += int64(recordSize(r.Key, r.Value))
	}
	if size > l.opt.MaxPendingBytes {
		return 0, fmt.Errorf("%w: %d bytes in one call, at most %d", stream.ErrTooLarge, size, l.opt.MaxPendingBytes)
	}
	return size, nil
}

// admit says whether size more bytes can be taken; mu is held.
func (l *Log) admit(size int64) error {
	in := &l.intake
	switch {
	case in.over != nil:
		return in.over
	case in.refuse != nil:
		return in.refuse
	case size == 0: // it asks about what is taken already, and needs no room
		return nil
	case in.bytes+size > l.opt.MaxPendingBytes:
		return fmt.Errorf("%w: %d bytes wait for the disk", stream.ErrOverloaded, in.bytes)
	case in.noNext != nil && pages(in.bytes+size+groupHead)+pageSize > in.room:
		return in.noNext
	}
	return nil
}

// begin opens a group; mu is held.
func (in *intake) begin() *group {
	g := in.spare
	if g == nil {
		g = &group{}
	}
	in.spare = nil
	g.buf = make([]byte, groupHead, int(pages(int64(max(in.size, pageSize)))))
	in.open = g
	return g
}

// extend makes b longer by n bytes of any content.
func extend(b []byte, n int) []byte {
	if len(b)+n <= cap(b) {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}

// take hands the oldest group to the committer, or nil; mu is held.
func (in *intake) take() *group {
	if len(in.queue) > 0 {
		g := in.queue[0]
		in.queue[0] = nil
		in.queue = in.queue[1:]
		return g
	}
	g := in.open
	in.open = nil
	return g
}

// recycle keeps a written group's slices for the next one; its buffer now
// belongs to the readers. mu is held.
func (in *intake) recycle(g *group) {
	// The next group gets room for an average one, and a quarter more.
	in.size = (in.size*7+len(g.buf)*5/4)/8 + 1
	clear(g.dones)
	*g = group{refs: g.refs[:0], dones: g.dones[:0]}
	if cap(g.refs) <= 1<<16 && cap(g.dones) <= 1<<16 {
		in.spare = g
	}
}

// kick wakes the committer.
func (l *Log) kick() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
