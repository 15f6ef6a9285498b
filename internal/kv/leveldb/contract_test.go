package leveldb

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/kvtest"
	"github.com/merchantim/merchantim/internal/vfs"
)

// After Close goleveldb keeps one goroutine for up to a second, to empty a pool.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// small makes tables and compactions happen within a test.
func small() Options {
	return Options{WriteBuffer: 64 << 10, BlockCache: 1 << 20, TableSize: 32 << 10}
}

func lazy() Options {
	o := small()
	o.LazyLog = true
	return o
}

func mustOpen(t testing.TB, fs vfs.FS, o Options) *Store {
	t.Helper()
	s, err := Open(fs, "data/kv", o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	for name, o := range map[string]Options{"log": small(), "lazy log": lazy()} {
		t.Run(name, func(t *testing.T) {
			disks := map[kv.Store]vfs.FS{}
			kvtest.Run(t, func(t *testing.T) kv.Store {
				fs := vfs.NewMem()
				s := mustOpen(t, fs, o)
				disks[s] = fs
				return s
			}, kvtest.Features{Reopen: func(t *testing.T, s kv.Store) kv.Store {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				next := mustOpen(t, disks[s], o)
				disks[next] = disks[s]
				return next
			}})
		})
	}
}
