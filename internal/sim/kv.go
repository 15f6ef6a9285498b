package sim

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

// platter is what a store has written: batches in their order, of which a crash
// keeps a prefix with all that was there at the last checkpoint.
type platter struct {
	batches []kv.Batch
	synced  int
}

// tables is a store of one life.
type tables struct {
	*memory.Store
	w    *world
	on   *platter
	dead bool
}

func openTables(w *world, on *platter) *tables {
	t := &tables{Store: memory.New(), w: w, on: on}
	for _, errs := range [][]error{t.Store.Apply(context.Background(), on.batches)} {
		if errs != nil {
			w.fail("sim: a store could not be opened: %v", errs)
		}
	}
	return t
}

// meet is what may happen on the way to an operation: others go on meanwhile,
// and then the store may not answer.
func (t *tables) meet(chance int) error {
	if t.dead {
		return kv.ErrClosed
	}
	if t.w.calm || t.w.current != nil && t.w.current.whole {
		return nil
	}
	if t.w.current != nil && t.w.rng.IntN(4) == 0 {
		t.w.stop()
	}
	switch {
	case t.dead:
		return kv.ErrClosed
	case t.w.calm:
		return nil
	case t.w.storeDown, t.w.cfg.faults && t.w.rng.IntN(chance) == 0:
		return kv.ErrUnavailable
	}
	return nil
}

// Get implements kv.Store.
func (t *tables) Get(ctx context.Context, part, key []byte) ([]byte, error) {
	if err := t.meet(60); err != nil {
		return nil, err
	}
	return t.Store.Get(ctx, part, key)
}

// Scan implements kv.Store.
func (t *tables) Scan(ctx context.Context, part []byte, r kv.Range, fn func(key, value []byte) error) error {
	if err := t.meet(60); err != nil {
		return err
	}
	return t.Store.Scan(ctx, part, r, fn)
}

// Apply implements kv.Store. Where it fails, it has done a part of the batches,
// and maybe the one that it complains of.
func (t *tables) Apply(ctx context.Context, batches []kv.Batch) []error {
	err := t.meet(10)
	if t.dead {
		return all(batches, kv.ErrClosed)
	}
	order := t.sorted(batches)
	stop, took := len(order), false
	if err != nil {
		stop, took = t.w.rng.IntN(len(order)), t.w.rng.IntN(2) == 0
		t.w.tell("  the store fails at batch %d of %d, done: %t", stop, len(order), took)
	}
	errs, failed := make([]error, len(batches)), err != nil
	for i, at := range order {
		if i < stop || i == stop && took {
			errs[at] = t.apply(ctx, batches[at])
		}
		if i >= stop {
			errs[at] = err
		}
		failed = failed || errs[at] != nil
	}
	if !failed {
		return nil
	}
	return errs
}

func (t *tables) apply(ctx context.Context, b kv.Batch) error {
	if errs := t.Store.Apply(ctx, []kv.Batch{b}); errs != nil {
		return errs[0]
	}
	kept := kv.Batch{Partition: bytes.Clone(b.Partition)}
	for _, op := range b.Ops {
		kept.Ops = append(kept.Ops, kv.Op{Key: bytes.Clone(op.Key), Value: bytes.Clone(op.Value), Delete: op.Delete})
	}
	t.on.batches = append(t.on.batches, kept)
	return nil
}

// sorted is an order of the batches that depends on them alone: that of the
// Writer is of a map. Conversations stay before users, those before positions.
func (t *tables) sorted(batches []kv.Batch) []int {
	order := make([]int, len(batches))
	for i := range order {
		order[i] = i
	}
	kind := func(b *kv.Batch) int { return bytes.IndexByte([]byte("cus"), b.Partition[0]) }
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := &batches[i], &batches[j]
		return cmp.Or(cmp.Compare(kind(a), kind(b)), bytes.Compare(a.Partition, b.Partition))
	})
	return order
}

// Checkpoint implements kv.Store.
func (t *tables) Checkpoint(context.Context) error {
	reached := len(t.on.batches)
	if err := t.meet(10); err != nil {
		return err
	}
	if t.w.history.Flaw != Forgetful {
		t.on.synced = max(t.on.synced, reached)
	}
	return nil
}

func all(batches []kv.Batch, err error) []error {
	errs := make([]error, len(batches))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// crash forgets what a loss of power may take.
func (p *platter) crash(w *world) {
	kept := p.synced + w.rng.IntN(len(p.batches)-p.synced+1)
	w.tell("  the store keeps %d of %d batches", kept, len(p.batches))
	p.batches = p.batches[:kept]
	p.synced = kept
}
