package vfs

import (
	"io"
	"math/rand/v2"
	"path"
	"sync"
)

// page is the unit in which Unsynced remembers and leaks content.
const page = 4096

// Unsynced is fs, but content that was not synced is kept in this process and
// merged into reads: a kill of the process is then what a loss of power is to a
// machine. Creations, renames, removals and sizes go through at once. Closing a
// file keeps its unsynced content, as a machine would.
//
// With leak above 0, that share of the written pages (picked by seed) reaches
// fs before its sync, so that a kill leaves torn and out-of-order tails.
func Unsynced(fs FS, leak float64, seed uint64) FS {
	return &unsyncedFS{
		FS:    fs,
		files: map[string]*overlay{},
		leak:  leak,
		rng:   rand.New(rand.NewPCG(seed, 0)),
	}
}

type unsyncedFS struct {
	FS
	leak float64

	mu    sync.Mutex // also guards every overlay
	files map[string]*overlay
	rng   *rand.Rand
}

// overlay is the unsynced content of one file, shared by all that opened it.
type overlay struct {
	pages map[int64][]byte // by page number; whole pages, merged with what lies below
	size  int64
}

func (u *unsyncedFS) Create(name string) (File, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f, err := u.FS.Create(name)
	if err != nil {
		return nil, err
	}
	o := u.overlay(name)
	o.size = 0
	clear(o.pages)
	return &unsyncedFile{fs: u, file: f, over: o}, nil
}

func (u *unsyncedFS) Open(name string) (File, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f, err := u.FS.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	o := u.overlay(name)
	o.size = max(o.size, size)
	return &unsyncedFile{fs: u, file: f, over: o}, nil
}

// overlay finds or makes the overlay of a name; u.mu is held.
func (u *unsyncedFS) overlay(name string) *overlay {
	name = path.Clean(name)
	if u.files[name] == nil {
		u.files[name] = &overlay{pages: map[int64][]byte{}}
	}
	return u.files[name]
}

func (u *unsyncedFS) Remove(name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.FS.Remove(name); err != nil {
		return err
	}
	delete(u.files, path.Clean(name))
	return nil
}

func (u *unsyncedFS) Rename(oldname, newname string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.FS.Rename(oldname, newname); err != nil {
		return err
	}
	o := u.files[path.Clean(oldname)]
	delete(u.files, path.Clean(oldname))
	delete(u.files, path.Clean(newname))
	if o != nil {
		u.files[path.Clean(newname)] = o
	}
	return nil
}

// Lock is passed on: the lock of a killed process is gone.
func (u *unsyncedFS) Lock(name string) (io.Closer, error) { return u.FS.Lock(name) }

type unsyncedFile struct {
	fs   *unsyncedFS
	file File
	over *overlay
}

func (f *unsyncedFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if off >= f.over.size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), f.over.size-off)
	n, err := f.file.ReadAt(p[:want], off)
	if err != nil && err != io.EOF {
		return n, err
	}
	clear(p[n:want]) // below the size, but only in pages of ours
	eachPage(off, want, func(no, from, to int64) {
		if data := f.over.pages[no]; data != nil {
			copy(p[no*page+from-off:], data[from:to])
		}
	})
	if want < int64(len(p)) {
		return int(want), io.EOF
	}
	return int(want), nil
}

func (f *unsyncedFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.over.size = max(f.over.size, off+int64(len(p)))
	var err error
	eachPage(off, int64(len(p)), func(no, from, to int64) {
		data := f.over.pages[no]
		if data == nil {
			data = make([]byte, page)
			if n, e := f.file.ReadAt(data, no*page); e != nil && e != io.EOF {
				err = e
			} else {
				clear(data[n:])
			}
			f.over.pages[no] = data
		}
		copy(data[from:to], p[no*page+from-off:])
		if f.fs.leak > 0 && f.fs.rng.Float64() < f.fs.leak {
			if e := f.writeBack(no); e != nil {
				err = e
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeBack writes one page to the file below; fs.mu is held.
func (f *unsyncedFile) writeBack(no int64) error {
	n := min(page, f.over.size-no*page)
	_, err := f.file.WriteAt(f.over.pages[no][:n], no*page)
	return err
}

// flush writes all pages back; they stay if that or the sync after it fails.
func (f *unsyncedFile) flush(sync func() error) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	for no := range f.over.pages {
		if err := f.writeBack(no); err != nil {
			return err
		}
	}
	if err := sync(); err != nil {
		return err
	}
	clear(f.over.pages)
	return nil
}

func (f *unsyncedFile) Sync() error     { return f.flush(f.file.Sync) }
func (f *unsyncedFile) Datasync() error { return f.flush(f.file.Datasync) }
func (f *unsyncedFile) Close() error    { return f.file.Close() }

func (f *unsyncedFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.over.size, nil
}

func (f *unsyncedFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.file.Truncate(size); err != nil {
		return err
	}
	f.over.size = size
	for no, data := range f.over.pages {
		switch from := size - no*page; {
		case from <= 0:
			delete(f.over.pages, no)
		case from < page:
			clear(data[from:])
		}
	}
	return nil
}

func (f *unsyncedFile) Preallocate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if err := f.file.Preallocate(size); err != nil {
		return err
	}
	f.over.size = max(f.over.size, size)
	return nil
}

// eachPage calls fn for every page that n bytes from off touch, with the part
// of the page that they cover.
func eachPage(off, n int64, fn func(no, from, to int64)) {
	for end := off + n; off < end; {
		no := off / page
		to := min((no+1)*page, end)
		fn(no, off-no*page, to-no*page)
		off = to
	}
}
