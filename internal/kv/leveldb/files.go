package leveldb

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/merchantim/merchantim/internal/vfs"
)

// bufferSize is how much of a table is gathered for one write.
const bufferSize = 128 << 10

// fileWriter writes a table from its begin to its end.
type fileWriter struct {
	disk *disk
	file vfs.File
	buf  []byte
	off  int64 // of buf
	err  error // the first; the file is of no use after it

	begun time.Time // of the piece in buf; zero: this file is written without rest
}

// Write implements storage.Writer.
func (w *fileWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(w.buf)+len(p) > bufferSize {
		if err := w.flush(); err != nil {
			return 0, err
		}
		if !w.begun.IsZero() {
			w.begun = w.disk.pace.after(w.begun)
		}
	}
	w.buf = append(w.buf, p...)
	return len(p), nil
}

func (w *fileWriter) flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	if _, w.err = w.file.WriteAt(w.buf, w.off); w.err != nil {
		return w.err
	}
	w.disk.written.Add(int64(len(w.buf)))
	w.off += int64(len(w.buf))
	w.buf = w.buf[:0]
	return nil
}

// Sync implements storage.Writer. The name becomes durable too.
func (w *fileWriter) Sync() error {
	if err := w.flush(); err != nil {
		return err
	}
	if w.err = w.file.Datasync(); w.err != nil {
		return w.err
	}
	w.err = w.disk.syncNames()
	return w.err
}

// Close implements storage.Writer.
func (w *fileWriter) Close() error {
	err := w.flush()
	w.buf = nil
	return errors.Join(err, w.file.Close())
}

// manifestWriter is a fileWriter whose failure breaks the database above.
type manifestWriter struct{ *fileWriter }

// Sync implements storage.Writer.
func (w *manifestWriter) Sync() error {
	err := w.fileWriter.Sync()
	if err != nil {
		w.disk.broken.Store(true)
	}
	return err
}

// Write implements storage.Writer.
func (w *manifestWriter) Write(p []byte) (int, error) {
	n, err := w.fileWriter.Write(p)
	if err != nil {
		w.disk.broken.Store(true)
	}
	return n, err
}

// logWriter writes to a segment of the wal, that is, to memory.
type logWriter struct {
	wal *wal
	seg *segment
}

// Write implements storage.Writer.
func (w *logWriter) Write(p []byte) (int, error) {
	w.wal.append(w.seg, p)
	return len(p), nil
}

// Sync implements storage.Writer.
func (w *logWriter) Sync() error { return w.wal.flush(w.wal.end(), true) }

// Close implements storage.Writer; the segment lives until it is removed.
func (w *logWriter) Close() error { return nil }

// fileReader reads the first bytes of a file, up to a size.
type fileReader struct {
	*io.SectionReader
	disk *disk
	file vfs.File
}

func newFileReader(d *disk, f vfs.File, size int64) *fileReader {
	return &fileReader{SectionReader: io.NewSectionReader(f, 0, size), disk: d, file: f}
}

// ReadAt implements storage.Reader.
func (r *fileReader) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.SectionReader.ReadAt(p, off)
	r.disk.read.Add(int64(n))
	return n, err
}

// Close implements storage.Reader.
func (r *fileReader) Close() error { return r.file.Close() }

// logReader reads a segment of the wal once, from its begin.
type logReader struct {
	io.Reader
	file vfs.File // its durable part; may be nil
}

var _ storage.Reader = (*logReader)(nil)

func newChunkReader(c []byte) io.Reader { return bytes.NewReader(c) }

// ReadAt implements storage.Reader; logs are not read that way.
func (r *logReader) ReadAt([]byte, int64) (int, error) { return 0, errors.ErrUnsupported }

// Seek implements storage.Reader; logs are not read that way.
func (r *logReader) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }

// Close implements storage.Reader.
func (r *logReader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}
