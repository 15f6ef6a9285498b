package fault

import (
	"context"
	"path"
	"time"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/vfs"
)

// syncEvery is how often a lying file really syncs its data.
const syncEvery = 200 * time.Millisecond

// lyingFS says that data is synced, and mostly does it later: like a disk
// whose cache is written back now and then. It lies to the log only.
type lyingFS struct{ vfs.FS }

func (fs lyingFS) Create(name string) (vfs.File, error) {
	f, err := fs.FS.Create(name)
	return lying(name, f, err)
}

func (fs lyingFS) Open(name string) (vfs.File, error) {
	f, err := fs.FS.Open(name)
	return lying(name, f, err)
}

// logFolder is where the app puts the log, within the data folder.
const logFolder = "log"

func lying(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || path.Base(path.Dir(name)) != logFolder {
		return f, err
	}
	return &lyingFile{File: f}, nil
}

type lyingFile struct {
	vfs.File
	last time.Time // of the last true sync; syncs belong to one goroutine at a time
}

func (f *lyingFile) Datasync() error {
	if time.Since(f.last) < syncEvery {
		return nil
	}
	f.last = time.Now()
	return f.File.Datasync()
}

// forgetful says that it has a checkpoint without making one.
type forgetful struct{ kv.Store }

func (forgetful) Checkpoint(context.Context) error { return nil }
