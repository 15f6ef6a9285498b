// Package migrations brings a store from the layout it has to the one that
// this program knows, one numbered step after the other.
//
// It promises that a step that was recorded is not run again, that steps run in
// order, and that a store of a newer layout is refused untouched. A crash may
// come at any moment: a step may then run again, wholly or from its middle, so
// each must bear that. It runs before anything else uses the store, in the one
// process that has it; there is no way back to an older layout.
package migrations

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/merchantim/merchantim/internal/kv"
)

// ErrNewer: the store was written by a newer program.
var ErrNewer = errors.New("migrations: the store has a newer layout than this program knows")

// Store is what migrations need of a kv.Store.
type Store interface {
	Get(ctx context.Context, partition, key []byte) ([]byte, error)
	Apply(ctx context.Context, batches []kv.Batch) (errs []error)
	Checkpoint(ctx context.Context) error
}

// Step is one change of layout. Versions count from 1 without a gap. Up may be
// run again after a crash and must then come to the same end.
type Step struct {
	Version int
	Name    string
	Up      func(ctx context.Context, s Store) error
}

// Where a store keeps its version: a partition of the system's own, whose name
// no entity may have.
var (
	partition = []byte("system")
	key       = []byte("layout")
)

// Steps are all steps of this program.
func Steps() []Step {
	return []Step{
		{Version: 1, Name: "key-space layout 1", Up: layout1},
	}
}

// layout1 gives the first layout its number. An empty store is one already.
func layout1(context.Context, Store) error { return nil }

// Run brings the store to the newest of the steps and returns the versions it
// applied. On an error the store is at the version of the last step that was
// recorded, and Run may be called again.
func Run(ctx context.Context, s Store, steps []Step) (applied []int, err error) {
	for i, step := range steps {
		if step.Version != i+1 {
			return nil, fmt.Errorf("migrations: step %q has version %d, not %d", step.Name, step.Version, i+1)
		}
	}
	version, err := Version(ctx, s)
	if err != nil {
		return nil, err
	}
	if version > len(steps) {
		return nil, fmt.Errorf("%w: it has %d, known are %d", ErrNewer, version, len(steps))
	}
	for _, step := range steps[version:] {
		if err := step.Up(ctx, s); err != nil {
			return applied, fmt.Errorf("migrations: step %d, %s: %w", step.Version, step.Name, err)
		}
		if err := record(ctx, s, step.Version); err != nil {
			return applied, fmt.Errorf("migrations: recording step %d, %s: %w", step.Version, step.Name, err)
		}
		applied = append(applied, step.Version)
	}
	return applied, nil
}

// Version is the store's layout; 0 before the first step.
func Version(ctx context.Context, s Store) (int, error) {
	value, err := s.Get(ctx, partition, key)
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("migrations: reading the layout's version: %w", err)
	}
	version, err := strconv.Atoi(string(value))
	if err != nil || version < 1 {
		return 0, fmt.Errorf("migrations: the layout's version reads %q: %w", value, kv.ErrCorrupt)
	}
	return version, nil
}

// record writes the version, on the condition that it was the one before. The
// step's own effects are durable first: otherwise a power loss could keep the
// version and lose what it stands for.
func record(ctx context.Context, s Store, version int) error {
	if err := s.Checkpoint(ctx); err != nil {
		return err
	}
	before := kv.Cond{Key: key, Absent: true}
	if version > 1 {
		before = kv.Cond{Key: key, Value: []byte(strconv.Itoa(version - 1))}
	}
	errs := s.Apply(ctx, []kv.Batch{{
		Partition: partition,
		If:        []kv.Cond{before},
		Ops:       []kv.Op{{Key: key, Value: []byte(strconv.Itoa(version))}},
	}})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.Checkpoint(ctx)
}
