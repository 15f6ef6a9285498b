package journal

import (
	"sync/atomic"
	"time"
)

// Owners of an early group are shown the records of a group before it is
// written: the committer shows it, waits a moment until the owners have come
// back for more, and then writes it together with whatever they appended
// meanwhile. So one sync covers a record and what follows from it.
//
// What was shown must not be taken back. So a group is shown only when there is
// room for it in the newest segment, and should its write fail all the same,
// the log fails for good: the owners' state cannot be undone, the next process
// begins with what is durable.

// patience is how long a group waits for early owners at most. An owner that is
// busy with earlier records is not waited for.
const patience = 500 * time.Microsecond

// early is the state between the committer and the early owners.
type early struct {
	readers atomic.Int32  // of early groups
	owing   atomic.Int32  // owners that have been shown something and are not back
	back    chan struct{} // the last of them is back
}

// show hands the oldest group to the early owners, if there are any, and waits
// for them.
func (l *Log) show() {
	if l.early.readers.Load() == 0 || l.committer.refusing || l.Err() != nil {
		return
	}
	l.mu.Lock()
	g := l.intake.oldest()
	if g == nil || g.shown == len(g.refs) || len(l.intake.queue) > 1 {
		l.mu.Unlock()
		return
	}
	length := len(g.buf)
	l.mu.Unlock()
	if l.makeRoom(length, true) != nil { // write will tell those who wait
		return
	}
	l.mu.Lock()
	if len(g.buf) != length && !l.roomFor(len(g.buf)) { // it has grown meanwhile
		l.mu.Unlock()
		return
	}
	refs := g.refs[g.shown:]
	g.shown = len(g.refs)
	runs := l.earlyRuns(g, refs)
	if g == l.intake.open && !l.roomFor(2*len(g.buf)+l.committer.groupBytes/4) {
		// What the owners append might not fit any more: it goes into the next one.
		l.intake.queue = append(l.intake.queue, g)
		l.intake.open = nil
	}
	l.mu.Unlock()
	for _, r := range runs {
		l.tail.parts[r.slot].show(r, &l.early.owing)
	}
	l.awaitOwners()
}

// oldest is the group that will be written next, nil if there is none; mu is held.
func (in *intake) oldest() *group {
	if len(in.queue) > 0 {
		return in.queue[0]
	}
	return in.open
}

// roomFor reports whether a group of that size fits into the newest segment.
func (l *Log) roomFor(size int) bool {
	c := &l.committer
	return c.pos+pages(int64(size)) <= c.seg.size-c.reserve
}

// earlyRuns are the runs of those records whose slots have early owners. The
// group's buffer may grow later, but what is in it stays as it is. mu is held.
func (l *Log) earlyRuns(g *group, refs []ref) []run {
	var wanted []ref
	for _, r := range refs {
		if l.tail.parts[r.slot].early.Load() > 0 {
			wanted = append(wanted, r)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	buf := g.buf[:len(g.buf):len(g.buf)]
	b := l.committer.build.build(l.incarnation, buf, wanted, func(slot int32) int64 {
		for _, r := range wanted {
			if r.slot == slot {
				return recordOffset(buf[r.at:])
			}
		}
		return 0
	})
	return b.runs
}

// awaitOwners waits until the owners that were shown something are back.
func (l *Log) awaitOwners() {
	if l.early.owing.Load() == 0 {
		return
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	for l.early.owing.Load() > 0 {
		select {
		case <-l.early.back:
		case <-t.C:
			return
		}
	}
}

// show adds a run that is not durable yet, and wakes the owners that wait.
func (p *part) show(r run, owing *atomic.Int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = append(p.shown, r)
	for _, rd := range p.readers {
		if rd.group.early && rd.waiting {
			if !rd.owes {
				rd.owes = true
				owing.Add(1)
			}
			rd.wake()
		}
	}
}

// ahead finds what was shown to an early reader beyond the durable end; p.mu is
// held.
func (p *part) ahead(r *reader) []run {
	runs := r.runs[:0]
	for _, s := range p.shown {
		if s.end() > r.pos && len(runs) < runsAtOnce {
			runs = append(runs, s)
		}
	}
	return runs
}

// forget drops what was shown and is durable by now; p.mu is held.
func (p *part) forget() {
	n := 0
	for n < len(p.shown) && p.shown[n].end() <= p.end {
		n++
	}
	p.shown = append(p.shown[:0], p.shown[n:]...)
}

// settle notes that an owner is back for more; part.mu is held.
func (r *reader) settle() {
	if !r.owes {
		return
	}
	r.owes = false
	if r.log.early.owing.Add(-1) == 0 {
		select {
		case r.log.early.back <- struct{}{}:
		default:
		}
	}
}
