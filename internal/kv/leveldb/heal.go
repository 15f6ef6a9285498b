package leveldb

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/syndtr/goleveldb/leveldb"

	"github.com/merchantim/merchantim/internal/kv"
)

// A table that cannot be written is tried again by goleveldb itself. After a
// failed write to its manifest it is stuck, and what the file holds is in
// doubt: then the database is closed and opened again, which writes a new
// manifest. The log in memory (wal) outlives that, so nothing is forgotten.

// beginWrite is use for the holder of s.write; it heals the store if need be.
func (s *Store) beginWrite(ctx context.Context) (*leveldb.DB, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db, err := s.use()
	switch {
	case errors.Is(err, errDown):
	case err != nil:
		return nil, err
	case !s.disk.broken.Load():
		return db, nil
	default:
		s.done()
	}
	if err := s.heal(); err != nil {
		return nil, err
	}
	return s.use()
}

// heal opens the database again; the caller holds s.write. It does nothing as
// long as the disk refuses a probe, so that readers keep the old database, and
// as long as readers are at it: they never wait for each other.
func (s *Store) heal() error {
	if err := s.disk.probe(); err != nil {
		return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
	old, err := s.retire()
	if err != nil {
		return err
	}
	if old != nil {
		// Its errors are those that led here.
		_ = old.Close()
	}
	db, err := s.openDB()
	if err != nil {
		return err
	}
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		_ = db.Close()
		return kv.ErrClosed
	}
	s.db = db
	return nil
}

// retire takes the database out of use.
func (s *Store) retire() (*leveldb.DB, error) {
	s.life.Lock()
	defer s.life.Unlock()
	switch {
	case s.closed:
		return nil, kv.ErrClosed
	case s.users > 0:
		return nil, fmt.Errorf("%w: readers are using what must be opened again", kv.ErrUnavailable)
	}
	old := s.db
	if old != nil {
		s.delays.add(old)
	}
	s.db = nil
	return old, nil
}

// probe finds out whether the disk takes data.
func (d *disk) probe() error {
	name := path.Join(d.dir, "PROBE")
	if err := d.writeFile(name, make([]byte, 4096)); err != nil {
		return err
	}
	return d.fs.Remove(name)
}
