package kvtest

import (
	"context"
	"errors"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
)

func getReturnsWhatWasPut(_ *testing.T, s *subject) {
	s.wantNone(p1, "a")
	s.put(p1, "a", "1", "b", "2")
	s.wantGet(p1, "a", "1")
	s.put(p1, "a", "3")
	s.wantGet(p1, "a", "3")
	s.apply(kv.Batch{Partition: p1, Ops: []kv.Op{{Key: []byte("a"), Delete: true}, {Key: []byte("never there"), Delete: true}}})
	s.wantNone(p1, "a")
	s.wantGet(p1, "b", "2")
}

func emptyValueIsAValue(t *testing.T, s *subject) {
	s.apply(kv.Batch{Partition: p1, Ops: []kv.Op{{Key: []byte("nil")}, {Key: []byte("empty"), Value: []byte{}}}})
	s.wantGet(p1, "nil", "")
	s.wantGet(p1, "empty", "")
	s.wantScan(p1, kv.Range{}, "empty", "", "nil", "")
	errs := s.Apply(ctx, []kv.Batch{{Partition: p1, If: absent("nil"), Ops: puts("nil", "x")}})
	if errs == nil {
		t.Fatal("a key with an empty value counts as absent")
	}
	s.apply(kv.Batch{Partition: p1, If: equal("nil", ""), Ops: puts("nil", "y")})
	s.wantGet(p1, "nil", "y")
}

func opsInOrder(t *testing.T, s *subject) {
	k := []byte("k")
	s.apply(kv.Batch{Partition: p1, Ops: []kv.Op{{Key: k, Value: []byte("1")}, {Key: k, Delete: true}, {Key: k, Value: []byte("2")}}})
	s.wantGet(p1, "k", "2")
	s.apply(kv.Batch{Partition: p1, Ops: []kv.Op{{Key: k, Value: []byte("3")}, {Key: k, Delete: true}}})
	s.wantNone(p1, "k")
	s.apply(
		kv.Batch{Partition: p1, Ops: puts("k", "4")},
		kv.Batch{Partition: p1, Ops: puts("k", "5")},
		kv.Batch{Partition: p2, Ops: puts("k", "6")},
	)
	s.wantGet(p1, "k", "5")
	if errs := s.Apply(ctx, nil); errs != nil {
		t.Fatalf("applying nothing: %v", errs)
	}
	s.apply(kv.Batch{Partition: p1})
}

func getReturnsACopy(t *testing.T, s *subject) {
	s.put(p1, "k", "value")
	got, err := s.Get(ctx, p1, []byte("k"))
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	s.wantGet(p1, "k", "value")
}

func slicesMayBeReused(t *testing.T, s *subject) {
	part, key, value, cond := []byte("part"), []byte("key"), []byte("value"), []byte("cond")
	b := kv.Batch{Partition: part, If: []kv.Cond{{Key: cond, Absent: true}}, Ops: []kv.Op{{Key: key, Value: value}}}
	s.apply(b)
	for _, buf := range [][]byte{part, key, value, cond} {
		clear(buf)
	}
	b.Ops[0] = kv.Op{}
	s.wantScan([]byte("part"), kv.Range{}, "key", "value")

	key = []byte("key")
	if _, err := s.Get(ctx, []byte("part"), key); err != nil {
		t.Fatal(err)
	}
	clear(key)
	s.wantGet([]byte("part"), "key", "value")
}

func cancelledDoesNothing(t *testing.T, s *subject) {
	s.put(p1, "k", "1")
	gone, cancel := context.WithCancel(ctx)
	cancel()

	_, err := s.Get(gone, p1, []byte("k"))
	wantErr(t, "get", err, context.Canceled)
	err = s.Scan(gone, p1, kv.Range{}, func(_, _ []byte) error { return errors.New("called") })
	wantErr(t, "scan", err, context.Canceled)
	wantErr(t, "checkpoint", s.Checkpoint(gone), context.Canceled)
	errs := s.Apply(gone, []kv.Batch{{Partition: p1, Ops: puts("k", "2")}, {Partition: p2, Ops: puts("k", "2")}})
	if len(errs) != 2 {
		t.Fatalf("apply: %v; want two errors", errs)
	}
	for _, err := range errs {
		wantErr(t, "apply", err, context.Canceled)
	}
	s.wantGet(p1, "k", "1")
	s.wantNone(p2, "k")
}

func closedSaysSo(t *testing.T, s *subject) {
	s.put(p1, "k", "1")
	s.close()
	_, err := s.Get(ctx, p1, []byte("k"))
	wantErr(t, "get", err, kv.ErrClosed)
	err = s.Scan(ctx, p1, kv.Range{}, func(_, _ []byte) error { return nil })
	wantErr(t, "scan", err, kv.ErrClosed)
	wantErr(t, "checkpoint", s.Checkpoint(ctx), kv.ErrClosed)
	errs := s.Apply(ctx, []kv.Batch{{Partition: p1, Ops: puts("k", "2")}})
	if len(errs) != 1 {
		t.Fatalf("apply: %v; want one error", errs)
	}
	wantErr(t, "apply", errs[0], kv.ErrClosed)
	_ = s.Stats() // of a closed store: anything but a panic
}
