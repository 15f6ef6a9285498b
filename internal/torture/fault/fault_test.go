package fault

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/torture/check"
)

// Each fault names a field that the report has, and list shows them all.
func TestFaultsAreNamed(t *testing.T) {
	var out bytes.Buffer
	if err := List(&out); err != nil {
		t.Fatal(err)
	}
	if len(All()) < 6 {
		t.Error("too few")
	}
	for _, f := range All() {
		if !slices.Contains(check.Fields(), check.Field(f.Field)) {
			t.Errorf("%s: no field %q", f.Name, f.Field)
		}
		if f.FS == nil && f.Log == nil && f.KV == nil && f.Service == nil {
			t.Errorf("%s decorates nothing", f.Name)
		}
		if got, err := Find(f.Name); err != nil || got.Name != f.Name || !strings.Contains(out.String(), f.Name+" ") {
			t.Errorf("%s is not found or not listed: %v", f.Name, err)
		}
	}
	if _, err := Find("none-such"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if f, err := Find(""); err != nil || f.FS != nil || f.Log != nil || f.KV != nil {
		t.Errorf("no fault: %+v %v", f, err)
	}
}

// Every second row is dropped, with nothing else, and nobody is told.
func TestDropper(t *testing.T) {
	ctx := t.Context()
	d := &dropper{Store: memory.New(), drops: rows(), nth: 2}
	for i := range byte(4) {
		errs := d.Apply(ctx, []kv.Batch{
			{Partition: []byte("u-one"), Ops: []kv.Op{{Key: []byte("l1"), Value: []byte{i}}, {Key: []byte("i1"), Value: []byte{i}}}},
			{Partition: []byte("c-one"), Ops: []kv.Op{{Key: []byte("l1"), Value: []byte{i}}}},
		})
		if errs != nil {
			t.Fatal(errs)
		}
	}
	for _, want := range []struct {
		partition, key string
		value          byte
	}{{"u-one", "l1", 2}, {"u-one", "i1", 3}, {"c-one", "l1", 3}} {
		got, err := d.Get(ctx, []byte(want.partition), []byte(want.key))
		if err != nil || !bytes.Equal(got, []byte{want.value}) {
			t.Errorf("%s %s: %v %v, want %d", want.partition, want.key, got, err, want.value)
		}
	}
}
