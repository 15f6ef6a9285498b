package leveldb

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/syndtr/goleveldb/leveldb"
	lderrors "github.com/syndtr/goleveldb/leveldb/errors"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/merchantim/merchantim/internal/kv"
)

// errDown: the database is closed because its disk failed, and not yet open again.
var errDown = fmt.Errorf("%w: the disk failed", kv.ErrUnavailable)

// portError says in the port's words what goleveldb or the file system said.
// A file that goleveldb knows of and that is not there is damage as well.
func portError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kv.ErrUnavailable), errors.Is(err, kv.ErrCorrupt), errors.Is(err, kv.ErrClosed):
		return err
	case errors.Is(err, leveldb.ErrNotFound):
		return kv.ErrNotFound
	case errors.Is(err, leveldb.ErrClosed):
		return kv.ErrClosed
	case damage(err):
		return fmt.Errorf("%w: %w", kv.ErrCorrupt, err)
	}
	return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
}

func damage(err error) bool {
	var table *lderrors.ErrCorrupted
	var file *storage.ErrCorrupted
	return errors.As(err, &table) || errors.As(err, &file) || errors.Is(err, fs.ErrNotExist)
}
