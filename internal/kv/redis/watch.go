package redis

import (
	"context"
	"errors"
	"time"

	"github.com/merchantim/merchantim/internal/kv"
)

// Identity names the processes that hold the data now. Another name than before
// means that a server was restarted or another took over, and what was applied
// within the loss window before may be gone: consumers rewind that far. It may
// also change when nothing was lost.
func (s *Store) Identity(ctx context.Context) (id string, err error) {
	done, err := s.begin(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	err = s.patiently(ctx, func() error {
		id, err = s.client.Identity(ctx)
		return err
	})
	return id, err
}

// Watch calls changed whenever the identity is another than known, which is
// that of the state that the caller relies on; it looks every interval, and at
// once after a fault. It returns when ctx ends, when the store is closed, or
// with the error of changed. A look that fails is repeated.
func (s *Store) Watch(ctx context.Context, known string, every time.Duration, changed func(id string) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-s.trouble:
		}
		id, err := s.Identity(ctx)
		switch {
		case errors.Is(err, kv.ErrClosed):
			return err
		case err != nil:
			s.opt.Logger.Warn("kv: the servers do not say who they are", "err", err)
			continue
		case id == known:
			continue
		}
		s.opt.Logger.Warn("kv: a server was restarted, or another took over", "before", known, "now", id)
		known = id
		if err := changed(id); err != nil {
			return err
		}
	}
}
