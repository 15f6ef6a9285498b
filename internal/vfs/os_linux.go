package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// preallocate reserves blocks. Where the file system has no fallocate the file
// is only grown, and a full disk shows at the write.
func preallocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return grow(f, size)
		default:
			return err
		}
	}
}

// datasync repeats only what a signal interrupted before it began: any other
// error means that content may be gone.
func datasync(f *os.File) error {
	for {
		err := unix.Fdatasync(int(f.Fd()))
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func lockFile(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}
