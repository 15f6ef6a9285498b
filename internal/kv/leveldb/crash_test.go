package leveldb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/vfs"
)

var ctx = context.Background()

// history is a long row of numbered batches in three partitions. Batch i sets
// its partition's head to i, adds an entry and takes an old one away; so what a
// store holds shows which batches it has seen.
type history struct {
	rng     *rand.Rand
	tried   int // batches that were handed to Apply, successful or not
	applied int // batches that the running store must show
	durable int // batches applied before the last Checkpoint
}

const keep = 40 // entries that a partition keeps

func partitionOf(i int) []byte { return []byte{'p', byte('0' + i%3)} }

func entry(i int) []byte { return fmt.Appendf(nil, "entry %06d", i) }

// body is a value that shows if it is another's, or half of one.
func body(i int) []byte { return bytes.Repeat(strconv.AppendInt(nil, int64(i), 10), 1+i*7919%300) }

func batch(i int) kv.Batch {
	b := kv.Batch{Partition: partitionOf(i), Ops: []kv.Op{
		{Key: []byte("head"), Value: strconv.AppendInt(nil, int64(i), 10)},
		{Key: entry(i), Value: body(i)},
	}}
	if old := i - 3*keep; old >= 0 {
		b.Ops = append(b.Ops, kv.Op{Key: entry(old), Delete: true})
	}
	if i < 3 {
		b.If = []kv.Cond{{Key: []byte("head"), Absent: true}}
	} else {
		b.If = []kv.Cond{{Key: []byte("head"), Value: strconv.AppendInt(nil, int64(i-3), 10)}}
	}
	return b
}

// write applies the next few batches.
func (h *history) write(s kv.Store) error {
	var batches []kv.Batch
	for range 1 + h.rng.IntN(6) {
		batches = append(batches, batch(h.applied+len(batches)))
	}
	h.tried = max(h.tried, h.applied+len(batches))
	if errs := s.Apply(ctx, batches); errs != nil {
		return errors.Join(errs...)
	}
	h.applied += len(batches)
	return nil
}

func (h *history) checkpoint(s kv.Store) error {
	err := s.Checkpoint(ctx)
	if err == nil {
		h.durable = h.applied
	}
	return err
}

// resume finds out how many batches the store has seen, and checks that it
// holds the effects of exactly these, at least as many as are durable.
func (h *history) resume(t *testing.T, s kv.Store) {
	t.Helper()
	seen := 0
	for p := range 3 {
		head, err := s.Get(ctx, partitionOf(p), []byte("head"))
		if errors.Is(err, kv.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(head))
		if err != nil {
			t.Fatal(err)
		}
		seen = max(seen, n+1)
	}
	if seen < h.durable || seen > h.tried {
		t.Fatalf("the store has seen %d batches; %d were durable, %d tried", seen, h.durable, h.tried)
	}
	for p := range 3 {
		wantHistory(t, s, p, seen)
	}
	h.applied = seen
}

// wantHistory checks one partition after seen batches.
func wantHistory(t *testing.T, s kv.Store, p, seen int) {
	t.Helper()
	last := -1
	next := -1
	for i := p; i < seen; i += 3 {
		if last = i; next < 0 && i >= seen-3*keep {
			next = i
		}
	}
	err := s.Scan(ctx, partitionOf(p), kv.Range{To: []byte("f")}, func(k, v []byte) error {
		if next > last || !bytes.Equal(k, entry(next)) || !bytes.Equal(v, body(next)) {
			return fmt.Errorf("%s with %d bytes; want entry %d", k, len(v), next)
		}
		next += 3
		return nil
	})
	if err != nil || last >= 0 && next != last+3 {
		t.Fatalf("partition %d after %d batches: %v, next %d, last %d", p, seen, err, next, last)
	}
	head, err := s.Get(ctx, partitionOf(p), []byte("head"))
	if last >= 0 && (err != nil || string(head) != strconv.Itoa(last)) {
		t.Fatalf("head of %d: %s, %v; want %d", p, head, err, last)
	}
}

// tiny makes every few batches a table; a failed compaction is tried again at once.
func tiny(lazy bool) Options {
	o := Options{WriteBuffer: 16 << 10, BlockCache: 1 << 20, TableSize: 8 << 10, LazyLog: lazy}
	o.tune = func(o *opt.Options) {
		o.DisableCompactionBackoff = true
		o.CompactionTotalSize = 32 << 10
	}
	return o
}

// fuse cuts the power at its n-th operation.
type fuse struct {
	mem *vfs.Mem
	rng *rand.Rand

	mu   sync.Mutex
	left int64
	hold bool     // operations do not count now
	next *vfs.Mem // what the disk held then; nil as long as it is whole
}

func (f *fuse) decide(vfs.Op) vfs.Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.hold || f.next != nil {
		return vfs.Fault{}
	}
	if f.left--; f.left == 0 {
		f.next = f.mem.Crash(f.rng)
	}
	return vfs.Fault{}
}

// pause keeps the fuse from blowing; false if it has blown.
func (f *fuse) pause(on bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = on
	return f.next == nil
}

func (f *fuse) blown() *vfs.Mem {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

func skipUnderRace(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("goleveldb's channels under a failing disk; see race_test.go")
	}
}

// TestCrashLeavesAPrefix runs lives of one store, each ended by a loss of power
// at some operation: amid opening, writing, flushing, compacting, closing.
func TestCrashLeavesAPrefix(t *testing.T) {
	skipUnderRace(t)
	const seeds, lives = 25, 8
	for _, lazy := range []bool{false, true} {
		t.Run(fmt.Sprintf("lazy=%v", lazy), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(seeds) {
				t.Logf("seed %d", seed)
				h := &history{rng: rand.New(rand.NewPCG(seed, 1))}
				mem := vfs.NewMem()
				for range lives {
					mem = h.live(t, mem, lazy)
				}
				s := mustOpen(t, mem, tiny(lazy))
				h.resume(t, s)
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// live uses the store until its fuse blows, and returns what the disk holds then.
func (h *history) live(t *testing.T, mem *vfs.Mem, lazy bool) *vfs.Mem {
	t.Helper()
	most := []int64{15, 60, 400}[h.rng.IntN(3)]
	f := &fuse{mem: mem, rng: rand.New(rand.NewPCG(h.rng.Uint64(), 2)), left: 1 + h.rng.Int64N(most)}
	s, err := Open(vfs.Faulty(mem, f.decide), "data/kv", tiny(lazy))
	if err == nil {
		h.use(t, s, f)
		_ = s.Close()
	}
	if next := f.blown(); next != nil {
		return next
	}
	if err != nil {
		t.Fatalf("open without a crash: %v", err)
	}
	return mem
}

// use works with an open store until the power is cut, or ends in peace.
func (h *history) use(t *testing.T, s *Store, f *fuse) {
	t.Helper()
	if !f.pause(true) {
		return
	}
	h.resume(t, s)
	f.pause(false)
	for range 200 {
		err := h.write(s)
		if err == nil && h.rng.IntN(12) == 0 {
			err = h.checkpoint(s)
		}
		if f.blown() != nil {
			return
		}
		if err != nil {
			t.Fatalf("without a crash: %v", err)
		}
	}
	if err := s.Close(); err == nil {
		h.durable = h.applied
	}
}
