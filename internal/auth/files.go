package auth

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxKeyFile is more than any key made here.
const maxKeyFile = 4096

// others are the permission bits that a secret must not have.
const others fs.FileMode = 0o077

func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrKeys, err)
	}
	return guarded(dir, info)
}

func guarded(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&others != 0 {
		return fmt.Errorf("%w: %s may be used by others (mode %04o): run chmod go-rwx %s", ErrKeys, path, mode, path)
	}
	return nil
}

// readPrivate reads a small regular file that nobody else may read. It looks
// at the opened file, so that the one checked is the one read.
func readPrivate(path string) (content []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyFile {
		return nil, fmt.Errorf("%w: %s is not a key file", ErrKeys, path)
	}
	if err := guarded(path, info); err != nil {
		return nil, err
	}
	content, err = io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	return content, nil
}

// create makes a file of mode 0600 whole or not at all: after a crash the name
// holds a complete key or does not exist.
func create(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	defer func() { err = errors.Join(err, ignoreAbsent(os.Remove(f.Name()))) }()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	return syncDir(dir)
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	return nil
}
