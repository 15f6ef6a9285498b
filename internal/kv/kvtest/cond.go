package kvtest

import (
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
)

// wantConflict applies one batch that must be refused.
func (s *subject) wantConflict(b kv.Batch) {
	s.t.Helper()
	errs := s.Apply(ctx, []kv.Batch{b})
	if len(errs) != 1 {
		s.t.Fatalf("apply: %v; want one error", errs)
	}
	wantErr(s.t, "apply", errs[0], kv.ErrConflict)
}

func conditionsGuard(_ *testing.T, s *subject) {
	head := func(cond []kv.Cond, v string) kv.Batch {
		return kv.Batch{Partition: p1, If: cond, Ops: puts("head", v, "entry "+v, "x")}
	}
	s.wantConflict(head(equal("head", ""), "0"))
	s.wantConflict(head(equal("head", "1"), "0"))
	s.apply(head(absent("head"), "1"))
	s.wantConflict(head(absent("head"), "0"))
	s.wantConflict(head(equal("head", "10"), "0"))
	s.wantConflict(head(equal("head", ""), "0"))
	s.apply(head(equal("head", "1"), "2"))
	s.wantConflict(head(append(equal("head", "2"), absent("entry 2")...), "0"))
	s.wantConflict(head(append(absent("nothing"), equal("head", "1")...), "0"))
	s.apply(head(append(equal("head", "2"), absent("nothing")...), "3"))
	s.wantConflict(kv.Batch{Partition: p1, If: equal("head", "1")})
	s.apply(kv.Batch{Partition: p1, If: equal("head", "3")})
	s.wantScan(p1, kv.Range{}, "entry 1", "x", "entry 2", "x", "entry 3", "x", "head", "3")

	s.apply(kv.Batch{Partition: p1, If: equal("head", "3"), Ops: []kv.Op{{Key: []byte("head"), Delete: true}}})
	s.apply(head(absent("head"), "4"))
	s.wantGet(p1, "head", "4")
}

func conditionsSeeEarlier(t *testing.T, s *subject) {
	del := []kv.Op{{Key: []byte("k"), Delete: true}}
	s.apply(
		kv.Batch{Partition: p1, If: absent("k"), Ops: puts("k", "1")},
		kv.Batch{Partition: p1, If: equal("k", "1"), Ops: puts("k", "2", "k", "3")},
		kv.Batch{Partition: p1, If: equal("k", "3"), Ops: del},
		kv.Batch{Partition: p1, If: absent("k"), Ops: append(puts("k", "4"), del...)},
		kv.Batch{Partition: p1, If: absent("k"), Ops: puts("k", "5")},
		kv.Batch{Partition: p1, Ops: puts("k", "6")},
		kv.Batch{Partition: p1, If: equal("k", "6"), Ops: puts("k", "7")},
		kv.Batch{Partition: p2, If: absent("k"), Ops: puts("k", "8")},
	)
	s.wantGet(p1, "k", "7")
	s.wantGet(p2, "k", "8")

	errs := s.Apply(ctx, []kv.Batch{
		{Partition: p1, If: equal("k", "7"), Ops: puts("k", "a")},
		{Partition: p1, If: equal("k", "7"), Ops: puts("k", "b")}, // no longer
		{Partition: p1, If: equal("k", "b"), Ops: puts("k", "c")}, // never was
		{Partition: p1, If: equal("k", "a"), Ops: puts("k", "d")},
	})
	for i, want := range []error{nil, kv.ErrConflict, kv.ErrConflict, nil} {
		if len(errs) != 4 {
			t.Fatalf("errors: %v", errs)
		}
		wantErr(t, "apply", errs[i], want)
	}
	s.wantGet(p1, "k", "d")
}

func conditionsOfPartition(_ *testing.T, s *subject) {
	s.put(p1, "k", "1")
	s.apply(kv.Batch{Partition: p2, If: absent("k"), Ops: puts("other", "1")})
	s.wantConflict(kv.Batch{Partition: p2, If: equal("k", "1"), Ops: puts("other", "2")})
	s.apply(
		kv.Batch{Partition: p1, Ops: puts("k", "2")},
		kv.Batch{Partition: p2, If: absent("k"), Ops: puts("other", "3")},
	)
	s.wantGet(p2, "other", "3")
}

func conflictSparesOthers(t *testing.T, s *subject) {
	s.put(p1, "k", "1")
	errs := s.Apply(ctx, []kv.Batch{
		{Partition: p1, Ops: puts("first", "x")},
		{Partition: p1, If: absent("k"), Ops: puts("second", "x", "k", "lost")},
		{Partition: p1, Ops: append(puts("fifth", "x"), kv.Op{Key: fill(kv.MaxKey + 1)})},
		{Partition: p2, Ops: puts("third", "x")},
		{Partition: p1, If: equal("k", "1"), Ops: puts("fourth", "x")},
	})
	if len(errs) != 5 {
		t.Fatalf("errors: %v", errs)
	}
	for i, want := range []error{nil, kv.ErrConflict, kv.ErrTooLarge, nil, nil} {
		wantErr(t, "apply", errs[i], want)
	}
	s.wantScan(p1, kv.Range{}, "first", "x", "fourth", "x", "k", "1")
	s.wantScan(p2, kv.Range{}, "third", "x")
}
