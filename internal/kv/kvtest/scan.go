package kvtest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
)

func scanFollowsByteOrder(t *testing.T, s *subject) {
	keys := []string{
		"\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "aa", "ab", "b",
		"\x7f", "\x80", "\xfe", "\xfe\xff", "\xff", "\xff\x00", "\xff\xff", "\xff\xff\xff",
	}
	want := slices.Clone(keys)
	slices.Sort(want)
	shuffled := slices.Clone(keys)
	for i := range shuffled { // a fixed order unlike the sorted one
		j := i * 7 % len(shuffled)
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	}
	var pairs []string
	for _, k := range shuffled {
		s.put(p1, k, "v"+k)
	}
	for _, k := range want {
		pairs = append(pairs, k, "v"+k)
		s.wantGet(p1, k, "v"+k)
	}
	s.wantScan(p1, kv.Range{}, pairs...)
	for i := range want {
		from, err := s.scan(p1, kv.Range{From: []byte(want[i])})
		if err != nil || !slices.Equal(from, pairs[2*i:]) {
			t.Fatalf("scan from %q: %q, %v", want[i], from, err)
		}
		to, err := s.scan(p1, kv.Range{To: []byte(want[i])})
		if err != nil || !slices.Equal(to, pairs[:2*i]) {
			t.Fatalf("scan to %q: %q, %v", want[i], to, err)
		}
	}
}

func scanHonoursRange(_ *testing.T, s *subject) {
	s.put(p1, "b", "2", "d", "4", "f", "6", "h", "8")
	from := func(r kv.Range, from, to string) kv.Range {
		r.From, r.To = []byte(from), []byte(to)
		return r
	}
	s.wantScan(p1, from(kv.Range{}, "d", "h"), "d", "4", "f", "6")
	s.wantScan(p1, from(kv.Range{}, "c", "g"), "d", "4", "f", "6")
	s.wantScan(p1, from(kv.Range{Limit: 1}, "c", "g"), "d", "4")
	s.wantScan(p1, from(kv.Range{Limit: 9}, "c", "g"), "d", "4", "f", "6")
	s.wantScan(p1, from(kv.Range{Reverse: true}, "d", "h"), "f", "6", "d", "4")
	s.wantScan(p1, from(kv.Range{Reverse: true, Limit: 1}, "b", "h"), "f", "6")
	s.wantScan(p1, kv.Range{Reverse: true, Limit: 2}, "h", "8", "f", "6")
	s.wantScan(p1, kv.Range{Reverse: true}, "h", "8", "f", "6", "d", "4", "b", "2")
	s.wantScan(p1, kv.Range{From: []byte("f")}, "f", "6", "h", "8")
	s.wantScan(p1, kv.Range{To: []byte("d"), Reverse: true}, "b", "2")
	s.wantScan(p1, from(kv.Range{}, "d", "d"))
	s.wantScan(p1, from(kv.Range{}, "f", "c"))
	s.wantScan(p1, from(kv.Range{Reverse: true}, "f", "c"))
	s.wantScan(p1, kv.Range{From: []byte("z")})
	s.wantScan(p1, kv.Range{To: []byte("a")})
	s.wantScan(p1, kv.Range{From: []byte{}, To: []byte{}})
	s.wantScan(p1, kv.Range{From: []byte{}, Limit: 1}, "b", "2")
	s.wantScan(p2, kv.Range{})
}

func scanEnds(t *testing.T, s *subject) {
	s.put(p1, "a", "1", "b", "2", "c", "3")
	calls := 0
	err := s.Scan(ctx, p1, kv.Range{}, func(_, _ []byte) error {
		if calls++; calls == 2 {
			return kv.Stop
		}
		return nil
	})
	if err != nil || calls != 2 {
		t.Fatalf("after Stop: %d calls, %v", calls, err)
	}
	mine, calls := errors.New("mine"), 0
	err = s.Scan(ctx, p1, kv.Range{Reverse: true}, func(_, _ []byte) error {
		calls++
		return mine
	})
	if !errors.Is(err, mine) || calls != 1 {
		t.Fatalf("after an error: %d calls, %v", calls, err)
	}
}

func scanSeesOneState(t *testing.T, s *subject) {
	const n = 300
	for i := range n {
		s.put(p1, fmt.Sprintf("%03d", i), "old")
	}
	seen := 0
	err := s.Scan(ctx, p1, kv.Range{}, func(k, v []byte) error {
		if seen++; seen == 1 { // change what is still to come
			s.apply(kv.Batch{Partition: p1, Ops: append(puts("200", "new", "500", "new"), kv.Op{Key: []byte("100"), Delete: true})})
		}
		if string(v) != "old" {
			return fmt.Errorf("key %s is %s", k, v)
		}
		return nil
	})
	if err != nil || seen != n {
		t.Fatalf("saw %d of %d: %v", seen, n, err)
	}
	s.wantGet(p1, "500", "new")
	s.wantNone(p1, "100")
}

func scanMayNest(t *testing.T, s *subject) {
	s.put(p1, "a", "1", "b", "2")
	s.put(p2, "a", "x", "b", "y")
	var got []string
	err := s.Scan(ctx, p1, kv.Range{}, func(k, _ []byte) error {
		v, err := s.Get(ctx, p2, k)
		if err != nil {
			return err
		}
		got = append(got, string(v))
		return s.Scan(ctx, p2, kv.Range{From: k}, func(_, _ []byte) error { return kv.Stop })
	})
	if err != nil || !slices.Equal(got, []string{"x", "y"}) {
		t.Fatalf("%q, %v", got, err)
	}
}

func partitionsDoNotLeak(_ *testing.T, s *subject) {
	names := []string{"a", "ab", "a\x00", "a\x00b", "\x00", "\xff", "\xff\xff", "b", "a\xff", "a/k", string(fill(kv.MaxPartition)), string(fill(kv.MaxPartition - 1))}
	keys := []string{"\x00", "k", "b", "\x00b", "\xff", "/k"}
	for _, n := range names {
		for _, k := range keys {
			s.put([]byte(n), k, n+"|"+k)
		}
	}
	slices.Sort(keys)
	for _, n := range names {
		var want, backwards []string
		for _, k := range keys {
			want = append(want, k, n+"|"+k)
			backwards = append([]string{k, n + "|" + k}, backwards...)
		}
		s.wantScan([]byte(n), kv.Range{}, want...)
		s.wantScan([]byte(n), kv.Range{Reverse: true}, backwards...)
		s.wantScan([]byte(n), kv.Range{From: []byte("\xff\xff")})
		s.wantScan([]byte(n), kv.Range{From: []byte("\xff")}, "\xff", n+"|\xff")
	}
	s.wantNone([]byte("a"), "bk")
	s.wantScan([]byte("ac"), kv.Range{})
}
