package leveldb

import (
	"context"

	"github.com/merchantim/merchantim/internal/kv"
)

// Checkpoint implements kv.Store. It syncs the log of what is in no table yet.
func (s *Store) Checkpoint(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.checkpoints.Done()
	return portError(s.disk.wal.flush(s.disk.wal.end(), true))
}

// Settle waits until everything that was applied before the call is durable in
// tables, or until ctx ends, which is no error. Under load tables come by
// themselves every few seconds; who can wait for them and calls Checkpoint
// then spares the disk most of a lazy log.
func (s *Store) Settle(ctx context.Context) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.checkpoints.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	s.disk.wal.settle(s.disk.wal.end(), ctx.Done())
	return nil
}

// enter begins a call that works with the log but not with the database, which
// may be down.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return kv.ErrClosed
	}
	s.checkpoints.Add(1)
	return nil
}
