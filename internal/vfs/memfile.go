package vfs

import (
	"io"
	"io/fs"
	"math/rand/v2"
)

// sector is the unit that a disk writes whole or not at all.
const sector = 512

// inode is a file's content, by whatever names it goes. Its fields are guarded
// by the file system's lock.
type inode struct {
	fs       *Mem
	data     []byte
	durable  []byte
	pending  []change // since the last sync, oldest first
	unlinked bool     // its bytes are no longer counted
}

// change is a write at off or, with nil data, a new size.
type change struct {
	off  int64
	data []byte
}

func (c change) apply(to []byte) []byte {
	if c.data == nil {
		return sized(to, c.off)
	}
	if end := c.off + int64(len(c.data)); end > int64(len(to)) {
		to = sized(to, end)
	}
	copy(to[c.off:], c.data)
	return to
}

// sized gives b the length n; new bytes are zero.
func sized(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		clear(b[n:])
		return b[:n]
	}
	return append(b, make([]byte, n-int64(len(b)))...)
}

// afterCrash is what the disk holds of the file.
func (i *inode) afterCrash(on *Mem, rng *rand.Rand) *inode {
	data := append([]byte(nil), i.durable...)
	for _, c := range i.pending {
		if c.data == nil {
			if rng.IntN(2) == 0 {
				data = c.apply(data)
			}
			continue
		}
		// All, nothing, or single sectors: the first two alone are common.
		luck := rng.IntN(3)
		for from := int64(0); from < int64(len(c.data)); {
			to := min((c.off+from)/sector*sector+sector-c.off, int64(len(c.data)))
			if luck == 0 || luck == 1 && rng.IntN(2) == 0 {
				data = change{c.off + from, c.data[from:to]}.apply(data)
			}
			from = to
		}
	}
	return &inode{fs: on, data: data, durable: append([]byte(nil), data...)}
}

// change makes one change now and remembers it as not synced; fs.mu is held.
func (i *inode) change(c change, size int64) error {
	if i.fs.crashed {
		return ErrCrashed
	}
	if grow := size - int64(len(i.data)); !i.unlinked && grow != 0 {
		if err := i.fs.reserve(grow); err != nil {
			return err
		}
	}
	i.data = c.apply(i.data)
	i.pending = append(i.pending, c)
	return nil
}

func (i *inode) resize(size int64) error {
	return i.change(change{off: size}, size)
}

// memFile is an open file.
type memFile struct {
	node   *inode
	closed bool
}

func (f *memFile) begin() (done func(), err error) {
	f.node.fs.mu.Lock()
	switch {
	case f.node.fs.crashed:
		err = ErrCrashed
	case f.closed:
		err = fs.ErrClosed
	}
	if err != nil {
		f.node.fs.mu.Unlock()
		return nil, err
	}
	return f.node.fs.mu.Unlock, nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	done, err := f.begin()
	if err != nil {
		return 0, err
	}
	defer done()
	if off >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	done, err := f.begin()
	if err != nil {
		return 0, err
	}
	defer done()
	c := change{off: off, data: append([]byte{}, p...)}
	size := max(off+int64(len(p)), int64(len(f.node.data)))
	if err := f.node.change(c, size); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *memFile) Size() (int64, error) {
	done, err := f.begin()
	if err != nil {
		return 0, err
	}
	defer done()
	return int64(len(f.node.data)), nil
}

func (f *memFile) Truncate(size int64) error {
	done, err := f.begin()
	if err != nil {
		return err
	}
	defer done()
	return f.node.resize(size)
}

func (f *memFile) Preallocate(size int64) error {
	done, err := f.begin()
	if err != nil {
		return err
	}
	defer done()
	if size <= int64(len(f.node.data)) {
		return nil
	}
	return f.node.resize(size)
}

func (f *memFile) Sync() error {
	done, err := f.begin()
	if err != nil {
		return err
	}
	defer done()
	for _, c := range f.node.pending {
		f.node.durable = c.apply(f.node.durable)
	}
	f.node.pending = nil
	return nil
}

func (f *memFile) Datasync() error { return f.Sync() }

func (f *memFile) Close() error {
	f.node.fs.mu.Lock()
	defer f.node.fs.mu.Unlock()
	if f.closed {
		return fs.ErrClosed
	}
	f.closed = true
	return nil
}
