//go:build !linux

package vfs

import (
	"errors"
	"os"
)

func preallocate(f *os.File, size int64) error { return grow(f, size) }

func datasync(f *os.File) error { return f.Sync() }

// lockFile refuses: without a lock two processes would write one log.
func lockFile(*os.File) error {
	return errors.New("vfs: no file locks on this platform")
}
