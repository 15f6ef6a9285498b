// Package memory is the key-value engine for tests: it keeps the whole contract
// of kv but survival. Partitions are sorted slices, so a new key costs time in
// proportion to its partition; it is not for production.
package memory

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/merchantim/merchantim/internal/kv"
)

// Store is a kv.Store in memory.
type Store struct {
	mu     sync.RWMutex
	closed bool
	parts  map[string]partition
}

// partition is sorted by key. Keys and values are never changed once stored,
// so that a scan may keep using those it has copied the references of.
type partition []entry

type entry struct{ key, value []byte }

var _ kv.Store = (*Store)(nil)

// New returns an empty store.
func New() *Store { return &Store{parts: map[string]partition{}} }

func (p partition) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(p, key, func(e entry, k []byte) int { return bytes.Compare(e.key, k) })
}

// begin refuses work on a closed store or for a caller that is gone.
func (s *Store) begin(ctx context.Context) error {
	if s.closed {
		return kv.ErrClosed
	}
	return ctx.Err()
}

// Get implements kv.Store.
func (s *Store) Get(ctx context.Context, part, key []byte) ([]byte, error) {
	if err := kv.CheckKey(part, key); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	p := s.parts[string(part)]
	i, ok := p.find(key)
	if !ok {
		return nil, kv.ErrNotFound
	}
	return append([]byte{}, p[i].value...), nil
}

// Scan implements kv.Store. fn runs without a lock and may use the store.
func (s *Store) Scan(ctx context.Context, part []byte, r kv.Range, fn func(key, value []byte) error) error {
	if err := kv.CheckPartition(part); err != nil {
		return err
	}
	entries, err := s.slice(ctx, part, r)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(e.key, e.value); err == kv.Stop {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// slice copies the references of a range, in the order asked for.
func (s *Store) slice(ctx context.Context, part []byte, r kv.Range) ([]entry, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	p := s.parts[string(part)]
	from, to := 0, len(p)
	if r.From != nil {
		from, _ = p.find(r.From)
	}
	if r.To != nil {
		to, _ = p.find(r.To)
	}
	if from >= to {
		return nil, nil
	}
	n := to - from
	if r.Limit > 0 {
		n = min(n, r.Limit)
	}
	if !r.Reverse {
		return slices.Clone(p[from : from+n]), nil
	}
	out := slices.Clone(p[to-n : to])
	slices.Reverse(out)
	return out, nil
}

// Apply implements kv.Store.
func (s *Store) Apply(ctx context.Context, batches []kv.Batch) []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	errs := make([]error, len(batches))
	failed := false
	for i := range batches {
		if errs[i] = s.begin(ctx); errs[i] == nil {
			errs[i] = s.apply(&batches[i])
		}
		failed = failed || errs[i] != nil
	}
	if !failed {
		return nil
	}
	return errs
}

func (s *Store) apply(b *kv.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	p := s.parts[string(b.Partition)]
	for _, c := range b.If {
		if i, ok := p.find(c.Key); ok == c.Absent || ok && !bytes.Equal(p[i].value, c.Value) {
			return kv.ErrConflict
		}
	}
	for _, op := range b.Ops {
		p = p.set(op)
	}
	if len(p) == 0 {
		delete(s.parts, string(b.Partition))
		return nil
	}
	s.parts[string(b.Partition)] = p
	return nil
}

func (p partition) set(op kv.Op) partition {
	i, ok := p.find(op.Key)
	switch {
	case op.Delete && ok:
		return slices.Delete(p, i, i+1)
	case op.Delete:
		return p
	case ok:
		p[i].value = bytes.Clone(op.Value)
		return p
	}
	return slices.Insert(p, i, entry{bytes.Clone(op.Key), bytes.Clone(op.Value)})
}

// Checkpoint implements kv.Store; there is nothing to make durable.
func (s *Store) Checkpoint(ctx context.Context) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.begin(ctx)
}

// Stats implements kv.Store; the engine has no disk to report on.
func (s *Store) Stats() kv.Stats { return kv.Stats{} }

// Close implements kv.Store.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.parts = true, nil
	return nil
}
