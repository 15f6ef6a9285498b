package journal_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

var (
	errBroken = errors.New("the disk is broken")
	errKilled = errors.New("the process is dead")
)

// trouble is what happens to one operation of the disk.
type trouble struct {
	name  string
	only  vfs.Kind // with writes: the fault suits writes only
	crash bool     // the power goes before the operation
	fault vfs.Fault
	soon  bool // the power goes a few operations later
}

var troubles = []trouble{
	{name: "crash", crash: true},
	{name: "fails before it has effect", fault: vfs.Fault{Effect: vfs.Nothing, Err: errBroken}},
	{name: "fails after it has had effect", fault: vfs.Fault{Err: errBroken}},
	{name: "no space", fault: vfs.Fault{Effect: vfs.Nothing, Err: syscall.ENOSPC}},
	{name: "fails after it has had effect, then crash", fault: vfs.Fault{Err: errBroken}, soon: true},
	{name: "short write", only: vfs.OpWrite, fault: vfs.Fault{Effect: vfs.Short, At: 600, Err: errBroken}},
}

// TestEveryOperationFails runs a workload over several segments and two lives,
// once for every operation that it makes on the disk and every trouble that it
// can have. Then the power goes, and nothing that was answered may be lost,
// doubled, moved or invented.
func TestEveryOperationFails(t *testing.T) {
	t.Parallel()
	for _, tr := range troubles {
		t.Run(tr.name, func(t *testing.T) {
			t.Parallel()
			for n := int64(0); ; n++ {
				happened := oneTrouble(t, tr, n)
				if !happened {
					if n < 100 {
						t.Fatalf("the workload has only %d operations", n)
					}
					return
				}
			}
		})
	}
}

// oneTrouble gives operation n its trouble; false if there is no such operation.
func oneTrouble(t *testing.T, tr trouble, n int64) bool {
	rng := rand.New(rand.NewPCG(uint64(n), 1))
	disk := vfs.NewMem()
	var next atomic.Pointer[vfs.Mem]
	var passed atomic.Bool
	end := n
	if tr.soon {
		end += 1 + rng.Int64N(6)
	}
	fs := vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
		if op.N >= n {
			passed.Store(true)
		}
		if op.N == end && (tr.crash || tr.soon) {
			next.Store(disk.Crash(rng))
		}
		if op.N != n {
			return vfs.Fault{}
		}
		return tr.faultFor(op)
	})
	s := newStory()
	_ = s.life(fs, 2, 28)
	after := next.Load()
	if after == nil {
		after = disk.Crash(rng) // in the end the power goes in any case
	}
	failOn(t, s.err, "operation %d, before the crash", n)
	failOn(t, s.check(after), "operation %d (%s)", n, tr.name)
	return passed.Load()
}

// TestRandomTroubles lets each life of a log have a share of failing
// operations, and end well, by a kill of the process or by a loss of power, in
// recovery too.
func TestRandomTroubles(t *testing.T) {
	t.Parallel()
	seeds := uint64(300)
	if testing.Short() {
		seeds = 60
	}
	for seed := range seeds {
		rng := rand.New(rand.NewPCG(seed, 2))
		disk := vfs.NewMem()
		s := newStory()
		for range 1 + rng.IntN(5) {
			disk = randomLife(s, disk, rng)
			failOn(t, s.err, "seed %d", seed)
		}
		failOn(t, s.check(disk), "seed %d", seed)
	}
}

func randomLife(s *story, disk *vfs.Mem, rng *rand.Rand) *vfs.Mem {
	var mu sync.Mutex // the dice are thrown by several goroutines
	dice := rand.New(rand.NewPCG(rng.Uint64(), 0))
	share := []float64{0, 0, 0.01, 0.05, 0.2}[rng.IntN(5)]
	end := rng.Int64N([]int64{16, 400}[rng.IntN(2)])
	power, kill := false, false
	switch rng.IntN(3) {
	case 0:
		power = true
	case 1:
		kill = true
	}
	var next *vfs.Mem
	fs := vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
		mu.Lock()
		defer mu.Unlock()
		if power && op.N == end {
			next = disk.Crash(dice)
		}
		if kill && op.N >= end {
			return vfs.Fault{Effect: vfs.Nothing, Err: errKilled}
		}
		if dice.Float64() >= share || op.Kind == vfs.OpSync && dice.IntN(4) > 0 {
			return vfs.Fault{}
		}
		return troubles[1+dice.IntN(len(troubles)-1)].faultFor(op)
	})
	process := &releasing{FS: fs}
	_ = s.life(process, 1+rng.IntN(2), 20)
	process.release()
	mu.Lock()
	defer mu.Unlock()
	if next != nil {
		return next
	}
	if rng.IntN(2) == 0 {
		return disk.Crash(dice)
	}
	return disk
}

func (tr trouble) faultFor(op vfs.Op) vfs.Fault {
	if tr.only != 0 && op.Kind != tr.only {
		return vfs.Fault{}
	}
	return tr.fault
}

// A sync that fails is the end: nothing of its group is answered or shown,
// nothing is taken any more, and the next start has all that was answered.
func TestFailedSyncIsFinal(t *testing.T) {
	for n := range 12 {
		disk := vfs.NewMem()
		syncs := 0
		armed := false
		var mu sync.Mutex
		fs := vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
			mu.Lock()
			defer mu.Unlock()
			if op.Kind != vfs.OpSync || !armed {
				return vfs.Fault{}
			}
			if syncs++; syncs == n+1 {
				return vfs.Fault{Effect: vfs.Effect(n % 2), Err: errBroken}
			}
			return vfs.Fault{}
		})
		s := newStory()
		log := openTale(t, fs, reading)
		mu.Lock()
		armed = true
		mu.Unlock()
		var err error
		for range 100 {
			if err = s.append(log, 4000)(); err != nil {
				break
			}
		}
		if !errors.Is(err, stream.ErrUnavailable) || !errors.Is(err, errBroken) {
			t.Fatalf("sync %d: the append was answered %v", n, err)
		}
		<-log.Failed()
		if !errors.Is(log.Err(), errBroken) {
			t.Fatalf("sync %d: the log failed with %v", n, log.Err())
		}
		if err := s.append(log, 10)(); !errors.Is(err, stream.ErrUnavailable) {
			t.Fatalf("sync %d: append to a failed log: %v", n, err)
		}
		if err := s.read(log, reading, true); !errors.Is(err, errBroken) {
			t.Fatalf("sync %d: consume of a failed log: %v", n, err)
		}
		if err := log.Close(); !errors.Is(err, errBroken) {
			t.Fatalf("sync %d: close of a failed log: %v", n, err)
		}
		failOn(t, s.check(disk.Crash(rand.New(rand.NewPCG(uint64(n), 3)))), "sync %d", n)
	}
}

// A process dies between the write of a group and its sync, and the next one
// finds the group in the machine's memory. It shows it to its consumers; so it
// must be on the disk, even if the power goes before anything else is written.
func TestWhatRecoveryShowsIsDurable(t *testing.T) {
	for seed := range uint64(20) {
		disk := vfs.NewMem()
		var writes atomic.Int32
		process := &releasing{FS: vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
			if op.Kind == vfs.OpWrite {
				writes.Add(1)
			}
			if n := writes.Load(); n > 3 || n == 3 && op.Kind != vfs.OpWrite {
				return vfs.Fault{Effect: vfs.Nothing, Err: errKilled}
			}
			return vfs.Fault{}
		})}
		s := newStory()
		log := openTale(t, process, reading)
		failOn(t, s.append(log, 10)(), "append")
		if err := s.append(log, 20, 30)(); !errors.Is(err, errKilled) {
			t.Fatalf("append of a dying process: %v", err)
		}
		_ = log.Close()
		process.release()

		log = openTale(t, disk, reading)
		failOn(t, s.read(log, reading, false), "read")
		if w := s.partition[20%parts][0]; w.offset < 0 {
			t.Fatalf("the group was written and is not there")
		}
		failOn(t, s.check(disk.Crash(rand.New(rand.NewPCG(seed, 12)))), "seed %d", seed)
	}
}

// The same with the wrapper that the torture server uses: what was not synced
// dies with the process, but for pages that reached the disk early.
func TestKilledOnUnsynced(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 13))
		disk := vfs.NewMem()
		s := newStory()
		for range 3 {
			end := rng.Int64N(150)
			lossy := vfs.Unsynced(disk, []float64{0, 0.3, 0.9}[rng.IntN(3)], rng.Uint64())
			process := &releasing{FS: vfs.Faulty(lossy, func(op vfs.Op) vfs.Fault {
				if op.N >= end {
					return vfs.Fault{Effect: vfs.Nothing, Err: errKilled}
				}
				return vfs.Fault{}
			})}
			_ = s.life(process, 1, 20)
			process.release()
			failOn(t, s.err, "seed %d", seed)
		}
		failOn(t, s.check(disk), "seed %d", seed)
	}
}
