package vfs

import "os"

// grow makes a file at least size bytes long without reserving space.
func grow(f *os.File, size int64) error {
	st, err := f.Stat()
	if err != nil || st.Size() >= size {
		return err
	}
	return f.Truncate(size)
}
