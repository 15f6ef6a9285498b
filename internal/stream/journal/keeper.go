package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// keeper prepares the segment after the newest one, so that a full disk is
// noticed before it is needed, and takes away segments that no group needs. One
// of those is kept under a new name for later: a sync over blocks that were
// written before is cheaper than over fresh ones.
type keeper struct {
	kicks chan struct{}
	stop  chan struct{} // closed by the committer when it has ended

	mu      sync.Mutex
	spares  []spare       // in the order of their numbers
	err     error         // why there is no spare
	attempt chan struct{} // closed when the attempt under way is over; nil: none

	number uint64   // of the newest segment made; the keeper's own
	doomed *segment // out of the list, not yet surely gone from the folder
}

// spare is a segment without a header.
type spare struct {
	segment *segment
	file    vfs.File
}

// maxSpares: the next segment, and one to use again.
const maxSpares = 2

func newKeeper(number uint64) keeper {
	return keeper{
		kicks: make(chan struct{}, 1), stop: make(chan struct{}),
		attempt: make(chan struct{}), number: number,
	}
}

// kick asks the keeper to look for work.
func (k *keeper) kick() {
	select {
	case k.kicks <- struct{}{}:
	default:
	}
}

// ready counts the spare segments.
func (k *keeper) ready() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.spares)
}

// trouble is why the last attempt to make a spare segment failed.
func (k *keeper) trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// take returns a spare segment; it waits for an attempt that is under way.
func (k *keeper) take() (spare, error) {
	for {
		k.mu.Lock()
		err, attempt := k.err, k.attempt
		if len(k.spares) > 0 {
			s := k.spares[0]
			k.spares = k.spares[1:]
			if len(k.spares) == 0 {
				k.attempt = make(chan struct{})
			}
			k.mu.Unlock()
			k.kick()
			return s, nil
		}
		k.mu.Unlock()
		if err != nil {
			return spare{}, err
		}
		<-attempt
	}
}

// keep is the keeper's goroutine.
func (l *Log) keep() {
	defer l.workers.Done()
	k := &l.keeper
	for {
		var retry <-chan time.Time
		if !l.tidy() {
			retry = time.After(retryEvery)
		}
		select {
		case <-k.kicks:
		case <-retry:
		case <-k.stop:
			return
		}
	}
}

// tidy removes and prepares; false means that it should be tried again.
func (l *Log) tidy() bool {
	k := &l.keeper
	if err := l.Err(); err != nil {
		l.settle(err)
		return true
	}
	ok := l.removeOld()
	if k.ready() > 0 {
		return ok
	}
	if limit := l.opt.MaxDiskBytes; limit > 0 && l.segs.bytes()+l.opt.SegmentBytes > limit {
		l.settle(fmt.Errorf("%w: the log has its %d bytes of disk", stream.ErrOverloaded, limit))
		return ok // a commit will kick
	}
	k.number++
	s, f, err := createSegment(l.fs, l.dir, k.number, l.opt.SegmentBytes)
	if errors.As(err, new(syncError)) {
		l.fail(err)
		l.settle(l.Err())
		return true
	}
	if err != nil {
		l.settle(fmt.Errorf("%w: %w", stream.ErrUnavailable, err))
		return false
	}
	l.settle(nil, spare{s, f})
	return ok
}

// settle ends an attempt to make a spare segment.
func (l *Log) settle(err error, made ...spare) {
	k := &l.keeper
	k.mu.Lock()
	k.spares = append(k.spares, made...)
	if len(k.spares) > 0 {
		err = nil
	}
	changed := (err == nil) != (k.err == nil)
	k.err = err
	if k.attempt != nil {
		close(k.attempt)
		k.attempt = nil
	}
	k.mu.Unlock()
	l.mu.Lock()
	l.intake.noNext = err
	l.mu.Unlock()
	if !changed {
		return
	}
	if err != nil {
		l.log.Warn("no next journal segment", "err", err)
	}
	l.kick()
}

// removeOld takes segments away one by one, oldest first, each durably before
// the next: a hole in the middle would look like damage.
func (l *Log) removeOld() bool {
	k := &l.keeper
	for {
		fresh := k.doomed == nil
		if fresh {
			k.doomed = l.segs.dropOldest(l.offsets.needed(l.table.slots, true))
		}
		if k.doomed == nil {
			return true
		}
		var again *segment
		if fresh && k.ready() < maxSpares && k.doomed.size == l.opt.SegmentBytes {
			k.number++
			again = newSegment(l.dir, k.number, k.doomed.size)
		}
		if err := l.discard(k.doomed, again); err != nil {
			l.log.Warn("remove an old segment", "segment", k.doomed.path, "err", err)
			return false
		}
		if l.Err() != nil {
			return true
		}
		l.segs.removed(k.doomed)
		k.doomed = nil
	}
}

// discard removes an old segment, or gives it a new name and makes it a spare.
// After an error it is not known whether the old name is still there.
func (l *Log) discard(old, again *segment) error {
	if again != nil {
		if err := l.fs.Rename(old.path, again.path); err != nil {
			return err
		}
	} else if err := l.fs.Remove(old.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := l.fs.SyncDir(l.dir); err != nil {
		l.fail(fmt.Errorf("sync %s: %w", l.dir, err))
		return nil
	}
	if again == nil {
		return nil
	}
	f, err := l.fs.Open(again.path)
	if err != nil {
		l.log.Warn("open a segment to use it again", "segment", again.path, "err", err)
		_ = l.fs.Remove(again.path) // should it stay, Open removes it
		return nil
	}
	l.settle(nil, spare{again, f})
	return nil
}

func (k *keeper) release() error {
	var first error
	for _, s := range k.spares {
		if err := s.file.Close(); first == nil {
			first = err
		}
	}
	return first
}
