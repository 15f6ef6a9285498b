package redis

import (
	"errors"
	"fmt"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
)

// change applies one operation in the middle of a scan over several pages.
func change(t *testing.T, op kv.Op) (seen int, err error) {
	t.Helper()
	o := mini(t)
	o.pageEntries = 7
	s := mustOpen(t, o)
	defer func() { _ = s.Close() }()
	var ops []kv.Op
	for i := range 50 {
		ops = append(ops, kv.Op{Key: fmt.Appendf(nil, "k%02d", i), Value: []byte("old")})
	}
	apply := func(ops ...kv.Op) {
		if errs := s.Apply(ctx, []kv.Batch{{Partition: []byte("p"), Ops: ops}}); errs != nil {
			t.Fatal(errs)
		}
	}
	apply(ops...)
	err = s.Scan(ctx, []byte("p"), kv.Range{From: []byte("k"), To: []byte("l")}, func(k, _ []byte) error {
		if string(k) != fmt.Sprintf("k%02d", seen) {
			t.Errorf("entry %d is %s", seen, k)
		}
		if seen++; seen == 20 {
			apply(op)
		}
		return nil
	})
	return seen, err
}

// What is behind the pages delivered, or outside of the range, may change.
func TestScanGoesOnWithTheNewState(t *testing.T) {
	for name, c := range map[string]struct {
		op   kv.Op
		want int
	}{
		"outside":  {kv.Op{Key: []byte("head"), Value: []byte("new")}, 50},
		"appended": {kv.Op{Key: []byte("k50"), Value: []byte("new")}, 51},
		"removed":  {kv.Op{Key: []byte("k49"), Delete: true}, 49},
	} {
		if n, err := change(t, c.op); err != nil || n != c.want {
			t.Errorf("%s: %d entries, %v; want %d", name, n, err, c.want)
		}
	}
}

// What was delivered may not: no state has it and what is to come.
func TestScanRefusesToMixStates(t *testing.T) {
	for name, op := range map[string]kv.Op{
		"overwritten": {Key: []byte("k03"), Value: []byte("new")},
		"removed":     {Key: []byte("k03"), Delete: true},
		"between":     {Key: []byte("k03a"), Value: []byte("new")},
	} {
		if n, err := change(t, op); !errors.Is(err, kv.ErrUnavailable) || n < 20 || n >= 50 {
			t.Errorf("%s: %d entries, %v", name, n, err)
		}
	}
}
