// Package kvtest is the contract of kv as a test suite. Every engine passes it.
package kvtest

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/kv"
)

// Features says what an engine has beyond the contract's core.
type Features struct {
	// Reopen closes the store and opens it again on what it kept; nil for an
	// engine that keeps nothing.
	Reopen func(t *testing.T, s kv.Store) kv.Store
}

// Run tests an engine. open returns a new empty store, which the suite closes.
func Run(t *testing.T, open func(t *testing.T) kv.Store, f Features) {
	stories := []struct {
		name string
		tell func(t *testing.T, s *subject)
	}{
		{"Get returns what was put", getReturnsWhatWasPut},
		{"an empty value is a value", emptyValueIsAValue},
		{"operations take effect in their order", opsInOrder},
		{"Get returns a copy", getReturnsACopy},
		{"slices may be reused after Apply", slicesMayBeReused},
		{"Scan follows the order of bytes", scanFollowsByteOrder},
		{"Scan honours its range", scanHonoursRange},
		{"Scan ends with Stop or an error", scanEnds},
		{"Scan sees one state", scanSeesOneState},
		{"Scan's function may use the store", scanMayNest},
		{"partitions do not leak", partitionsDoNotLeak},
		{"conditions guard their batch", conditionsGuard},
		{"conditions see earlier batches", conditionsSeeEarlier},
		{"conditions are of their partition", conditionsOfPartition},
		{"a conflict spares the others", conflictSparesOthers},
		{"a batch is atomic to readers", batchIsAtomic},
		{"limits are refused whole", limitsAreRefused},
		{"at the limits it works", limitsAreReached},
		{"a conditional counter is linearizable", counterIsLinearizable},
		{"a cancelled call does nothing", cancelledDoesNothing},
		{"a closed store says so", closedSaysSo},
		{"Close waits for readers", closeAmongReaders},
	}
	for _, st := range stories {
		t.Run(st.name, func(t *testing.T) {
			s := &subject{t: t, Store: open(t)}
			defer s.close()
			st.tell(t, s)
		})
	}
	t.Run("behaves as a map", func(t *testing.T) { behavesAsAMap(t, open, f) })
	if f.Reopen != nil {
		t.Run("reopening finds everything", func(t *testing.T) {
			s := &subject{t: t, Store: open(t)}
			defer func() { s.close() }()
			reopeningFindsAll(t, s, f)
		})
	}
}

var (
	ctx = context.Background()
	p1  = []byte("conversation/1")
	p2  = []byte("user/2")
)

// subject is the store under test, with shorter words for common steps.
type subject struct {
	kv.Store
	t *testing.T
}

func (s *subject) close() {
	s.t.Helper()
	if err := s.Close(); err != nil {
		s.t.Fatalf("close: %v", err)
	}
}

// apply applies batches that must all succeed.
func (s *subject) apply(batches ...kv.Batch) {
	s.t.Helper()
	for i, err := range s.Apply(ctx, batches) {
		if err != nil {
			s.t.Fatalf("batch %d: %v", i, err)
		}
	}
}

func (s *subject) put(partition []byte, pairs ...string) {
	s.t.Helper()
	s.apply(kv.Batch{Partition: partition, Ops: puts(pairs...)})
}

func (s *subject) wantGet(partition []byte, key, want string) {
	s.t.Helper()
	got, err := s.Get(ctx, partition, []byte(key))
	if err != nil || string(got) != want {
		s.t.Fatalf("get %q: %q, %v; want %q", key, got, err, want)
	}
}

func (s *subject) wantNone(partition []byte, key string) {
	s.t.Helper()
	if got, err := s.Get(ctx, partition, []byte(key)); !errors.Is(err, kv.ErrNotFound) {
		s.t.Fatalf("get %q: %q, %v; want ErrNotFound", key, got, err)
	}
}

// wantScan compares a range with key, value, key, value…
func (s *subject) wantScan(partition []byte, r kv.Range, want ...string) {
	s.t.Helper()
	got, err := s.scan(partition, r)
	if err != nil {
		s.t.Fatalf("scan %+v: %v", r, err)
	}
	if d := cmp.Diff(append([]string{}, want...), got); d != "" {
		s.t.Fatalf("scan %+v (-want +got):\n%s", r, d)
	}
}

func (s *subject) scan(partition []byte, r kv.Range) ([]string, error) {
	got := []string{}
	err := s.Scan(ctx, partition, r, func(k, v []byte) error {
		got = append(got, string(k), string(v))
		return nil
	})
	return got, err
}

// puts makes operations of key, value, key, value…
func puts(pairs ...string) []kv.Op {
	var ops []kv.Op
	for i := 0; i < len(pairs); i += 2 {
		ops = append(ops, kv.Op{Key: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return ops
}

func equal(key, value string) []kv.Cond {
	return []kv.Cond{{Key: []byte(key), Value: []byte(value)}}
}

func absent(key string) []kv.Cond { return []kv.Cond{{Key: []byte(key), Absent: true}} }

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v; want %v", what, err, want)
	}
}

func fill(n int) []byte { return bytes.Repeat([]byte{'x'}, n) }
