package kvtest

import (
	"encoding/binary"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
)

func limitsAreRefused(t *testing.T, s *subject) {
	big := make([]kv.Op, 5)
	for i := range big {
		big[i] = kv.Op{Key: []byte{byte(i)}, Value: fill(kv.MaxValue)}
	}
	many := make([]kv.Op, kv.MaxBatchOps)
	for i := range many {
		many[i] = kv.Op{Key: binary.BigEndian.AppendUint16(nil, uint16(i))}
	}
	good := puts("good", "1")
	for name, b := range map[string]kv.Batch{
		"no partition":          {Ops: good},
		"partition too long":    {Partition: fill(kv.MaxPartition + 1), Ops: good},
		"no key":                {Partition: p1, Ops: append(good, kv.Op{Value: []byte("x")})},
		"key too long":          {Partition: p1, Ops: append(good, kv.Op{Key: fill(kv.MaxKey + 1)})},
		"deleting no key":       {Partition: p1, Ops: append(good, kv.Op{Delete: true})},
		"value too long":        {Partition: p1, Ops: append(good, kv.Op{Key: []byte("k"), Value: fill(kv.MaxValue + 1)})},
		"condition without key": {Partition: p1, If: []kv.Cond{{Absent: true}}, Ops: good},
		"condition's key long":  {Partition: p1, If: []kv.Cond{{Key: fill(kv.MaxKey + 1), Absent: true}}, Ops: good},
		"too many operations":   {Partition: p1, Ops: append(many, good...)},
		"operations and ifs":    {Partition: p1, If: absent("k"), Ops: many},
		"too many bytes":        {Partition: p1, Ops: append(good, big...)},
	} {
		errs := s.Apply(ctx, []kv.Batch{b})
		if len(errs) != 1 {
			t.Fatalf("%s: %v; want one error", name, errs)
		}
		wantErr(t, name, errs[0], kv.ErrTooLarge)
	}
	s.wantScan(p1, kv.Range{})

	for _, bad := range [][2][]byte{{nil, []byte("k")}, {fill(kv.MaxPartition + 1), []byte("k")}, {p1, nil}, {p1, fill(kv.MaxKey + 1)}} {
		_, err := s.Get(ctx, bad[0], bad[1])
		wantErr(t, "get", err, kv.ErrTooLarge)
	}
	for _, bad := range [][]byte{nil, fill(kv.MaxPartition + 1)} {
		err := s.Scan(ctx, bad, kv.Range{}, func(_, _ []byte) error { return nil })
		wantErr(t, "scan", err, kv.ErrTooLarge)
	}
}

func limitsAreReached(t *testing.T, s *subject) {
	part, key := fill(kv.MaxPartition), fill(kv.MaxKey)
	value := fill(kv.MaxValue)
	s.apply(kv.Batch{Partition: part, Ops: []kv.Op{{Key: key, Value: value}}})
	got, err := s.Get(ctx, part, key)
	if err != nil || string(got) != string(value) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}

	many := make([]kv.Op, kv.MaxBatchOps)
	for i := range many {
		many[i] = kv.Op{Key: binary.BigEndian.AppendUint16(nil, uint16(i)), Value: fill(1000)}
	}
	s.apply(kv.Batch{Partition: p1, Ops: many})
	n := 0
	err = s.Scan(ctx, p1, kv.Range{}, func(k, v []byte) error {
		if binary.BigEndian.Uint16(k) != uint16(n) || len(v) != 1000 {
			t.Fatalf("entry %d is %x with %d bytes", n, k, len(v))
		}
		n++
		return nil
	})
	if err != nil || n != kv.MaxBatchOps {
		t.Fatalf("scanned %d: %v", n, err)
	}
}
