package journal

import (
	"fmt"
	"slices"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// Open opens the journal in a folder, or makes one there. It reads the whole
// log and checks every group. The folder may be used by one Log at a time:
// vfs.ErrLocked.
func Open(fs vfs.FS, dir string, opt Options) (*Log, error) {
	if err := opt.setDefaults(); err != nil {
		return nil, err
	}
	if err := fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("journal: make folder: %w", err)
	}
	lock, err := fs.Lock(dir + "/LOCK")
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	l := &Log{
		fs: fs, dir: dir, opt: opt, log: opt.Logger, lock: lock,
		wake: make(chan struct{}, 1), early: early{back: make(chan struct{}, 1)}, closing: make(chan struct{}), failed: make(chan struct{}),
		segs: &segments{},
	}
	if err := l.start(); err != nil {
		if l.committer.file != nil {
			_ = l.committer.file.Close()
		}
		_ = lock.Close()
		return nil, fmt.Errorf("journal: open %s: %w", dir, err)
	}
	l.workers.Add(2)
	go l.run()
	go l.keep()
	return l, nil
}

// start brings back the state of the log and begins a segment if the newest
// one does not do.
func (l *Log) start() error {
	began := time.Now()
	past, err := recoverLog(l)
	if err != nil {
		return err
	}
	c := &l.committer
	if err := l.shape(); err != nil {
		return err
	}
	l.keeper = newKeeper(past.number)
	fresh := past.last == nil || !past.last.describes(l)
	if l.raise() {
		fresh = true
	}
	if fresh {
		if err := l.firstSegment(); err != nil {
			return err
		}
	}
	l.intake.next = slices.Clone(c.ends)
	l.intake.room = c.seg.size - c.reserve - c.pos
	l.log.Info("journal open", "dir", l.dir, "segments", len(l.segs.list), "incarnation", l.incarnation,
		"groups", c.seq-past.firstSequence, "cut", past.cut, "took", time.Since(began))
	return nil
}

// shape sets the sizes that follow from the options and the declarations.
func (l *Log) shape() error {
	c := &l.committer
	c.build = newBlockBuilder(l.table.slots)
	c.groupBytes = int(min(4<<20, l.opt.SegmentBytes/4))
	c.markEvery = min(1<<20, l.opt.SegmentBytes/8)
	c.reserve = 4 * pages(groupHead+l.offsets.controlBytes())
	h := segmentHeader{topics: l.table.describe(c.ends), groups: l.offsets.snapshot()}
	largest := pages(max(int64(c.groupBytes), int64(l.opt.MaxRecordBytes)) + groupHead + recordHead)
	if need := pages(int64(len(h.encode()))) + c.reserve + largest; need > l.opt.SegmentBytes {
		return fmt.Errorf("%w: segments of %d bytes are too small for these topics and groups, which need %d",
			errDeclaration, l.opt.SegmentBytes, need)
	}
	return nil
}

// describes reports whether a header has the log's topics and groups.
func (h *segmentHeader) describes(l *Log) bool {
	if len(h.topics) != len(l.table.ids) || len(h.groups) != len(l.offsets.groups) {
		return false
	}
	for _, g := range h.groups {
		if o := l.offsets.find(g.name); o == nil || o.topic != g.topic {
			return false
		}
	}
	return true
}

// raise starts a new incarnation if a store has applied what the log does not
// have: its offsets begin above all that either has seen.
func (l *Log) raise() bool {
	c := &l.committer
	beyond := false
	highest := l.incarnation
	ends := slices.Clone(c.ends)
	for topic, partitions := range l.opt.Floor {
		for p, floor := range partitions {
			slot := l.table.slot(topic, p)
			if slot < 0 || floor.Offset < 0 || floor.Offset >= noOffset {
				l.log.Warn("journal: a floor is no position of this log", "topic", topic, "partition", p, "position", floor)
				continue
			}
			newest := stream.Position{Incarnation: l.incarnation, Offset: c.ends[slot] - 1}
			beyond = beyond || newest.Before(floor)
			highest = max(highest, floor.Incarnation)
			ends[slot] = max(ends[slot], floor.Offset+1)
		}
	}
	if !beyond {
		return false
	}
	l.log.Warn("journal: the store is ahead of the log, a new incarnation begins", "incarnation", highest+1)
	l.incarnation = highest + 1
	l.offsets.raise(c.ends, ends)
	for slot := range ends {
		l.tail.parts[slot].end = ends[slot]
	}
	// The segments before end where they did.
	l.segs.seal(c.ends)
	c.ends = ends
	return true
}

// firstSegment begins a segment while nothing else runs yet.
func (l *Log) firstSegment() error {
	c := &l.committer
	l.keeper.number++
	s, f, err := createSegment(l.fs, l.dir, l.keeper.number, l.opt.SegmentBytes)
	if err != nil {
		return fmt.Errorf("%w: %w", stream.ErrUnavailable, err)
	}
	header, err := l.writeHeader(s, f)
	if err != nil {
		_ = f.Close()
		return err
	}
	if c.file != nil {
		_ = c.file.Close() // synced by recovery, not written since
	}
	l.begin(s, f, header)
	return nil
}
