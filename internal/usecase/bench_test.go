package usecase_test

import (
	"testing"

	hotmemory "github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/leveldb"
	"github.com/merchantim/merchantim/internal/vfs"
)

// onDisk is the engine of the embedded profile.
func onDisk(b *testing.B) kv.Store {
	b.Helper()
	s, err := leveldb.Open(vfs.OS(), b.TempDir(), leveldb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// The first page after a restart fills hot state from the store.
func BenchmarkColdFirstPage(b *testing.B) {
	d := newDesk(b, onDisk(b), 50_000)
	for b.Loop() {
		d.svc.Recents = hotmemory.New(hotmemory.Options{})
		if _, refusal := d.svc.List(b.Context(), agent, "", 0, 200); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func BenchmarkWholeList(b *testing.B) {
	d := newDesk(b, onDisk(b), 50_000)
	for b.Loop() {
		d.read(0, 200, func(int) {})
	}
}
