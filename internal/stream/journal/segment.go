package journal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"sort"
	"sync"

	"github.com/merchantim/merchantim/internal/vfs"
)

// segment is one file of the log.
type segment struct {
	number uint64
	salt   uint64 // also in the name: a segment whose header is damaged still knows its groups
	path   string
	size   int64 // bytes on disk

	// Set before the segment joins the list.
	incarnation uint32
	header      int64   // its length; the first group lies on the page after it
	sequence    uint64  // of its first group
	base        []int64 // next offset of each slot at its beginning

	// Guarded by the list's lock.
	marks []mark
	at    int64   // where its groups end
	ends  []int64 // next offset of each slot at its end; nil while it is written
}

// mark is a group's place, one every markEvery bytes: from it a reader finds
// any record by reading that much.
type mark struct {
	at   int64
	next []int64 // next offset of each slot before the group
}

const segmentSuffix = ".log"

func segmentName(number, salt uint64) string {
	return fmt.Sprintf("%016x-%016x%s", number, salt, segmentSuffix)
}

func parseSegmentName(name string) (number, salt uint64, ok bool) {
	if _, err := fmt.Sscanf(name, "%016x-%016x"+segmentSuffix, &number, &salt); err != nil {
		return 0, 0, false
	}
	return number, salt, name == segmentName(number, salt)
}

// newSegment names a segment that is yet to be.
func newSegment(dir string, number uint64, size int64) *segment {
	var salt [8]byte
	_, _ = rand.Read(salt[:]) // never fails
	s := &segment{number: number, salt: binary.LittleEndian.Uint64(salt[:]), size: size}
	s.path = path.Join(dir, segmentName(s.number, s.salt))
	return s
}

// createSegment makes an empty segment of the given size, durable in name and
// size. Without space the file is removed again; a failed sync is a syncError.
func createSegment(fs vfs.FS, dir string, number uint64, size int64) (*segment, vfs.File, error) {
	s := newSegment(dir, number, size)
	f, err := fs.Create(s.path)
	if err != nil {
		return nil, nil, fmt.Errorf("create a segment: %w", err)
	}
	if err = f.Preallocate(size); err == nil {
		err = asSyncError(f.Sync())
	}
	if err == nil {
		err = asSyncError(fs.SyncDir(dir))
	}
	if err != nil {
		_ = f.Close()
		_ = fs.Remove(s.path) // empty: should it stay or come back, Open removes it
		return nil, nil, fmt.Errorf("create segment %s: %w", s.path, err)
	}
	return s, f, nil
}

// syncError marks an error after which nothing is known of what the disk holds.
type syncError struct{ error }

func (e syncError) Unwrap() error { return e.error }

func asSyncError(err error) error {
	if err != nil {
		return syncError{err}
	}
	return nil
}

// segments are the files that hold groups, oldest first; the last one is being
// written. The committer adds, the keeper removes, readers look up.
type segments struct {
	mu     sync.RWMutex
	list   []*segment
	doomed int64 // bytes of files that are being removed
}

func (l *segments) add(s *segment, ends []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealNewest(ends)
	l.list = append(l.list, s)
}

// seal says that the newest segment takes no more groups.
func (l *segments) seal(ends []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sealNewest(ends)
}

func (l *segments) sealNewest(ends []int64) {
	if n := len(l.list); n > 0 && l.list[n-1].ends == nil {
		l.list[n-1].ends = slices.Clone(ends)
	}
}

// grown says that the newest segment now ends at to, after a group at from
// before which the slots stood at next.
func (l *segments) grown(from, to, every int64, next []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.list[len(l.list)-1]
	s.at = to
	if n := len(s.marks); n == 0 || from-s.marks[n-1].at >= every {
		s.marks = append(s.marks, mark{at: from, next: slices.Clone(next)})
	}
}

// place is a stretch of a segment between two marks, as a reader needs it.
type place struct {
	segment  *segment
	from, to int64
	next     []int64 // the slots' offsets at from
}

// locate finds the stretch with the slot's record at offset or, if that is in
// a gap between incarnations or no longer kept, the first one after it.
func (l *segments) locate(slot int32, offset int64) (place, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	i := sort.Search(len(l.list), func(i int) bool {
		return l.list[i].ends == nil || l.list[i].ends[slot] > offset
	})
	if i == len(l.list) || len(l.list[i].marks) == 0 {
		return place{}, false
	}
	s := l.list[i]
	offset = max(offset, s.base[slot])
	m := sort.Search(len(s.marks), func(m int) bool { return s.marks[m].next[slot] > offset }) - 1
	p := place{segment: s, from: s.marks[m].at, to: s.at, next: s.marks[m].next}
	if m+1 < len(s.marks) {
		p.to = s.marks[m+1].at
	}
	return p, true
}

// first returns the slot's lowest offset at or above the given one that a
// record has or will have.
func (l *segments) first(slot int32, offset int64) int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.list {
		if s.ends == nil || s.ends[slot] > offset {
			return max(offset, s.base[slot])
		}
	}
	return offset
}

// last returns one past the newest record of the slot that is kept, if end is
// where the slot ends: lower than end if a new incarnation began above it.
func (l *segments) last(slot int32, end int64) int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for i := len(l.list) - 1; i > 0 && l.list[i].base[slot] == end; i-- {
		end = l.list[i-1].ends[slot]
	}
	return end
}

// dropOldest takes the first segment out of the list if no slot needs anything
// of it. Its bytes count until removed.
func (l *segments) dropOldest(needed []int64) *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.removable(needed) == 0 {
		return nil
	}
	s := l.list[0]
	l.list = slices.Delete(l.list, 0, 1)
	l.doomed += s.size
	return s
}

func (l *segments) removed(s *segment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doomed -= s.size
}

// removable counts the segments that lie wholly below the needed offsets. The
// newest is never one of them. The lock is held.
func (l *segments) removable(needed []int64) int {
	n := max(len(l.list)-1, 0)
	for i, s := range l.list[:n] {
		for slot, end := range s.ends {
			if end > needed[slot] {
				return i
			}
		}
	}
	return n
}

func (l *segments) countRemovable(needed []int64) int {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.removable(needed)
}

// bytes is what the files take on disk.
func (l *segments) bytes() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	n := l.doomed
	for _, s := range l.list {
		n += s.size
	}
	return n
}

// gone reports whether a segment was taken out of the list.
func (l *segments) gone(s *segment) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return !slices.Contains(l.list, s)
}
