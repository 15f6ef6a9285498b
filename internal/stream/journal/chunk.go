package journal

import (
	"fmt"
	"io"
	"sync"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// chunkCache reads stretches of segments for owners that lag behind the tail,
// and keeps those used last: the partitions of a group that catches up want the
// same ones.
type chunkCache struct {
	fs    vfs.FS
	table *table
	limit int64

	mu     sync.Mutex
	chunks map[chunkKey]*chunk
	bytes  int64
	clock  int64
}

type chunkKey struct {
	segment  uint64
	from, to int64
}

type chunk struct {
	once  sync.Once
	block *block
	err   error

	used   int64 // when; guarded by the cache's lock, as is loaded
	loaded bool
}

func newChunkCache(fs vfs.FS, t *table, limit int64) *chunkCache {
	return &chunkCache{fs: fs, table: t, limit: limit, chunks: map[chunkKey]*chunk{}}
}

// get returns the stretch's records; readers who want the same one wait for
// one read.
func (cc *chunkCache) get(p place) (*block, error) {
	key := chunkKey{p.segment.number, p.from, p.to}
	cc.mu.Lock()
	c := cc.chunks[key]
	if c == nil {
		c = &chunk{}
		cc.chunks[key] = c
	}
	cc.clock++
	c.used = cc.clock
	cc.mu.Unlock()
	c.once.Do(func() {
		c.block, c.err = cc.load(p)
		cc.account(key, c)
	})
	return c.block, c.err
}

// account counts a loaded chunk and makes room for it.
func (cc *chunkCache) account(key chunkKey, c *chunk) {
	cc.mu.Lock()
	defer cc.mu.Unlock()
	if c.err != nil {
		delete(cc.chunks, key) // the next one tries again
		return
	}
	c.loaded = true
	cc.bytes += c.block.bytes
	for cc.bytes > cc.limit {
		var oldest chunkKey
		var found *chunk
		for k, o := range cc.chunks {
			if o.loaded && (found == nil || o.used < found.used) {
				oldest, found = k, o
			}
		}
		delete(cc.chunks, oldest)
		cc.bytes -= found.block.bytes
	}
}

// load reads a stretch and checks every group in it.
func (cc *chunkCache) load(p place) (*block, error) {
	f, err := cc.fs.Open(p.segment.path)
	if err != nil {
		return nil, fmt.Errorf("read segment: %w", err)
	}
	defer func() { _ = f.Close() }()
	buf := make([]byte, p.to-p.from)
	if n, err := f.ReadAt(buf, p.from); err != nil && (err != io.EOF || n < len(buf)) {
		return nil, fmt.Errorf("read segment %s at %d: %w", p.segment.path, p.from, err)
	}
	var refs []ref
	for at := int64(0); at < int64(len(buf)); {
		g, ok := groupAt(buf[at:], p.segment.salt, p.from+at)
		if !ok {
			return nil, fmt.Errorf("%w: segment %s: the group at %d is damaged", stream.ErrCorrupt, p.segment.path, p.from+at)
		}
		err := eachRecord(buf[at:at+g.length], g.records, func(i int, e entry) error {
			if slot := cc.table.slot(e.topic, e.partition); e.topic != controlTopic && slot >= 0 {
				refs = append(refs, ref{slot: int32(slot), at: uint32(at) + uint32(i)})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("%w: segment %s: group at %d: %w", stream.ErrCorrupt, p.segment.path, p.from+at, err)
		}
		at = pages(at + g.length)
	}
	builder := newBlockBuilder(cc.table.slots)
	return builder.build(p.segment.incarnation, buf, refs, func(slot int32) int64 { return p.next[slot] }), nil
}

// groupAt decodes and checks a group that must lie at the front of b and
// belong at offset of the segment with that salt.
func groupAt(b []byte, salt uint64, offset int64) (groupInfo, bool) {
	g, ok := decodeGroupHead(b)
	if !ok || g.salt != salt || g.offset != offset || g.length > int64(len(b)) {
		return g, false
	}
	return g, g.intact(b[:g.length])
}
