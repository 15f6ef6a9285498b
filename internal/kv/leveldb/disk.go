package leveldb

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/merchantim/merchantim/internal/vfs"
)

// disk is goleveldb's storage.Storage over a vfs.FS. Tables and manifests are
// files; logs are segments of the wal. It outlives the database above it.
//
// goleveldb counts on this order: a table and its name are durable before the
// manifest that lists it, a manifest before CURRENT that names it, and all of
// that before a log or table that it replaces is removed.
type disk struct {
	fs     vfs.FS
	dir    string
	wal    *wal
	pace   pacer // of tables
	logger *slog.Logger

	written, read atomic.Int64
	// broken: a manifest or CURRENT could not be written, and goleveldb is
	// stuck until it is opened again.
	broken atomic.Bool

	names struct { // of files made since the folder was last synced
		sync.Mutex
		dirty bool
	}
	meta struct { // manifests that CURRENT may name after a crash
		sync.Mutex
		current map[int64]bool
	}
	torn bool // a log was read that ends in a torn record; used during open only
}

var _ storage.Storage = (*disk)(nil)

func newDisk(fs vfs.FS, dir string, logger *slog.Logger) *disk {
	d := &disk{fs: fs, dir: dir, logger: logger}
	d.wal = newWAL(d)
	return d
}

// prepare makes the folder fit to be opened. A crash amid the very first start
// leaves a manifest that nothing names; goleveldb would call that corrupt.
func (d *disk) prepare() error {
	d.broken.Store(false)
	d.torn = false
	names, err := d.fs.List(d.dir)
	if err != nil {
		return portError(err)
	}
	var orphans []string
	for _, name := range names {
		fd, ok := parseName(name)
		switch {
		case name == currentName, ok && fd.Type != storage.TypeManifest:
			return nil
		case ok:
			orphans = append(orphans, name)
		}
	}
	for _, name := range orphans {
		if err := d.fs.Remove(path.Join(d.dir, name)); err != nil {
			return portError(err)
		}
	}
	return nil
}

// parseName is the inverse of FileDesc.String.
func parseName(name string) (fd storage.FileDesc, ok bool) {
	suffixes := map[string]storage.FileType{".log": storage.TypeJournal, ".ldb": storage.TypeTable, ".tmp": storage.TypeTemp}
	digits := strings.TrimPrefix(name, "MANIFEST-")
	if digits != name {
		fd.Type = storage.TypeManifest
	} else {
		fd.Type = suffixes[path.Ext(name)]
		digits = strings.TrimSuffix(name, path.Ext(name))
	}
	if fd.Type == 0 || len(digits) < 6 || len(digits) > 18 {
		return fd, false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return fd, false
		}
		fd.Num = fd.Num*10 + int64(c-'0')
	}
	return fd, fd.String() == name
}

// name returns the path of a file, or an error for what is none of ours.
func (d *disk) name(fd storage.FileDesc) (string, error) {
	if !storage.FileDescOk(fd) {
		return "", storage.ErrInvalidFile
	}
	return path.Join(d.dir, fd.String()), nil
}

// create makes a file whose name becomes durable with the next syncNames.
func (d *disk) create(name string) (vfs.File, error) {
	f, err := d.fs.Create(name)
	if err != nil {
		return nil, err
	}
	d.names.Lock()
	d.names.dirty = true
	d.names.Unlock()
	return f, nil
}

// syncNames makes the names of all files durable that were made before the call.
func (d *disk) syncNames() error {
	d.names.Lock()
	defer d.names.Unlock()
	if !d.names.dirty {
		return nil
	}
	if err := d.fs.SyncDir(d.dir); err != nil {
		return err
	}
	d.names.dirty = false
	return nil
}

// writeFile makes a small file with durable content; its name is not yet durable.
func (d *disk) writeFile(name string, content []byte) error {
	f, err := d.create(name)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(content, 0); err != nil {
		return errors.Join(err, f.Close())
	}
	d.written.Add(int64(len(content)))
	return errors.Join(f.Sync(), f.Close())
}

// Lock implements storage.Storage; the Store holds the real lock.
func (d *disk) Lock() (storage.Locker, error) { return unlocker{}, nil }

type unlocker struct{}

func (unlocker) Unlock() {}

// Log implements storage.Storage.
func (d *disk) Log(s string) { d.logger.Debug(s) }

// List implements storage.Storage.
func (d *disk) List(types storage.FileType) ([]storage.FileDesc, error) {
	names, err := d.fs.List(d.dir)
	if err != nil {
		return nil, err
	}
	var fds []storage.FileDesc
	inMemory := map[int64]bool{}
	if types&storage.TypeJournal != 0 {
		for _, num := range d.wal.numbers() {
			inMemory[num] = true
			fds = append(fds, storage.FileDesc{Type: storage.TypeJournal, Num: num})
		}
	}
	for _, name := range names {
		fd, ok := parseName(name)
		if ok && fd.Type&types != 0 && !(fd.Type == storage.TypeJournal && inMemory[fd.Num]) {
			fds = append(fds, fd)
		}
	}
	return fds, nil
}

// Create implements storage.Storage.
func (d *disk) Create(fd storage.FileDesc) (storage.Writer, error) {
	name, err := d.name(fd)
	if err != nil {
		return nil, err
	}
	if fd.Type == storage.TypeJournal {
		return &logWriter{wal: d.wal, seg: d.wal.create(fd.Num)}, nil
	}
	if fd.Type == storage.TypeManifest && d.broken.Load() {
		return nil, errDown // a retry could empty the file that CURRENT names
	}
	f, err := d.create(name)
	if err != nil {
		if fd.Type == storage.TypeManifest {
			d.broken.Store(true)
		}
		return nil, err
	}
	w := &fileWriter{disk: d, file: f}
	switch fd.Type {
	case storage.TypeManifest:
		return &manifestWriter{fileWriter: w}, nil
	case storage.TypeTable:
		w.begun = time.Now()
	}
	return w, nil
}

// Open implements storage.Storage.
func (d *disk) Open(fd storage.FileDesc) (storage.Reader, error) {
	name, err := d.name(fd)
	if err != nil {
		return nil, err
	}
	if fd.Type == storage.TypeJournal {
		if r, err := d.wal.open(fd.Num); r != nil || err != nil {
			return r, err
		}
	}
	f, err := d.fs.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && fd.Type&(storage.TypeJournal|storage.TypeManifest) != 0 {
		size, err = d.intact(fd, f, size)
	}
	if err != nil {
		_ = f.Close()
		return nil, err // as it is: goleveldb looks at its type
	}
	return newFileReader(d, f, size), nil
}

// Remove implements storage.Storage.
func (d *disk) Remove(fd storage.FileDesc) error {
	name, err := d.name(fd)
	if err != nil {
		return err
	}
	switch fd.Type {
	case storage.TypeJournal:
		if d.wal.remove(fd.Num) {
			return nil
		}
	case storage.TypeManifest:
		d.meta.Lock()
		defer d.meta.Unlock()
		if d.meta.current[fd.Num] {
			return nil // some start may need it; a later one removes it
		}
	}
	if err := d.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Rename implements storage.Storage; only a repair tool would call it.
func (d *disk) Rename(from, to storage.FileDesc) error {
	return fmt.Errorf("kv: rename %v to %v: %w", from, to, errors.ErrUnsupported)
}

// Close implements storage.Storage; the Store closes what there is.
func (d *disk) Close() error { return nil }
