package leveldb

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/vfs"
)

// fill writes so much that does not compress that tables must be made, and
// waits until one is.
func fill(t *testing.T, s *Store, mem int) {
	t.Helper()
	before := s.Stats().BytesWritten
	for i := 0; s.Stats().BytesWritten < before+int64(mem); i++ {
		value := make([]byte, 8<<10)
		_, _ = rand.Read(value) // it never fails
		ops := []kv.Op{{Key: fmt.Appendf(nil, "%08d", i), Value: value}}
		for _, err := range s.Apply(context.Background(), []kv.Batch{{Partition: []byte("p"), Ops: ops}}) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A table is made piece by piece with rests between, but not when writes are
// about to catch up with it.
func TestTablesAreMadeAtACalmPace(t *testing.T) {
	var rests atomic.Int64
	var hurry atomic.Bool
	s := mustOpen(t, vfs.NewMem(), Options{WriteBuffer: 1 << 20, LazyLog: true})
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	s.disk.pace.hurry = hurry.Load
	s.disk.pace.rest = func(d time.Duration) {
		if d <= 0 || d > restMost {
			t.Errorf("a rest of %v", d)
		}
		rests.Add(1)
	}
	fill(t, s, 4<<20)
	if rests.Load() == 0 {
		t.Error("nobody rested")
	}
	hurry.Store(true)
	fill(t, s, 1<<20) // what was under way is over
	rests.Store(0)
	fill(t, s, 4<<20)
	if n := rests.Load(); n != 0 {
		t.Errorf("%d rests in a hurry", n)
	}
}

// Whoever cannot make a table in time is in a hurry, and so is who closes.
func TestHurry(t *testing.T) {
	s := mustOpen(t, vfs.NewMem(), Options{WriteBuffer: 1 << 20, LazyLog: true})
	if s.hurry() {
		t.Error("an empty store is in a hurry")
	}
	w := s.disk.wal
	next := w.end().num + 1
	seg := w.create(next)
	w.append(seg, make([]byte, 512<<10))
	if s.hurry() {
		t.Error("half a log behind is a reason to hurry")
	}
	w.append(seg, []byte("and one more"))
	if !s.hurry() {
		t.Error("more than half a log behind is no reason to hurry")
	}
	w.remove(next)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !s.hurry() {
		t.Error("a closed store takes its time")
	}
	s.pause(time.Hour) // does not wait
}
