package journal_test

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// A failed write takes with it all that was appended after it: each is answered
// once, and the log goes on without a hole.
func TestFailedWriteRejectsWhatFollows(t *testing.T) {
	for _, fault := range []vfs.Fault{
		{Effect: vfs.Nothing, Err: errBroken}, {Err: errBroken}, {Effect: vfs.Short, At: 5000, Err: errBroken},
	} {
		disk := vfs.NewMem()
		reached, free := make(chan struct{}), make(chan struct{})
		var armed atomic.Bool
		log := openTale(t, vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
			if op.Kind != vfs.OpWrite || !armed.CompareAndSwap(true, false) {
				return vfs.Fault{}
			}
			close(reached)
			<-free
			return fault
		}), reading)
		s := newStory()
		failOn(t, s.append(log, 300)(), "append")
		armed.Store(true)
		waits := []func() error{s.append(log, 6000)}
		<-reached
		for range 30 { // several groups
			waits = append(waits, s.append(log, 3000))
		}
		close(free)
		for i, wait := range waits {
			if err := wait(); !errors.Is(err, stream.ErrUnavailable) || !errors.Is(err, errBroken) {
				t.Fatalf("append %d after the failed write: %v", i, err)
			}
		}
		eventually(t, "an append", func() bool { return s.append(log, 300)() == nil })
		failOn(t, log.Err(), "the log failed")
		failOn(t, s.read(log, reading, false), "read")
		failOn(t, log.Close(), "close")
		failOn(t, s.check(disk.Crash(rand.New(rand.NewPCG(1, 9)))), "check")
	}
}

// The header of the next segment reaches the disk although its write is said to
// have failed. Whatever is answered from then on is behind that header.
func TestFailedHeaderWrite(t *testing.T) {
	disk := vfs.NewMem()
	var armed atomic.Bool
	log := openTale(t, vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWrite && op.Off == 0 && armed.Load() {
			return vfs.Fault{Err: errBroken}
		}
		return vfs.Fault{}
	}), reading)
	s := newStory()
	armed.Store(true)
	var err error
	for err == nil { // of two pages each, so that one page is left in the end
		err = s.append(log, 5000)()
	}
	if !errors.Is(err, stream.ErrUnavailable) {
		t.Fatalf("append without a next segment: %v", err)
	}
	for range 20 {
		_ = s.append(log, 100)()
	}
	failOn(t, log.Close(), "close")
	failOn(t, s.check(disk), "check")
}

// Commits in a group that was not written are written with a later one.
func TestFailedCommitIsWrittenAgain(t *testing.T) {
	disk := vfs.NewMem()
	var failures atomic.Int32
	log := openTale(t, vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWrite && failures.Add(-1) >= 0 {
			return vfs.Fault{Effect: vfs.Nothing, Err: errBroken}
		}
		return vfs.Fault{}
	}), reading)
	s := newStory()
	failOn(t, s.append(log, 10, 11, 12)(), "append")
	before := log.Stats().Syncs
	failures.Store(1)
	failOn(t, s.read(log, reading, true), "read")
	eventually(t, "a sync for the commit", func() bool { return log.Stats().Syncs > before })
	log = openTale(t, disk.Crash(rand.New(rand.NewPCG(1, 10))), reading)
	if lag := log.Stats().Lag[reading]; lag != 0 {
		t.Fatalf("the group lags by %d after its commit", lag)
	}
}

// What is left of a failed write is surely gone before its place is used again,
// even if the power goes in the very next write.
func TestUndoIsDurable(t *testing.T) {
	for seed := range uint64(60) {
		disk := vfs.NewMem()
		var after atomic.Pointer[vfs.Mem]
		var writes atomic.Int32
		log := openTale(t, vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
			switch {
			case op.Kind == vfs.OpWrite && writes.Add(1) == 3:
				return vfs.Fault{Err: errBroken} // the first are the header and a record
			case op.Kind == vfs.OpSync && writes.Load() == 4 && after.Load() == nil:
				after.Store(disk.Crash(rand.New(rand.NewPCG(seed, 11))))
			}
			return vfs.Fault{}
		}), reading)
		s := newStory()
		failOn(t, s.append(log, 300)(), "append")
		if err := s.append(log, 8000)(); !errors.Is(err, errBroken) {
			t.Fatalf("append with a failing write: %v", err)
		}
		eventually(t, "the crash", func() bool { _ = s.append(log, 100)(); return after.Load() != nil })
		_ = log.Close()
		failOn(t, s.check(after.Load()), "seed %d", seed)
	}
}
