package leveldb

import (
	"errors"
	"io"
	"path"
	"sync"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/merchantim/merchantim/internal/vfs"
)

// chunkSize is the unit in which a segment's memory grows and is given back.
const chunkSize = 256 << 10

// wal holds goleveldb's logs of what is not yet in a table. Its writes go to
// memory and never fail; flush brings them to disk, in order: a log's file is
// begun only when the one before is whole and synced. So after a crash the
// files hold a prefix of what was logged. Bytes stay in memory until they are
// synced, so that a failed write or sync can be repeated. When goleveldb
// removes a log, its content is in a table.
type wal struct {
	disk *disk

	// mu guards the list, the memory and the ends of the segments.
	mu      sync.Mutex
	segs    []*segment // those not removed, by number
	garbage []*segment // removed, with a file that is not
	changed chan struct{}

	io sync.Mutex // held while files are written, synced or removed
}

// segment is one log. What is before base is durable in its file, the rest is
// in chunks, each but the last of chunkSize bytes.
type segment struct {
	num    int64
	chunks [][]byte
	base   int64
	size   int64
	synced int64 // durable bytes

	// Guarded by wal.io.
	file    vfs.File
	written int64
}

// mark is a place in the wal: all logs before num, and the first size bytes of it.
type mark struct{ num, size int64 }

func newWAL(d *disk) *wal { return &wal{disk: d, changed: make(chan struct{})} }

// reaches returns how much of the segment is before the mark; mu is held.
func (m mark) reaches(s *segment) int64 {
	switch {
	case s.num < m.num:
		return s.size
	case s.num == m.num:
		return m.size
	}
	return 0
}

// end returns the mark of everything logged so far.
func (w *wal) end() mark {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.segs) == 0 {
		return mark{}
	}
	last := w.segs[len(w.segs)-1]
	return mark{last.num, last.size}
}

// unsynced returns how many bytes before the mark only memory holds.
func (w *wal) unsynced(m mark) (n int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.segs {
		n += max(0, m.reaches(s)-s.synced)
	}
	return n
}

// settle waits until stop is closed, or nothing before the mark is left to sync.
func (w *wal) settle(m mark, stop <-chan struct{}) {
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if w.unsynced(m) == 0 {
			return
		}
		select {
		case <-stop:
			return
		case <-changed:
		}
	}
}

// signal wakes those in settle; mu is held.
func (w *wal) signal() {
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *wal) create(num int64) *segment {
	s := &segment{num: num}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.segs = append(w.segs, s)
	return s
}

func (w *wal) append(s *segment, p []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.size += int64(len(p))
	for len(p) > 0 {
		n := len(s.chunks)
		if n == 0 || len(s.chunks[n-1]) == chunkSize {
			s.chunks = append(s.chunks, make([]byte, 0, chunkSize))
			n++
		}
		last := s.chunks[n-1]
		fits := min(len(p), chunkSize-len(last))
		s.chunks[n-1] = append(last, p[:fits]...)
		p = p[fits:]
	}
}

// numbers lists the segments.
func (w *wal) numbers() (nums []int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.segs {
		nums = append(nums, s.num)
	}
	return nums
}

// remove forgets a segment; false if there is none of that number. It does not
// wait for a flush: goleveldb holds up its readers meanwhile.
func (w *wal) remove(num int64) bool {
	w.mu.Lock()
	found := false
	for i, s := range w.segs {
		if s.num == num {
			w.segs = append(w.segs[:i:i], w.segs[i+1:]...)
			w.garbage = append(w.garbage, s)
			s.chunks, found = nil, true
			break
		}
	}
	w.signal()
	w.mu.Unlock()
	if found && w.io.TryLock() {
		w.sweep()
		w.io.Unlock()
	}
	return found
}

// sweep removes the files of removed segments; io is held. A file that stays
// is removed at the next start.
func (w *wal) sweep() {
	w.mu.Lock()
	garbage := w.garbage
	w.garbage = nil
	w.mu.Unlock()
	for _, s := range garbage {
		if s.file == nil {
			continue
		}
		err := errors.Join(s.file.Close(), w.disk.fs.Remove(w.disk.logName(s.num)))
		if err != nil {
			w.disk.logger.Warn("kv: removing a log", "error", err)
		}
	}
}

// open returns a reader of a segment as it is now; nil if there is none.
func (w *wal) open(num int64) (storage.Reader, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.segs {
		if s.num != num {
			continue
		}
		r := &logReader{}
		parts := make([]io.Reader, 0, len(s.chunks)+1)
		if s.base > 0 {
			f, err := w.disk.fs.Open(w.disk.logName(num))
			if err != nil {
				return nil, err
			}
			r.file = f
			parts = append(parts, io.NewSectionReader(f, 0, s.base))
		}
		for _, c := range s.chunks {
			parts = append(parts, newChunkReader(c))
		}
		r.Reader = io.MultiReader(parts...)
		return r, nil
	}
	return nil, nil
}

// close gives the files back.
func (w *wal) close() error {
	w.io.Lock()
	defer w.io.Unlock()
	w.sweep()
	var err error
	for _, s := range w.segs {
		if s.file != nil {
			err = errors.Join(err, s.file.Close())
		}
	}
	return err
}

func (d *disk) logName(num int64) string {
	return path.Join(d.dir, storage.FileDesc{Type: storage.TypeJournal, Num: num}.String())
}
