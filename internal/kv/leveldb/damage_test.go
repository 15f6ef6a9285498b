package leveldb

import (
	"context"
	"errors"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/vfs"
)

// filled is a disk with a closed store of n entries in tables.
func filled(t *testing.T, n int) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	s := mustOpen(t, mem, tiny(true))
	for i := range n {
		if errs := s.Apply(ctx, []kv.Batch{batch(i)}); errs != nil {
			t.Fatal(errs)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Opening once more brings the rest of the log into tables.
	if err := mustOpen(t, mem, tiny(true)).Close(); err != nil {
		t.Fatal(err)
	}
	return mem
}

// names lists the store's files of a type.
func names(t *testing.T, fs vfs.FS, typ storage.FileType) (out []string) {
	t.Helper()
	all, err := fs.List("data/kv")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range all {
		if fd, ok := parseName(n); ok && fd.Type == typ {
			out = append(out, path.Join("data/kv", n))
		}
	}
	return out
}

// flip inverts a byte of a file.
func flip(t *testing.T, fs vfs.FS, name string, at int64) {
	t.Helper()
	f, err := fs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0xff
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedTableIsCorrupt(t *testing.T) {
	const n = 300
	mem := filled(t, n)
	tables := names(t, mem, storage.TypeTable)
	for _, name := range tables {
		flip(t, mem, name, 100)
	}
	s := mustOpen(t, mem, tiny(true))
	corrupt := 0
	for i := n - 3*keep; i < n; i++ {
		v, err := s.Get(ctx, partitionOf(i), entry(i))
		switch {
		case errors.Is(err, kv.ErrCorrupt):
			corrupt++
		case err != nil || string(v) != string(body(i)):
			t.Fatalf("entry %d: %d bytes, %v", i, len(v), err)
		}
	}
	err := s.Scan(ctx, partitionOf(0), kv.Range{}, func(_, _ []byte) error { return nil })
	if corrupt == 0 || !errors.Is(err, kv.ErrCorrupt) {
		t.Fatalf("%d tables are damaged; %d reads said so, the scan: %v", len(tables), corrupt, err)
	}
	_ = s.Close()
}

func TestDamageIsFoundAtOpen(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, mem *vfs.Mem){
		"a table is gone": func(t *testing.T, mem *vfs.Mem) {
			if err := mem.Remove(names(t, mem, storage.TypeTable)[0]); err != nil {
				t.Fatal(err)
			}
		},
		"the manifest is gone": func(t *testing.T, mem *vfs.Mem) {
			if err := mem.Remove(names(t, mem, storage.TypeManifest)[0]); err != nil {
				t.Fatal(err)
			}
		},
		"the manifest is damaged": func(t *testing.T, mem *vfs.Mem) {
			flip(t, mem, names(t, mem, storage.TypeManifest)[0], 20)
		},
		"CURRENT is gone": func(t *testing.T, mem *vfs.Mem) {
			if err := mem.Remove("data/kv/CURRENT"); err != nil {
				t.Fatal(err)
			}
		},
		"CURRENT is damaged": func(t *testing.T, mem *vfs.Mem) { flip(t, mem, "data/kv/CURRENT", 3) },
	} {
		mem := filled(t, 300)
		harm(t, mem)
		s, err := Open(mem, "data/kv", tiny(true))
		if !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil {
			_ = s.Close()
		}
	}
}

func TestFolderIsLocked(t *testing.T) {
	mem := vfs.NewMem()
	s := mustOpen(t, mem, lazy())
	if _, err := Open(mem, "data/kv", lazy()); !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("a second open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, mem, lazy()).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLazyLog follows what a lazy log puts on the disk, and when.
func TestLazyLog(t *testing.T) {
	mem := vfs.NewMem()
	s := mustOpen(t, mem, Options{LazyLog: true, WriteBuffer: 1 << 20})
	text := func(i int) kv.Batch {
		return kv.Batch{Partition: []byte("p"), Ops: []kv.Op{{Key: entry(i), Value: []byte(strings.Repeat("text ", 2000))}}}
	}
	before := s.Stats().BytesWritten
	for i := range 10 {
		if errs := s.Apply(ctx, []kv.Batch{text(i)}); errs != nil {
			t.Fatal(errs)
		}
	}
	if st := s.Stats(); st.BytesWritten != before || len(names(t, mem, storage.TypeJournal)) != 0 {
		t.Fatalf("Apply wrote %d bytes", st.BytesWritten-before)
	}
	gone, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	if err := s.Settle(gone); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	if n := s.Stats().BytesWritten - before; n < 100_000 || n > 110_000 {
		t.Fatalf("the checkpoint of 100,000 bytes wrote %d", n)
	}
	if err := s.Checkpoint(ctx); err != nil || s.Stats().BytesWritten-before > 110_000 {
		t.Fatalf("a second checkpoint wrote it again: %v", err)
	}

	// What is in tables needs no log: who waits for them pays for nothing else.
	done := make(chan error, 1)
	go func() { done <- s.Settle(ctx) }()
	for i := 10; ; i++ {
		if errs := s.Apply(ctx, []kv.Batch{text(i)}); errs != nil {
			t.Fatal(errs)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return
		default:
		}
	}
}
