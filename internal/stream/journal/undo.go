package journal

import (
	"fmt"

	"github.com/merchantim/merchantim/internal/stream"
)

// When a write fails, or there is no segment for it, nothing of it was shown to
// anyone: positions are first seen on delivery, after the sync. So the rule is
// simple: the group and everything appended after it are rejected together,
// their offsets and the sequence number are given again, and nothing is taken
// until the file is as it was before the write. (A crash meanwhile may yet
// reveal the rejected group whole. Its callers were told "unavailable", which
// means that the outcome is unknown.)

// undoWrite cuts off what a failed write may have left.
func (l *Log) undoWrite(g *group, cause error) {
	c := &l.committer
	l.offsets.undone(c.lastSync)
	if g.shown > 0 {
		l.fail(fmt.Errorf("write %s: %w", c.seg.path, cause))
		l.reject(g, l.Err())
		return
	}
	if err := c.file.Truncate(c.pos); err != nil {
		l.fail(fmt.Errorf("undo a failed write (%w) to %s: %w", cause, c.seg.path, err))
		l.reject(g, l.Err())
		return
	}
	c.undo = true
	l.log.Warn("journal write failed", "segment", c.seg.path, "offset", c.pos, "err", cause)
	l.reject(g, fmt.Errorf("%w: write: %w", stream.ErrUnavailable, cause))
}

// reject answers err for a group and all that came after it, and refuses more
// until repair.
func (l *Log) reject(g *group, err error) {
	var gone []*group
	if g != nil {
		gone = append(gone, g)
	}
	l.mu.Lock()
	in := &l.intake
	gone = append(gone, in.queue...)
	if in.open != nil {
		gone = append(gone, in.open)
	}
	in.queue, in.open = nil, nil
	in.bytes = 0
	copy(in.next, l.committer.ends)
	in.refuse = err
	l.mu.Unlock()
	l.committer.refusing = true
	for _, g := range gone {
		for _, done := range g.dones {
			done(err)
		}
	}
}

// repair tries to make a log that refuses records take them again.
func (l *Log) repair() bool {
	c := &l.committer
	if c.undo {
		if err := c.file.Preallocate(c.seg.size); err != nil {
			return false
		}
		if err := c.file.Datasync(); err != nil {
			l.fail(fmt.Errorf("sync %s after an undone write: %w", c.seg.path, err))
			return false
		}
		c.undo = false
	}
	if c.full && l.keeper.ready() == 0 {
		return false
	}
	c.full, c.refusing = false, false
	l.mu.Lock()
	l.intake.refuse = nil
	l.mu.Unlock()
	return true
}
