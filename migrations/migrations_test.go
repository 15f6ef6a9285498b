package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/migrations"
)

var errCrash = errors.New("crash")

// crashing lets a number of writes through; the next one fails, before or after
// it took effect, and with it everything that follows.
type crashing struct {
	kv.Store
	left  int
	after bool
	dead  bool
}

func (c *crashing) write(do func()) bool {
	switch {
	case c.dead:
	case c.left > 0:
		c.left--
		do()
		return true
	default:
		c.dead = true
		if c.after {
			do()
		}
	}
	return false
}

func (c *crashing) Apply(ctx context.Context, batches []kv.Batch) (errs []error) {
	if !c.write(func() { errs = c.Store.Apply(ctx, batches) }) {
		return []error{errCrash}
	}
	return errs
}

func (c *crashing) Checkpoint(ctx context.Context) (err error) {
	if !c.write(func() { err = c.Store.Checkpoint(ctx) }) {
		return errCrash
	}
	return err
}

// steps are three that each write their mark, in two batches, and demand that
// of the one before.
func steps() []migrations.Step {
	all := make([]migrations.Step, 3)
	for i := range all {
		all[i] = migrations.Step{Version: i + 1, Name: fmt.Sprint("step ", i+1), Up: func(ctx context.Context, s migrations.Store) error {
			if i > 0 {
				if _, err := s.Get(ctx, mark(i, 2), []byte("k")); err != nil {
					return fmt.Errorf("step %d ran before step %d was done: %w", i+1, i, err)
				}
			}
			return errors.Join(
				put(ctx, s, mark(i+1, 1)),
				put(ctx, s, mark(i+1, 2)),
			)
		}}
	}
	return all
}

func mark(step, half int) []byte { return fmt.Appendf(nil, "mark %d.%d", step, half) }

func put(ctx context.Context, s migrations.Store, partition []byte) error {
	return errors.Join(s.Apply(ctx, []kv.Batch{{Partition: partition, Ops: []kv.Op{{Key: []byte("k"), Value: []byte("v")}}}})...)
}

func run(t *testing.T, s migrations.Store, all []migrations.Step, want ...int) {
	t.Helper()
	got, err := migrations.Run(t.Context(), s, all)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatal(diff, err)
	}
	if v, err := migrations.Version(t.Context(), s); err != nil || v != len(all) {
		t.Fatal(v, err)
	}
}

func TestEachStepRunsOnceAndInOrder(t *testing.T) {
	store := memory.New()
	run(t, store, steps()[:1], 1)
	run(t, store, steps(), 2, 3)
	run(t, store, steps())
}

func TestACrashAnywhereIsResumed(t *testing.T) {
	// Each step writes twice, then records: checkpoint, version, checkpoint.
	const writes = 3 * 5
	for left := range writes {
		for _, after := range []bool{false, true} {
			store := memory.New()
			_, err := migrations.Run(t.Context(), &crashing{Store: store, left: left, after: after}, steps())
			if !errors.Is(err, errCrash) {
				t.Fatalf("crash at write %d: %v", left, err)
			}
			if _, err := migrations.Run(t.Context(), store, steps()); err != nil {
				t.Fatalf("resuming after a crash at write %d (after: %v): %v", left, after, err)
			}
			run(t, store, steps())
			for step := 1; step <= 3; step++ {
				if _, err := store.Get(t.Context(), mark(step, 2), []byte("k")); err != nil {
					t.Errorf("crash at write %d: step %d is recorded and not done: %v", left, step, err)
				}
			}
		}
	}
}

func TestANewerLayoutIsRefusedUntouched(t *testing.T) {
	store := memory.New()
	run(t, store, steps(), 1, 2, 3)
	_, err := migrations.Run(t.Context(), &crashing{Store: store}, steps()[:2])
	if !errors.Is(err, migrations.ErrNewer) {
		t.Fatal(err)
	}
}

func TestAFailingStepIsNotRecorded(t *testing.T) {
	store, broken := memory.New(), steps()
	broken[1].Up = func(context.Context, migrations.Store) error { return errCrash }
	applied, err := migrations.Run(t.Context(), store, broken)
	if !errors.Is(err, errCrash) || !cmp.Equal(applied, []int{1}) {
		t.Fatal(applied, err)
	}
	run(t, store, steps(), 2, 3)
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	for _, value := range []string{"", "one", "-1", "0"} {
		store := memory.New()
		errs := store.Apply(t.Context(), []kv.Batch{{
			Partition: []byte("system"), Ops: []kv.Op{{Key: []byte("layout"), Value: []byte(value)}},
		}})
		if errs != nil {
			t.Fatal(errs)
		}
		if _, err := migrations.Run(t.Context(), store, steps()); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("%q: %v", value, err)
		}
	}
	gap := []migrations.Step{{Version: 1}, {Version: 3}}
	if _, err := migrations.Run(t.Context(), memory.New(), gap); err == nil {
		t.Error("a gap between versions was taken")
	}
}

func TestTheProgramsOwnSteps(t *testing.T) {
	run(t, memory.New(), migrations.Steps(), 1)
}
