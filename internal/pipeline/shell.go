package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// shell drives one partition of a stage: read, step, append, answer, note
// progress. It is one goroutine, and does the waiting that a Machine does not.
type shell struct {
	*Machine
	passed func(partition int32) // called once what was there at the start is done
	buf    []stream.Record
}

// run works until ctx ends or the log fails.
func (s *shell) run(ctx context.Context) error {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	s.done.lose = lose
	release := s.Writer.Register(s.Mark())
	defer release()
	if s.owner.beside != nil {
		// It outlives the last batch, whose answers it has to let out.
		until, end := context.WithCancel(context.WithoutCancel(ctx))
		var beside sync.WaitGroup
		beside.Go(func() { s.owner.beside(until) })
		defer beside.Wait()
		defer end()
	}
	for {
		recs, err := s.next(ctx)
		if ctx.Err() != nil {
			return ended(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.stage.name, err)
		}
		if s.batch(ctx, recs) != nil {
			return ended(ctx)
		}
		if s.stage.linger > 0 && len(recs) < s.Batch {
			select {
			case <-time.After(s.stage.linger):
			case <-ctx.Done():
			}
		}
	}
}

// ended is what an owner returns once its ctx has ended: nil unless it must
// begin again.
func ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errLost) {
		return errLost
	}
	return nil
}

// next waits for records. While the start is being caught up with and only own
// appends are awaited, it looks again and again whether they are durable.
func (s *shell) next(ctx context.Context) (recs []stream.Record, err error) {
	end := s.partition.End()
	for s.done.next.Load() < end {
		if s.taken < end {
			break
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		s.buf, err = s.partition.Next(short, s.buf[:0], s.Batch)
		cancel()
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return s.buf, err
		}
	}
	if s.done.next.Load() >= end {
		s.passed(s.partition.ID())
	}
	s.buf, err = s.partition.Next(ctx, s.buf[:0], s.Batch)
	return s.buf, err
}

// batch takes records through the step. It returns an error only when ctx ends.
func (s *shell) batch(ctx context.Context, recs []stream.Record) error {
	s.Begin(recs)
	defer s.End() // also when cut short
	if s.stage.kept {
		if err := s.Writer.Room(ctx); err != nil {
			return err
		}
	}
	next := recs[len(recs)-1].Position.Offset + 1
	if err := s.stage.behind.await(ctx, s.partition.ID(), next); err != nil {
		return err
	}
	for s.Busy() {
		if err := s.insist(ctx, s.Advance); err != nil {
			return err
		}
	}
	return nil
}

// insist repeats what fails until it works: a failing store stops the
// partition, it never loses a record. It gives up only when ctx ends.
func (s *shell) insist(ctx context.Context, fn func(context.Context) error) error {
	for pause := time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := fn(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.Logger.Warn("stage is held up; trying again", "stage", s.stage.name, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
