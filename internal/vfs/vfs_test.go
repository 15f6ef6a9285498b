package vfs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/merchantim/merchantim/internal/vfs"
)

func engines(t *testing.T) map[string]vfs.FS {
	pass := func(vfs.Op) vfs.Fault { return vfs.Fault{} }
	return map[string]vfs.FS{
		"os":       vfs.OS(),
		"mem":      vfs.NewMem(),
		"faulty":   vfs.Faulty(vfs.NewMem(), pass),
		"unsynced": vfs.Unsynced(vfs.OS(), 0.3, 1),
	}
}

// Every engine answers reads as if writes went straight to one byte slice.
func TestFilesHoldWhatWasWritten(t *testing.T) {
	for name, fsys := range engines(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.ToSlash(t.TempDir())
			must(t, fsys.MkdirAll(dir))
			f, err := fsys.Create(dir + "/a")
			must(t, err)
			rng := rand.New(rand.NewPCG(1, 2))
			var model []byte
			for range 500 {
				model = randomStep(t, rng, f, model)
			}
			again, err := fsys.Open(dir + "/a")
			must(t, err)
			if got := readAll(t, again); !bytes.Equal(got, model) {
				t.Fatalf("a second handle reads other bytes: %d of %d", len(got), len(model))
			}
			must(t, f.Close())
			must(t, again.Close())
		})
	}
}

func randomStep(t *testing.T, rng *rand.Rand, f vfs.File, model []byte) []byte {
	t.Helper()
	switch rng.IntN(10) {
	case 0:
		n := rng.IntN(20_000)
		must(t, f.Truncate(int64(n)))
		model = append(model[:min(n, len(model))], make([]byte, max(0, n-len(model)))...)
	case 1:
		n := rng.IntN(20_000)
		must(t, f.Preallocate(int64(n)))
		model = append(model, make([]byte, max(0, n-len(model)))...)
	case 2:
		must(t, f.Sync())
	case 3:
		must(t, f.Datasync())
	default:
		off, p := rng.IntN(20_000), bytes.Repeat([]byte{byte(1 + rng.IntN(255))}, 1+rng.IntN(9000))
		_, err := f.WriteAt(p, int64(off))
		must(t, err)
		model = append(model, make([]byte, max(0, off+len(p)-len(model)))...)
		copy(model[off:], p)
	}
	if got := readAll(t, f); !bytes.Equal(got, model) {
		t.Fatalf("content differs: %d bytes, want %d", len(got), len(model))
	}
	return model
}

func TestNames(t *testing.T) {
	for name, fsys := range engines(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.ToSlash(t.TempDir()) + "/d"
			must(t, fsys.MkdirAll(dir))
			write(t, fsys, dir+"/b", "old")
			write(t, fsys, dir+"/a", "new")
			must(t, fsys.Rename(dir+"/a", dir+"/b"))
			must(t, fsys.SyncDir(dir))
			names, err := fsys.List(dir)
			must(t, err)
			if fmt.Sprint(names) != "[b]" {
				t.Fatalf("after the rename: %v", names)
			}
			f, err := fsys.Open(dir + "/b")
			must(t, err)
			must(t, fsys.Remove(dir+"/b"))
			if got := readAll(t, f); string(got) != "new" {
				t.Fatalf("a removed file reads %q through its handle", got)
			}
			must(t, f.Close())
			if _, err := fsys.Open(dir + "/b"); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("open a removed file: %v", err)
			}
		})
	}
}

func TestLockIsExclusive(t *testing.T) {
	for name, fsys := range engines(t) {
		t.Run(name, func(t *testing.T) {
			dir := filepath.ToSlash(t.TempDir())
			must(t, fsys.MkdirAll(dir))
			lock, err := fsys.Lock(dir + "/lock")
			must(t, err)
			if _, err := fsys.Lock(dir + "/lock"); !errors.Is(err, vfs.ErrLocked) {
				t.Fatalf("second lock: %v", err)
			}
			must(t, lock.Close())
			lock, err = fsys.Lock(dir + "/lock")
			must(t, err)
			must(t, lock.Close())
		})
	}
}

// A crash keeps what was synced, and loses the rest in some runs and keeps it,
// whole or torn, in others.
func TestMemCrash(t *testing.T) {
	outcomes := map[string]int{}
	for seed := range uint64(200) {
		m := vfs.NewMem()
		write(t, m, "/synced", "base")
		f, err := m.Open("/synced")
		must(t, err)
		must(t, f.Sync())
		must(t, m.SyncDir("/"))
		_, err = f.WriteAt(bytes.Repeat([]byte("x"), 2048), 4)
		must(t, err)
		write(t, m, "/unnamed", "content")

		after := m.Crash(rand.New(rand.NewPCG(seed, 0)))
		if _, err := f.WriteAt([]byte("y"), 0); !errors.Is(err, vfs.ErrCrashed) {
			t.Fatalf("write after the crash: %v", err)
		}
		f, err = after.Open("/synced")
		must(t, err)
		got := readAll(t, f)
		if !bytes.HasPrefix(got, []byte("base")) {
			t.Fatalf("synced content is gone: %q", got)
		}
		switch n := bytes.Count(got, []byte("x")); n {
		case 0:
			outcomes["lost"]++
		case 2048:
			outcomes["kept"]++
		default:
			outcomes["torn"]++
		}
		if _, err := after.Open("/unnamed"); err == nil {
			outcomes["named"]++
		} else {
			outcomes["unnamed"]++
		}
	}
	for _, o := range []string{"lost", "kept", "torn", "named", "unnamed"} {
		if outcomes[o] < 10 {
			t.Errorf("outcome %s in %d of 200 runs", o, outcomes[o])
		}
	}
}

func TestMemLimit(t *testing.T) {
	m := vfs.NewMem()
	m.SetLimit(1000)
	f, err := m.Create("/a")
	must(t, err)
	must(t, f.Preallocate(900))
	if _, err := f.WriteAt(make([]byte, 200), 850); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("write over the limit: %v", err)
	}
	if err := f.Preallocate(1001); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("preallocate over the limit: %v", err)
	}
	must(t, m.Remove("/a"))
	write(t, m, "/b", string(make([]byte, 1000)))
}

func TestFaultyWrites(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		fault vfs.Fault
		want  string
		err   error
	}{
		{"fails before", vfs.Fault{Effect: vfs.Nothing, Err: broken}, "........", broken},
		{"fails after", vfs.Fault{Err: broken}, ".abcd...", broken},
		{"lies", vfs.Fault{Effect: vfs.Nothing}, "........", nil},
		{"short", vfs.Fault{Effect: vfs.Short, At: 2, Err: broken}, ".ab.....", broken},
		{"flipped", vfs.Fault{Effect: vfs.Flipped, At: 9}, ".a`cd...", nil},
		{"misplaced", vfs.Fault{Effect: vfs.Misplaced, At: 3}, "....abcd", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := vfs.NewMem()
			write(t, m, "/a", "........")
			fsys := vfs.Faulty(m, func(op vfs.Op) vfs.Fault {
				if op.Kind == vfs.OpWrite {
					return c.fault
				}
				return vfs.Fault{}
			})
			f, err := fsys.Open("/a")
			must(t, err)
			if _, err := f.WriteAt([]byte("abcd"), 1); !errors.Is(err, c.err) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if got := string(readAll(t, f)); got != c.want {
				t.Fatalf("file holds %q, want %q", got, c.want)
			}
		})
	}
}

// What a killed process leaves is what lies below Unsynced at that moment.
func TestUnsyncedKeepsContentFromTheDisk(t *testing.T) {
	below := vfs.NewMem()
	lossy := vfs.Unsynced(below, 0, 0)
	write(t, lossy, "/tmp", "hello")
	must(t, lossy.Rename("/tmp", "/a"))
	f, err := lossy.Open("/a")
	must(t, err)
	if got := readAll(t, f); string(got) != "hello" {
		t.Fatalf("through Unsynced: %q", got)
	}
	if got := contents(t, below, "/a"); got != "" {
		t.Fatalf("below, before the sync: %q", got)
	}
	must(t, f.Datasync())
	if got := contents(t, below, "/a"); got != "hello" {
		t.Fatalf("below, after the sync: %q", got)
	}
}

func contents(t *testing.T, fsys vfs.FS, name string) string {
	t.Helper()
	f, err := fsys.Open(name)
	must(t, err)
	return string(readAll(t, f))
}

func write(t *testing.T, fsys vfs.FS, name, content string) {
	t.Helper()
	f, err := fsys.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte(content), 0)
	must(t, err)
	must(t, f.Close())
}

func readAll(t *testing.T, f vfs.File) []byte {
	t.Helper()
	size, err := f.Size()
	must(t, err)
	p := make([]byte, size+1)
	n, err := f.ReadAt(p, 0)
	if err != io.EOF || int64(n) != size {
		t.Fatalf("read %d of %d bytes: %v", n, size, err)
	}
	return p[:n]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
