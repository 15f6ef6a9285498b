package journal

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// offsets is what consumer groups have committed. There are three views: as
// last committed, as in the group of records that is being written, and as
// durable. Only the last lets segments go.
type offsets struct {
	mu     sync.Mutex
	groups []*groupState // by name
	dirty  time.Time     // since when some commit is not written; zero: none
}

type groupState struct {
	name  string
	topic stream.TopicID
	first int // slot of partition 0
	early bool

	committed, written, durable []int64

	handed []atomic.Int64 // what owners were handed ends here, by partition
}

// newOffsets takes the declared groups only; others are dropped. A group that
// is not in found, or one whose topic was, begins at the oldest records.
func newOffsets(t *table, declared []stream.Group, found map[string]groupOffsets, oldest, end []int64) (*offsets, error) {
	o := &offsets{}
	for _, d := range declared {
		s := t.topics[d.Topic]
		switch {
		case !s.declared:
			return nil, fmt.Errorf("%w: group %s of topic %d, which is not declared", errDeclaration, d.Name, d.Topic)
		case d.Name == "" || len(d.Name) > maxNameLength:
			return nil, fmt.Errorf("%w: group name %q", errDeclaration, d.Name)
		case o.find(d.Name) != nil:
			return nil, fmt.Errorf("%w: group %s twice", errDeclaration, d.Name)
		case len(declared) > maxNames:
			return nil, fmt.Errorf("%w: %d groups", errDeclaration, len(declared))
		}
		begin := oldest[s.first : s.first+int(s.partitions)]
		if f, ok := found[d.Name]; ok && f.topic == d.Topic && len(f.committed) == len(begin) {
			for p, c := range f.committed {
				if c < begin[p] || c > end[s.first+p] {
					return nil, fmt.Errorf("%w: group %s committed %d in partition %d, records kept are %d to %d",
						stream.ErrCorrupt, d.Name, c, p, begin[p], end[s.first+p])
				}
			}
			begin = f.committed
		}
		g := &groupState{
			name: d.Name, topic: d.Topic, first: s.first, early: d.Early,
			committed: slices.Clone(begin), written: slices.Clone(begin), durable: slices.Clone(begin),
			handed: make([]atomic.Int64, len(begin)),
		}
		for p := range begin {
			g.handed[p].Store(begin[p])
		}
		o.groups = append(o.groups, g)
	}
	return o, nil
}

// raise moves groups that have committed everything before a new incarnation to
// its beginning.
func (o *offsets) raise(before, after []int64) {
	for _, g := range o.groups {
		for p, c := range g.committed {
			if c == before[g.first+p] {
				g.committed[p] = after[g.first+p]
			}
		}
	}
}

func (o *offsets) find(name string) *groupState {
	for _, g := range o.groups {
		if g.name == name {
			return g
		}
	}
	return nil
}

// commit raises a group's offset. first says that the commits before it were
// all written.
func (o *offsets) commit(g *groupState, partition int32, next int64, now func() time.Time) (first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if next <= g.committed[partition] {
		return false
	}
	g.committed[partition] = next
	if !o.dirty.IsZero() {
		return false
	}
	o.dirty = now()
	return true
}

func (o *offsets) committed(g *groupState, partition int32) int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return g.committed[partition]
}

// dirtySince is when the oldest unwritten commit was made, or zero.
func (o *offsets) dirtySince() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dirty
}

// appendTo adds a control record for every offset not yet written to an encoded
// group and returns it with their number.
func (o *offsets) appendTo(b []byte) ([]byte, int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, g := range o.groups {
		for p, c := range g.committed {
			if c == g.written[p] {
				continue
			}
			g.written[p] = c
			b = appendControl(b, g.name, int32(p), c)
			n++
		}
	}
	o.dirty = time.Time{}
	return b, n
}

// appendControl encodes a commit: the group's name as key, its topic's
// partition, the committed offset as value.
func appendControl(b []byte, name string, partition int32, committed int64) []byte {
	value := binary.LittleEndian.AppendUint64(nil, uint64(committed))
	size := recordSize([]byte(name), value)
	b = append(b, make([]byte, size)...)
	putRecord(b[len(b)-size:], controlTopic, partition, 0, []byte(name), value)
	return b
}

func decodeControl(e entry) (name string, committed int64, err error) {
	if len(e.value) != 8 {
		return "", 0, fmt.Errorf("%w: commit of %d bytes", errRecord, len(e.value))
	}
	c := int64(binary.LittleEndian.Uint64(e.value))
	if c < 0 || c >= noOffset {
		return "", 0, fmt.Errorf("%w: commit of offset %d", errRecord, c)
	}
	return string(e.key), c, nil
}

// snapshot marks everything committed as written and returns it.
func (o *offsets) snapshot() []groupOffsets {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dirty = time.Time{}
	all := make([]groupOffsets, len(o.groups))
	for i, g := range o.groups {
		copy(g.written, g.committed)
		all[i] = groupOffsets{name: g.name, topic: g.topic, committed: slices.Clone(g.committed)}
	}
	return all
}

// synced says that what was written is durable; it reports whether that
// changed anything.
func (o *offsets) synced() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	changed := false
	for _, g := range o.groups {
		changed = changed || !slices.Equal(g.durable, g.written)
		copy(g.durable, g.written)
	}
	return changed
}

// undone says that what was written never reached the disk.
func (o *offsets) undone(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, g := range o.groups {
		copy(g.written, g.durable)
		if o.dirty.IsZero() && !slices.Equal(g.committed, g.durable) {
			o.dirty = now
		}
	}
}

// needed returns, by slot, the lowest offset that some group still needs;
// slots without a group need nothing. It goes by durable commits, or by all.
func (o *offsets) needed(slots int, durable bool) []int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	low := slices.Repeat([]int64{noOffset}, slots)
	for _, g := range o.groups {
		view := g.committed
		if durable {
			view = g.durable
		}
		for p, c := range view {
			low[g.first+p] = min(low[g.first+p], c)
		}
	}
	return low
}

// controlBytes is the most that appendTo can add.
func (o *offsets) controlBytes() int64 {
	var n int64
	for _, g := range o.groups {
		n += int64(len(g.committed)) * int64(recordHead+len(g.name)+8)
	}
	return n
}
