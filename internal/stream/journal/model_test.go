package journal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// story is what a workload did to a log and what it was told, over all lives of
// the log. It knows what may and what must be found afterwards.
type story struct {
	mu        sync.Mutex
	partition map[int32][]*told
	committed map[int32]int64 // highest offset that a commit was asked for
	opened    int
	err       error // something that must never happen
}

// told is a record and its fate. Records of a partition are in the order in
// which they were appended.
type told struct {
	id        string
	answered  bool  // done(nil)
	refused   bool  // by Append, so that it must never be seen
	offset    int64 // once delivered, else -1
	delivered int   // times
}

func newStory() *story {
	return &story{partition: map[int32][]*told{}, committed: map[int32]int64{}}
}

func (s *story) wrong(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

const (
	tales   = stream.TopicID(7)
	reading = "reading"
	audit   = "audit"
	parts   = 3
)

// taleOptions makes segments of sixteen pages, which a workload fills quickly.
func taleOptions(groups ...string) journal.Options {
	opt := journal.Options{
		Topics:       []stream.Topic{{ID: tales, Name: "tales", Partitions: parts}},
		SegmentBytes: 64 << 10, SyncInterval: -1, MaxRecordBytes: 8 << 10,
		TailBytes: 8 << 10, ReadAheadBytes: 32 << 10,
	}
	for _, g := range groups {
		opt.Groups = append(opt.Groups, stream.Group{Name: g, Topic: tales})
	}
	return opt
}

// append appends records and returns a wait for their answer.
func (s *story) append(log *journal.Log, sizes ...int) (wait func() error) {
	answer := make(chan error, 1)
	var recs []stream.Record
	var all []*told
	s.mu.Lock()
	for i, size := range sizes {
		p := int32((size + i) % parts)
		w := &told{id: fmt.Sprintf("%d/%d", p, len(s.partition[p])), offset: -1}
		s.partition[p] = append(s.partition[p], w)
		all = append(all, w)
		recs = append(recs, stream.Record{Partition: p, Key: []byte(w.id), Value: []byte(strings.Repeat("v", size))})
	}
	s.mu.Unlock()
	err := log.Append(tales, recs, func(err error) {
		s.mu.Lock()
		for _, w := range all {
			w.answered = err == nil
		}
		s.mu.Unlock()
		answer <- err
	})
	if err != nil {
		s.mu.Lock()
		for _, w := range all {
			w.refused = true
		}
		s.mu.Unlock()
		return func() error { return err }
	}
	return func() error { return <-answer }
}

// read lets a group read what is durable now, and commit it if it is asked to.
func (s *story) read(log *journal.Log, group string, commit bool) error {
	return log.Consume(context.Background(), group, func(ctx context.Context, p stream.Partition) error {
		next := p.Start()
		var recs []stream.Record
		for next < p.End() {
			var err error
			if recs, err = p.Next(ctx, recs[:0], 5); err != nil {
				return err
			}
			for _, r := range recs {
				s.deliver(r, next)
				next = r.Position.Offset + 1
			}
			if !commit {
				continue
			}
			s.mu.Lock()
			s.committed[p.ID()] = max(s.committed[p.ID()], next)
			s.mu.Unlock()
			if err := p.Commit(next); err != nil {
				return err
			}
		}
		return nil
	})
}

// deliver checks one delivered record: it was appended, it has the place that
// it had before, and what came before it in the partition came before.
func (s *story) deliver(r stream.Record, want int64) {
	if r.Position.Offset != want {
		s.wrong("partition %d: offset %d delivered where %d was next", r.Partition, r.Position.Offset, want)
	}
	var p int32
	var n int
	if _, err := fmt.Sscanf(string(r.Key), "%d/%d", &p, &n); err != nil || p != r.Partition {
		s.wrong("partition %d delivered a record that nobody appended: %q", r.Partition, r.Key)
		return
	}
	s.mu.Lock()
	var w *told
	if n < len(s.partition[p]) {
		w = s.partition[p][n]
	}
	s.mu.Unlock()
	switch {
	case w == nil:
		s.wrong("record %q was never appended", r.Key)
	case w.refused:
		s.wrong("record %s was refused and delivered", w.id)
	case w.offset >= 0 && w.offset != r.Position.Offset:
		s.wrong("record %s was delivered at offset %d and at %d", w.id, w.offset, r.Position.Offset)
	default:
		w.offset = r.Position.Offset
		w.delivered++
	}
}

// check reads the whole log with a group of its own, and compares it with the
// story: what was answered is there unless the reading group has committed it,
// in order, once.
func (s *story) check(fs vfs.FS) error {
	log, err := journal.Open(fs, "/log", taleOptions(reading, audit))
	if err != nil {
		return fmt.Errorf("open after all: %w", err)
	}
	for _, all := range s.partition {
		for _, w := range all {
			w.delivered = 0
		}
	}
	if err := s.read(log, audit, false); err != nil {
		return fmt.Errorf("read the whole log: %w", err)
	}
	for p, all := range s.partition {
		last := int64(-1)
		for _, w := range all {
			switch {
			case w.delivered > 1:
				return fmt.Errorf("record %s is in the log %d times", w.id, w.delivered)
			case w.delivered == 1 && w.offset <= last:
				return fmt.Errorf("record %s has offset %d after one with %d", w.id, w.offset, last)
			case w.delivered == 1:
				last = w.offset
			case (w.answered || w.offset >= 0) && (w.offset < 0 || w.offset >= s.committed[p]):
				return fmt.Errorf("record %s was answered (%t) or delivered (offset %d) and is gone", w.id, w.answered, w.offset)
			}
		}
	}
	if err := s.read(log, reading, true); err != nil {
		return fmt.Errorf("read on: %w", err)
	}
	// The log must be of use still.
	if err := s.append(log, 100, 101, 102)(); err != nil {
		return fmt.Errorf("append after all: %w", err)
	}
	if err := s.read(log, reading, true); err != nil {
		return fmt.Errorf("read the last: %w", err)
	}
	if err := log.Close(); err != nil {
		return fmt.Errorf("close after all: %w", err)
	}
	return s.err
}

// life runs the workload's lives on a log until it is over or the log fails.
// What it returns is for the curious: any error from a faulty disk is lawful.
func (s *story) life(fs vfs.FS, lives, steps int) error {
	for range lives {
		s.opened++
		log, err := journal.Open(fs, "/log", taleOptions(reading))
		if err != nil {
			return err
		}
		err = s.live(log, steps)
		if e := log.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *story) live(log *journal.Log, steps int) error {
	var waits []func() error
	for i := range steps {
		n := i + 31*s.opened
		waits = append(waits, s.append(log, 10+n%7, 400+(n*977)%5000))
		if i%4 == 3 { // the three before are pipelined
			for _, w := range waits {
				if err := w(); err != nil && log.Err() != nil {
					return err
				} else if errors.Is(err, stream.ErrUnavailable) {
					time.Sleep(time.Millisecond) // as a client would
				}
			}
			waits = nil
		}
		if i%6 == 5 {
			if err := s.read(log, reading, i%5 > 0); err != nil {
				return err
			}
		}
	}
	for _, w := range waits {
		_ = w()
	}
	return nil
}

// releasing lets a lock be taken again by the next life after a kill: the locks
// of a dead process are gone.
type releasing struct {
	vfs.FS
	mu    sync.Mutex
	locks []io.Closer
}

func (r *releasing) Lock(name string) (io.Closer, error) {
	c, err := r.FS.Lock(name)
	if err == nil {
		r.mu.Lock()
		r.locks = append(r.locks, c)
		r.mu.Unlock()
	}
	return c, err
}

func (r *releasing) release() {
	for _, c := range r.locks {
		_ = c.Close()
	}
}

func failOn(t *testing.T, err error, format string, args ...any) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", fmt.Sprintf(format, args...), err)
	}
}
