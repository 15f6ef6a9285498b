package journal

import (
	"fmt"
	"slices"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

const (
	// commitEvery is the least time between two groups with control records,
	// commitDelay how long a commit waits for a group before it gets its own.
	commitEvery = 100 * time.Millisecond
	commitDelay = 500 * time.Millisecond
	// retryEvery is how often a log without space looks for some.
	retryEvery = 20 * time.Millisecond
)

// committer writes the log. But for groupBytes and reserve, which never change,
// its fields belong to its goroutine.
type committer struct {
	file vfs.File // of the newest segment
	seg  *segment
	pos  int64 // where the next group goes
	seq  uint64
	ends []int64 // next durable offset, by slot

	// upcoming is the next segment if its header could not be written. It may
	// be on the disk all the same, so the newest segment takes no more groups.
	upcoming spare

	groupBytes int   // a group takes no more records once it is so large
	reserve    int64 // end of a segment where only commits may go
	markEvery  int64

	build       *blockBuilder
	lastSync    time.Time
	lastRecords int // of the newest group
	lastCommits time.Time
	refusing    bool // intake.refuse is set
	undo        bool // the failed write is cut off, its space not yet reserved again
	full        bool // no next segment when one was needed
}

// run writes groups until the log is closed and everything is written.
func (l *Log) run() {
	defer l.workers.Done()
	for l.await() {
		c := &l.committer
		pause(l.interval() - time.Since(c.lastSync))
		l.show()
		l.mu.Lock()
		g := l.intake.take()
		l.mu.Unlock()
		if g != nil {
			l.write(g)
		}
	}
	l.consumers.stop(stream.ErrClosed)
	l.consumers.wait()
	if !l.offsets.dirtySince().IsZero() && l.Err() == nil && !l.committer.refusing {
		l.writeCommits()
	}
	close(l.keeper.stop)
}

// A group of calm records or fewer keeps the shortest interval; under more the
// interval grows with the groups, up to stretch times. A sync costs the
// processor as much as some ten messages, so the busier the log, the more it
// pays to gather, and the less the wait matters beside that for the processor.
const (
	calm    = 10
	stretch = 3
)

// interval is the least time from the start of the newest sync to the next.
func (l *Log) interval() time.Duration {
	n := min(max(l.committer.lastRecords, calm), stretch*calm)
	return l.opt.SyncInterval * time.Duration(n) / calm
}

// await returns true when there are records to write, and false when the log
// is closed and there are none.
func (l *Log) await() bool {
	for {
		if err := l.Err(); err != nil {
			l.reject(nil, err)
		}
		l.mu.Lock()
		work := l.intake.open != nil || len(l.intake.queue) > 0
		l.intake.idle = !work
		l.mu.Unlock()
		if work {
			return true
		}
		select {
		case <-l.closing:
			return false
		default:
		}
		l.sleep(l.chores())
	}
}

// sleep waits until there is something to do, or d is over; 0 is no limit.
func (l *Log) sleep(d time.Duration) {
	var timeout <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-l.wake:
	case <-l.closing:
	case <-timeout:
	}
}

// chores does what waits for an idle moment, and returns when to look again.
func (l *Log) chores() time.Duration {
	switch {
	case l.Err() != nil:
		return 0
	case l.committer.refusing && !l.repair():
		l.flushIfUseful()
		return retryEvery
	}
	since := l.offsets.dirtySince()
	if since.IsZero() {
		return 0
	}
	if wait := commitDelay - time.Since(since); wait > 0 {
		return wait
	}
	l.flushIfUseful()
	return commitDelay
}

// flushIfUseful writes commits that wait. Without a next segment the reserve
// must last, so it is spent only on commits that let segments go.
func (l *Log) flushIfUseful() {
	if l.offsets.dirtySince().IsZero() || l.committer.undo {
		return
	}
	if l.keeper.trouble() != nil {
		have := l.segs.countRemovable(l.offsets.needed(l.table.slots, true))
		if l.segs.countRemovable(l.offsets.needed(l.table.slots, false)) <= have {
			return
		}
	}
	l.writeCommits()
}

func (l *Log) writeCommits() {
	l.write(&group{buf: make([]byte, groupHead, pageSize)})
}

// write makes a group durable and shows it to the world, or rejects it.
func (l *Log) write(g *group) {
	c := &l.committer
	if len(g.refs) == 0 && len(g.dones) > 0 {
		l.finish(g) // everything before it is durable
		return
	}
	if l.committer.refusing && len(g.refs) > 0 {
		l.reject(g, fmt.Errorf("%w: the last write failed", stream.ErrUnavailable))
		return
	}
	if err := l.makeRoom(len(g.buf), len(g.refs) > 0); err != nil {
		l.reject(g, err)
		return
	}
	now := time.Now()
	if len(g.refs) == 0 || now.Sub(c.lastCommits) >= commitEvery {
		g.buf, g.commits = l.offsets.appendTo(g.buf)
		c.lastCommits = now
	}
	if len(g.refs)+g.commits == 0 {
		l.finish(g)
		return
	}
	c.lastSync, c.lastRecords = now, len(g.refs)
	sealGroup(g.buf, c.seg.salt, c.seq, c.pos, len(g.refs)+g.commits)
	if _, err := c.file.WriteAt(padded(g.buf), c.pos); err != nil {
		l.undoWrite(g, err)
		return
	}
	begun := time.Now()
	if err := c.file.Datasync(); err != nil {
		l.fail(fmt.Errorf("sync %s: %w", c.seg.path, err))
		l.reject(g, l.Err())
		return
	}
	l.synced(g, time.Since(begun))
}

// padded is b with zeros up to a whole page: what lies there from an earlier
// life of the file must not show.
func padded(b []byte) []byte {
	n := len(b)
	b = extend(b, int(pages(int64(n)))-n)
	clear(b[n:])
	return b
}

// makeRoom begins the next segment if a group of length bytes, with or without
// records, does not fit into this one.
func (l *Log) makeRoom(length int, records bool) error {
	c := &l.committer
	limit, size := c.seg.size, int64(length)
	if records {
		limit -= c.reserve
	} else {
		size += l.offsets.controlBytes()
	}
	if c.pos+pages(size) <= limit && c.upcoming.segment == nil {
		return nil
	}
	return l.rotate()
}

// rotate begins the next segment.
func (l *Log) rotate() error {
	c := &l.committer
	if c.upcoming.segment == nil {
		s, err := l.keeper.take()
		if err != nil {
			c.full = true
			return err
		}
		c.upcoming = s
	}
	s, f := c.upcoming.segment, c.upcoming.file
	header, err := l.writeHeader(s, f)
	if err != nil {
		return err
	}
	if err := c.file.Close(); err != nil {
		l.log.Warn("close a full segment", "segment", c.seg.path, "err", err)
	}
	c.upcoming = spare{}
	l.begin(s, f, header)
	l.keeper.kick()
	return nil
}

// writeHeader makes a segment ready for groups: its header is durable.
func (l *Log) writeHeader(s *segment, f vfs.File) (length int64, err error) {
	c := &l.committer
	h := segmentHeader{
		incarnation: l.incarnation, salt: s.salt, number: s.number, sequence: c.seq,
		topics: l.table.describe(c.ends), groups: l.offsets.snapshot(),
	}
	b := h.encode()
	if _, err := f.WriteAt(padded(b), 0); err != nil {
		l.offsets.undone(time.Now())
		return 0, fmt.Errorf("%w: segment header: %w", stream.ErrUnavailable, err)
	}
	if err := f.Datasync(); err != nil {
		l.fail(fmt.Errorf("sync %s: %w", s.path, err))
		return 0, l.Err()
	}
	l.offsets.synced()
	return int64(len(b)), nil
}

// begin makes s the segment that is written.
func (l *Log) begin(s *segment, f vfs.File, header int64) {
	c := &l.committer
	s.incarnation, s.sequence, s.base = l.incarnation, c.seq, slices.Clone(c.ends)
	s.header, s.at = header, pages(header)
	l.segs.add(s, c.ends)
	c.seg, c.file, c.pos = s, f, s.at
	l.mu.Lock()
	l.intake.room = s.size - c.reserve - c.pos
	l.mu.Unlock()
}

// synced publishes a durable group and answers for it.
func (l *Log) synced(g *group, took time.Duration) {
	c := &l.committer
	next := c.pos + pages(int64(len(g.buf)))
	l.segs.grown(c.pos, next, c.markEvery, c.ends)
	c.pos = next
	c.seq++
	if len(g.refs) > 0 {
		b := c.build.build(l.incarnation, g.buf, g.refs, func(slot int32) int64 { return c.ends[slot] })
		for _, r := range b.runs {
			c.ends[r.slot] = r.end()
		}
		l.tail.publish(b)
	}
	if g.commits > 0 && l.offsets.synced() {
		l.keeper.kick()
	}
	l.figures.syncs.Add(1)
	l.figures.appended.Add(uint64(len(g.refs)))
	l.figures.lastSync.Store(int64(took))
	if l.opt.OnSync != nil {
		l.opt.OnSync(Sync{Took: took, Records: len(g.refs), Bytes: len(g.buf)})
	}
	l.finish(g)
}

// finish answers for a group and returns its slices.
func (l *Log) finish(g *group) {
	l.mu.Lock()
	l.intake.bytes -= g.size
	l.intake.room = l.committer.seg.size - l.committer.reserve - l.committer.pos
	l.mu.Unlock()
	for _, done := range g.dones {
		done(nil)
	}
	l.mu.Lock()
	l.intake.recycle(g)
	l.mu.Unlock()
}
