package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// eventually waits for something that another goroutine brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// appendUntil appends and waits until an append fails, and returns that error.
func appendUntil(t *testing.T, s *story, log *journal.Log, most int) error {
	t.Helper()
	for range most {
		if err := s.append(log, 3000)(); err != nil {
			return err
		}
	}
	t.Fatalf("%d appends were taken", most)
	return nil
}

// While the disk does not answer, the log takes what its memory may hold.
func TestPendingBytesAreBounded(t *testing.T) {
	free := make(chan struct{})
	var hold sync.Once
	held := make(chan struct{})
	disk := vfs.NewMem()
	armed := make(chan struct{})
	fs := vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
		select {
		case <-armed:
			if op.Kind == vfs.OpSync {
				hold.Do(func() { close(held) })
				<-free
			}
		default:
		}
		return vfs.Fault{}
	})
	opt := taleOptions(reading)
	opt.MaxPendingBytes = 100_000
	log, err := journal.Open(fs, "/log", opt)
	failOn(t, err, "open")
	close(armed)
	s := newStory()
	var waits []func() error
	var refused error
	for range 200 {
		wait := s.append(log, 3000)
		if last := s.partition[0][len(s.partition[0])-1]; last.refused {
			refused = wait()
			break
		}
		waits = append(waits, wait)
	}
	if !errors.Is(refused, stream.ErrOverloaded) {
		t.Fatalf("with %d bytes pending: %v", log.Stats().PendingBytes, refused)
	}
	if n := log.Stats().PendingBytes; n < 90_000 || n > 100_000 {
		t.Fatalf("%d bytes are pending", n)
	}
	<-held
	close(free)
	for _, wait := range waits {
		failOn(t, wait(), "answer")
	}
	failOn(t, s.append(log, 3000)(), "append when the disk answers again")
	failOn(t, log.Close(), "close")
	failOn(t, s.check(disk.Crash(rand.New(rand.NewPCG(1, 5)))), "check")
}

// A full disk is answered with unavailable, and when there is space the log
// goes on by itself.
func TestFullDiskHeals(t *testing.T) {
	disk := vfs.NewMem()
	disk.SetLimit(5 * 64 << 10)
	log := openTale(t, disk, reading)
	s := newStory()
	err := appendUntil(t, s, log, 200)
	if !errors.Is(err, stream.ErrUnavailable) {
		t.Fatalf("append with a full disk: %v", err)
	}
	if err := s.append(log, 3000)(); !errors.Is(err, stream.ErrUnavailable) {
		t.Fatalf("append with a disk still full: %v", err)
	}
	disk.SetLimit(0)
	eventually(t, "an append after space was made", func() bool { return s.append(log, 3000)() == nil })
	failOn(t, s.read(log, reading, true), "read")
	failOn(t, log.Close(), "close")
	failOn(t, s.check(disk.Crash(rand.New(rand.NewPCG(1, 6)))), "check")
}

// A commit can be written even when records cannot; it makes space.
func TestCommitsEmptyAFullDisk(t *testing.T) {
	t.Parallel()
	for _, limited := range []bool{true, false} {
		disk := vfs.NewMem()
		opt := taleOptions(reading)
		want := stream.ErrUnavailable
		if limited {
			opt.MaxDiskBytes = 5 * 64 << 10
			want = stream.ErrOverloaded
		} else {
			disk.SetLimit(5 * 64 << 10)
		}
		log, err := journal.Open(disk, "/log", opt)
		failOn(t, err, "open")
		s := newStory()
		for range 4 {
			if err := appendUntil(t, s, log, 200); !errors.Is(err, want) {
				t.Fatalf("append to a full log: %v, want %v", err, want)
			}
			failOn(t, s.read(log, reading, true), "read")
			eventually(t, "an append after the commit", func() bool { return s.append(log, 3000)() == nil })
			if n := log.Stats().DiskBytes; n > 5*64<<10 {
				t.Fatalf("the log takes %d bytes", n)
			}
		}
		failOn(t, log.Close(), "close")
		failOn(t, s.check(disk.Crash(rand.New(rand.NewPCG(1, 7)))), "check")
	}
}

// Segments go when the slowest group has committed them, not before; a topic
// without groups holds nothing.
func TestRetention(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	opt := taleOptions(reading, "slow")
	opt.Topics = append(opt.Topics, stream.Topic{ID: 9, Name: "free", Partitions: 1})
	log, err := journal.Open(disk, "/log", opt)
	failOn(t, err, "open")
	s := newStory()
	round := func() {
		for range 20 {
			failOn(t, s.append(log, 3000)(), "append")
			failOn(t, log.Append(9, []stream.Record{{Value: make([]byte, 3000)}}, nil), "append")
		}
		failOn(t, s.read(log, reading, true), "read")
	}
	for range 4 {
		round()
	}
	full := log.Stats().DiskBytes
	if full < 6*64<<10 {
		t.Fatalf("%d bytes on disk while a group has committed nothing", full)
	}
	failOn(t, s.read(log, "slow", true), "read")
	eventually(t, "segments removed", func() bool {
		return log.Stats().DiskBytes <= 3*64<<10
	})
	for range 10 {
		round()
		failOn(t, s.read(log, "slow", true), "read")
	}
	eventually(t, "segments removed", func() bool {
		return log.Stats().DiskBytes <= 3*64<<10
	})
	failOn(t, log.Close(), "close")
	opt.Groups = opt.Groups[:1]
	failOn(t, s.check(undeclared(t, disk, opt)), "check")
}

// undeclared opens and closes a log, so that it knows the topics of the story
// and no other groups than opt's.
func undeclared(t *testing.T, fs vfs.FS, opt journal.Options) vfs.FS {
	t.Helper()
	log, err := journal.Open(fs, "/log", opt)
	failOn(t, err, "open")
	failOn(t, log.Close(), "close")
	return fs
}

// A commit that no record follows is durable after a while.
func TestLoneCommitBecomesDurable(t *testing.T) {
	t.Parallel()
	disk := vfs.NewMem()
	log := openTale(t, disk, reading)
	s := newStory()
	failOn(t, s.append(log, 10, 11, 12)(), "append")
	before := log.Stats().Syncs
	failOn(t, s.read(log, reading, true), "read")
	eventually(t, "a sync for the commit", func() bool { return log.Stats().Syncs > before })
	after := disk.Crash(rand.New(rand.NewPCG(1, 8)))
	log = openTale(t, after, reading)
	if lag := log.Stats().Lag[reading]; lag != 0 {
		t.Fatalf("the group lags by %d after its commit", lag)
	}
}

func TestBadOptions(t *testing.T) {
	for name, change := range map[string]func(*journal.Options){
		"a topic twice":              func(o *journal.Options) { o.Topics = append(o.Topics, o.Topics[0]) },
		"the reserved topic":         func(o *journal.Options) { o.Topics[0].ID = 255 },
		"a topic without partitions": func(o *journal.Options) { o.Topics[0].Partitions = 0 },
		"a topic without a name":     func(o *journal.Options) { o.Topics[0].Name = "" },
		"too many partitions":        func(o *journal.Options) { o.Topics[0].Partitions = 1 << 20 },
		"a group twice":              func(o *journal.Options) { o.Groups = append(o.Groups, o.Groups[0]) },
		"a group of no topic":        func(o *journal.Options) { o.Groups[0].Topic = 1 },
		"tiny segments":              func(o *journal.Options) { o.SegmentBytes = 4096 },
		"records over segments":      func(o *journal.Options) { o.MaxRecordBytes = 1 << 20 },
		"a tiny disk":                func(o *journal.Options) { o.MaxDiskBytes = o.SegmentBytes },
		"a negative limit":           func(o *journal.Options) { o.TailBytes = -1 },
		"more offsets than fit":      func(o *journal.Options) { o.Topics[0].Partitions = 5000 },
	} {
		opt := taleOptions(reading)
		change(&opt)
		if log, err := journal.Open(vfs.NewMem(), "/log", opt); err == nil {
			_ = log.Close()
			t.Errorf("%s: opened", name)
		}
	}
}

func TestFolderIsLocked(t *testing.T) {
	fs := vfs.NewMem()
	log := openTale(t, fs, reading)
	if _, err := journal.Open(fs, "/log", taleOptions(reading)); !errors.Is(err, vfs.ErrLocked) {
		t.Fatalf("second open: %v", err)
	}
	failOn(t, log.Close(), "close")
	openTale(t, fs, reading)
}

// An owner that commits what it has not read gives it up: its segments go, are
// used for other records, and Next passes on to the oldest record kept.
func TestCommitAheadOfReading(t *testing.T) {
	fs := vfs.NewMem()
	opt := taleOptions(reading)
	opt.ReadAheadBytes = 1
	log, err := journal.Open(fs, "/log", opt)
	failOn(t, err, "open")
	s := newStory()
	fill := func() {
		for range 60 {
			failOn(t, s.append(log, 3000)(), "append")
		}
	}
	fill()
	err = log.Consume(t.Context(), reading, func(ctx context.Context, p stream.Partition) error {
		if p.ID() != 0 {
			return p.Commit(p.End())
		}
		recs, err := p.Next(ctx, nil, 1)
		if err != nil || recs[0].Position.Offset != 0 {
			return fmt.Errorf("first record: %v, %w", recs, err)
		}
		if err := p.Commit(p.End()); err != nil {
			return err
		}
		eventually(t, "segments removed", func() bool { return log.Stats().DiskBytes <= 4*64<<10 })
		fill()
		for next := int64(1); ; next = recs[0].Position.Offset + 1 {
			if recs, err = p.Next(ctx, recs[:0], 1); err != nil {
				return err
			}
			switch o := recs[0].Position.Offset; {
			case o < next:
				return fmt.Errorf("offset %d after %d", o, next)
			case o >= p.End():
				return nil
			}
		}
	})
	failOn(t, err, "consume")
	failOn(t, log.Close(), "close")
}

// A commit of what is not there is refused: after a start the group would wait
// for records that nobody has, and pass over those that come (X1).
func TestACommitBeyondTheEndIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	log := openTale(t, fs, audit)
	tell(t, log, 0, "one")
	failOn(t, log.Consume(t.Context(), audit, func(_ context.Context, p stream.Partition) error {
		if err := p.Commit(p.End() + 1); err == nil {
			return fmt.Errorf("partition %d, which ends at %d, is committed beyond that", p.ID(), p.End())
		}
		return p.Commit(p.End())
	}), "consume")
	failOn(t, log.Close(), "close")
	failOn(t, openTale(t, fs, audit).Close(), "close after the next start")
}

// A segment goes when a commit is durable that lets it go: one that a crash may
// forget would leave its group without the records that it needs (X1).
func TestACommitInMemoryRemovesNothing(t *testing.T) {
	t.Parallel()
	var creates, writes, removed atomic.Int64 // creates, writes: above 0 they fail
	fs := vfs.Faulty(vfs.NewMem(), func(op vfs.Op) vfs.Fault {
		switch {
		case op.Kind == vfs.OpCreate && creates.Load() > 0, op.Kind == vfs.OpWrite && writes.Load() > 0:
			return vfs.Fault{Effect: vfs.Nothing, Err: errors.New("no space")}
		case (op.Kind == vfs.OpRemove || op.Kind == vfs.OpRename) && writes.Load() > 0:
			removed.Add(1)
		}
		return vfs.Fault{}
	})
	log, err := journal.Open(fs, "/log", taleOptions(reading))
	failOn(t, err, "open")
	s := newStory()
	for range 60 {
		failOn(t, s.append(log, 3000)(), "append")
	}
	creates.Store(1) // from now on the keeper looks for a segment to remove, again and again
	for s.append(log, 3000)() == nil {
	}
	full := log.Stats().DiskBytes
	writes.Store(1)
	failOn(t, s.read(log, reading, true), "read")
	time.Sleep(100 * time.Millisecond) // for a keeper that does not wait
	if n := removed.Load(); n > 0 || log.Stats().DiskBytes != full {
		t.Errorf("%d segments go by a commit that is in memory only", n)
	}
	writes.Store(0)
	creates.Store(0)
	eventually(t, "segments removed", func() bool { return log.Stats().DiskBytes < full })
	failOn(t, log.Close(), "close")
}

// An append without records asks when those before it are durable. It needs no
// room: a full disk is no reason to refuse it as long as one of them is on its
// way, and never one to answer early. Here a record comes while the one before
// it is being synced, and the question while that record is, page by page up to
// the end of the last segment.
func TestAFullDiskTellsWhatIsDurable(t *testing.T) {
	for ahead := range 3 { // pages, so that one of them leaves room for two
		askOnAFullDisk(t, ahead)
	}
}

func askOnAFullDisk(t *testing.T, ahead int) {
	t.Helper()
	disk := vfs.NewMem()
	disk.SetLimit(5 * 64 << 10)
	var during atomic.Pointer[func()] // the next sync, once
	log := openTale(t, vfs.Faulty(disk, func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSync {
			if fn := during.Swap(nil); fn != nil {
				(*fn)()
			}
		}
		return vfs.Fault{}
	}), reading)
	small := []stream.Record{{Value: make([]byte, 10)}}
	for range ahead {
		kept := make(chan error, 1)
		failOn(t, log.Append(tales, small, func(err error) { kept <- err }), "append")
		failOn(t, <-kept, "answer")
	}
	for n := range 200 {
		var durable atomic.Bool
		first, second, asked := make(chan error, 1), make(chan error, 1), make(chan error, 1)
		ask := func() {
			err := log.Append(tales, nil, func(err error) {
				if err == nil && !durable.Load() {
					err = errors.New("answered early")
				}
				asked <- err
			})
			if err != nil {
				asked <- err
			}
		}
		follow := func() {
			if err := log.Append(tales, small, func(err error) { durable.Store(err == nil); second <- err }); err != nil {
				second <- err
				return
			}
			during.Store(&ask)
		}
		during.Store(&follow)
		if err := log.Append(tales, small, func(err error) { first <- err }); err != nil {
			if n < 10 {
				t.Fatalf("record %d: %v", n, err)
			}
			return
		}
		if err := <-first; err != nil {
			return
		}
		if err := <-second; err != nil {
			continue
		}
		if err := <-asked; err != nil {
			t.Fatalf("record %d was on its way, and the question was answered: %v", n, err)
		}
	}
	t.Fatal("the disk never was full")
}
