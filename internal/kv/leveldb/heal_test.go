package leveldb

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/vfs"
)

// weather makes a share of the operations fail, before or after their effect,
// as long as it is bad.
type weather struct {
	mu    sync.Mutex
	rng   *rand.Rand
	bad   float64
	fails int
}

func (w *weather) set(bad float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bad = bad
}

func (w *weather) decide(op vfs.Op) vfs.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rng.Float64() >= w.bad {
		return vfs.Fault{}
	}
	w.fails++
	f := vfs.Fault{Err: syscall.EIO, Effect: vfs.Effect(w.rng.IntN(2))}
	if op.Kind == vfs.OpWrite && w.rng.IntN(2) == 0 {
		f.Effect, f.At = vfs.Short, w.rng.Int64N(int64(len(op.Data)))
	}
	return f
}

// TestFailingDiskHeals sends a store through good and bad weather. What Apply
// took must be there whenever the sky clears, and after a loss of power what
// was checkpointed.
func TestFailingDiskHeals(t *testing.T) {
	skipUnderRace(t)
	fails := 0
	for _, lazy := range []bool{false, true} {
		for seed := range uint64(20) {
			t.Logf("lazy %v, seed %d", lazy, seed)
			rng := rand.New(rand.NewPCG(seed, 3))
			w := &weather{rng: rand.New(rand.NewPCG(seed, 4))}
			mem := vfs.NewMem()
			s := mustOpen(t, vfs.Faulty(mem, w.decide), tiny(lazy))
			h := &history{rng: rng}
			for range 5 {
				h.storm(s, w, []float64{0.02, 0.2, 1}[rng.IntN(3)])
				h.clearSky(t, s)
			}
			w.set([]float64{0, 0, 0.05}[rng.IntN(3)])
			_ = h.checkpoint(s)
			next := mem.Crash(rng)
			_ = s.Close()
			s = mustOpen(t, next, tiny(lazy))
			h.resume(t, s)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			fails += w.fails
		}
	}
	if fails < 1000 {
		t.Fatalf("only %d operations failed", fails)
	}
}

// storm uses the store while its disk fails. After an error of Apply its
// batches may or may not have taken effect, so the writer stops and waits.
func (h *history) storm(s *Store, w *weather, bad float64) {
	w.set(bad)
	defer w.set(0)
	for range 60 {
		if h.rng.IntN(10) == 0 {
			_ = h.checkpoint(s)
		}
		if h.write(s) != nil {
			// A caller tries again and again; an empty batch heals as well.
			for range 5 {
				s.Apply(ctx, []kv.Batch{{Partition: []byte("x")}})
				_, _ = s.Get(ctx, partitionOf(0), []byte("head"))
			}
			return
		}
	}
}

// clearSky waits for the store to work again: it must show all that it took.
func (h *history) clearSky(t *testing.T, s *Store) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		errs := s.Apply(ctx, []kv.Batch{{Partition: []byte("x"), Ops: []kv.Op{{Key: []byte("x"), Value: body(300)}}}})
		if errs == nil {
			break
		}
		if !errors.Is(errs[0], kv.ErrUnavailable) {
			t.Fatalf("in bad weather: %v", errs[0])
		}
		if time.Since(began) > 20*time.Second {
			t.Fatalf("does not heal: %v", errs[0])
		}
	}
	before := *h
	h.durable = h.applied // no power was lost: all must be there
	h.resume(t, s)
	h.durable = before.durable
}

// TestFullDisk: a full disk stops writers, not readers; with room again the
// store goes on as if nothing had been.
func TestFullDisk(t *testing.T) {
	skipUnderRace(t)
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			mem := vfs.NewMem()
			s := mustOpen(t, mem, tiny(lazy))
			defer func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			mem.SetLimit(100 << 10)
			put := func(i int) error {
				value := bytes.Repeat([]byte(fmt.Sprint(i)), 300)
				return errors.Join(s.Apply(ctx, []kv.Batch{{Partition: []byte("p"), Ops: []kv.Op{{Key: entry(i), Value: value}}}})...)
			}
			n := 0
			for ; n < 100_000; n++ {
				if err := put(n); err != nil {
					if !errors.Is(err, kv.ErrUnavailable) {
						t.Fatalf("full: %v", err)
					}
					break
				}
			}
			if err := s.Checkpoint(ctx); err != nil && !errors.Is(err, kv.ErrUnavailable) {
				t.Fatalf("checkpoint on a full disk: %v", err)
			}
			for i := range n {
				if _, err := s.Get(ctx, []byte("p"), entry(i)); err != nil {
					t.Fatalf("get %d of %d: %v", i, n, err)
				}
			}
			mem.SetLimit(0)
			for began := time.Now(); put(n) != nil; time.Sleep(time.Millisecond) {
				if time.Since(began) > 20*time.Second {
					t.Fatal("does not heal")
				}
			}
			if err := s.Checkpoint(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFailedSyncIsWrittenAgain: what the machine had taken before a failed sync
// may be gone from its memory too, so the second try must not count on it.
func TestFailedSyncIsWrittenAgain(t *testing.T) {
	mem, sick := vfs.NewMem(), true
	fs := vfs.Faulty(mem, func(op vfs.Op) vfs.Fault {
		switch {
		case !sick || path.Ext(op.Name) != ".log":
			return vfs.Fault{}
		case op.Kind == vfs.OpWrite:
			return vfs.Fault{Effect: vfs.Nothing} // taken, and dropped by the failing sync
		case op.Kind == vfs.OpSync:
			return vfs.Fault{Effect: vfs.Nothing, Err: syscall.EIO}
		}
		return vfs.Fault{}
	})
	s := mustOpen(t, fs, Options{LazyLog: true})
	put := func(k string) {
		t.Helper()
		if errs := s.Apply(ctx, []kv.Batch{{Partition: []byte("p"), Ops: []kv.Op{{Key: []byte(k), Value: body(299)}}}}); errs != nil {
			t.Fatal(errs)
		}
	}
	put("a")
	if err := s.Checkpoint(ctx); !errors.Is(err, kv.ErrUnavailable) {
		t.Fatalf("checkpoint: %v", err)
	}
	sick = false
	put("b")
	if err := s.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	next := mem.Crash(rand.New(rand.NewPCG(1, 1)))
	_ = s.Close()
	s = mustOpen(t, next, Options{})
	for _, k := range []string{"a", "b"} {
		if _, err := s.Get(ctx, []byte("p"), []byte(k)); err != nil {
			t.Errorf("get %s: %v", k, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
