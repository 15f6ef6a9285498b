// Package vfs is the small file-system interface that the journal and the
// key-value engine stand on, so that one test can crash, starve and corrupt
// both together. Production code uses OS; tests use the engines beside it.
package vfs

import (
	"errors"
	"io"
)

// ErrLocked: another process (or this one) holds the lock.
var ErrLocked = errors.New("vfs: locked")

// FS is a file system. Names are slash-separated paths. Errors can be tested
// with errors.Is against fs.ErrNotExist, fs.ErrExist and syscall.ENOSPC.
// All methods may be called from several goroutines.
type FS interface {
	// Create makes a file for reading and writing, or empties the one there.
	// The name is durable only after SyncDir of its folder.
	Create(name string) (File, error)
	// Open opens an existing file for reading and writing. A file that was
	// removed or renamed stays usable through its open Files.
	Open(name string) (File, error)
	Remove(name string) error
	// Rename replaces newname atomically. It is durable after SyncDir.
	Rename(oldname, newname string) error
	MkdirAll(dir string) error
	// List returns the names (not paths) of the entries of a folder, sorted.
	List(dir string) ([]string, error)
	// SyncDir makes creations, renames and removals in a folder durable.
	SyncDir(dir string) error
	// Lock takes an exclusive lock that lasts until it is closed or the process
	// ends. It does not wait: ErrLocked if it is held.
	Lock(name string) (io.Closer, error)
}

// File is an open file. ReadAt and WriteAt may run concurrently on ranges
// that do not overlap; everything else belongs to one goroutine at a time.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	// Preallocate reserves space up to size and grows the file to it; bytes
	// never written read as zero.
	Preallocate(size int64) error
	// Sync makes content and metadata durable. After an error the content
	// written since the last good Sync is in doubt for ever.
	Sync() error
	// Datasync is Sync without metadata that reading back does not need.
	Datasync() error
}
