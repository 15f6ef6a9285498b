package journal_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

const (
	asked    stream.TopicID = 1
	followed stream.TopicID = 2
)

// earlyOptions are those of a log with an owner that sees records early and one
// that reads what follows from them.
func earlyOptions(partitions int32) journal.Options {
	return journal.Options{
		Topics: []stream.Topic{{ID: asked, Name: "asked", Partitions: partitions}, {ID: followed, Name: "followed", Partitions: 1}},
		Groups: []stream.Group{{Name: "early", Topic: asked, Early: true}, {Name: "late", Topic: followed}},

		SegmentBytes: 128 << 10, MaxRecordBytes: 4096, TailBytes: 16 << 10, ReadAheadBytes: 64 << 10,
	}
}

// consume runs an owner until ctx ends.
func consume(ctx context.Context, log *journal.Log, group string, each func(stream.Record) error) chan error {
	ended := make(chan error, 1)
	go func() {
		ended <- log.Consume(ctx, group, func(ctx context.Context, p stream.Partition) error {
			var buf []stream.Record
			for {
				var err error
				if buf, err = p.Next(ctx, buf[:0], 7); err != nil {
					return err
				}
				for _, r := range buf {
					if err := each(r); err != nil {
						return err
					}
				}
			}
		})
	}()
	return ended
}

// The sync hangs, and the early owner has the record all the same; nobody else
// has, and nothing is called durable.
func TestEarlyOwnersDoNotWaitForTheDisk(t *testing.T) {
	var armed atomic.Bool
	free := make(chan struct{})
	fs := vfs.Faulty(vfs.NewMem(), func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpSync && armed.Load() {
			<-free
		}
		return vfs.Fault{}
	})
	opt := earlyOptions(1)
	opt.Groups = append(opt.Groups, stream.Group{Name: "durable", Topic: asked})
	log, err := journal.Open(fs, "/log", opt)
	failOn(t, err, "open")
	ctx, stop := context.WithCancel(t.Context())
	early, late := make(chan string, 10), make(chan string, 10)
	tell := func(to chan string) func(stream.Record) error {
		return func(r stream.Record) error { to <- string(r.Value); return nil }
	}
	ends := []chan error{consume(ctx, log, "early", tell(early)), consume(ctx, log, "durable", tell(late))}
	failOn(t, log.Append(asked, []stream.Record{{Value: []byte("none")}}, nil), "append")
	<-early // both are there now
	<-late
	armed.Store(true)
	durable := make(chan error, 1)
	failOn(t, log.Append(asked, []stream.Record{{Value: []byte("one")}}, func(err error) { durable <- err }), "append")
	if got := <-early; got != "one" {
		t.Errorf("the early owner got %q", got)
	}
	select {
	case got := <-late:
		t.Errorf("%q was shown to others", got)
	case err := <-durable:
		t.Error("it was called durable: ", err)
	default:
	}
	close(free)
	failOn(t, <-durable, "durable")
	if got := <-late; got != "one" {
		t.Errorf("the other owner got %q", got)
	}
	stop()
	for _, end := range ends {
		<-end //nolint:errcheck // stopped
	}
	failOn(t, log.Close(), "close")
}

// Whatever the load, an early owner gets every record once and in order, and
// what it appends for each comes in that order, too; also from the disk, when
// it has begun late.
func TestEarlyOwnersMissNothing(t *testing.T) {
	const partitions, each = 3, 4000
	log, err := journal.Open(vfs.NewMem(), "/log", earlyOptions(partitions))
	failOn(t, err, "open")
	ctx, stop := context.WithCancel(t.Context())
	put := func(from, to int) {
		for i := from; i < to; i++ {
			for p := range int32(partitions) {
				value := binary.BigEndian.AppendUint32([]byte{byte(p)}, uint32(i))
				value = append(value, make([]byte, i%300)...)
				for log.Append(asked, []stream.Record{{Partition: p, Value: value}}, nil) != nil {
					time.Sleep(time.Millisecond)
				}
			}
		}
	}
	put(0, each/4)
	var offsets [partitions]atomic.Int64
	early := consume(ctx, log, "early", func(r stream.Record) error {
		if next := offsets[r.Partition].Add(1) - 1; r.Position.Offset != next {
			return fmt.Errorf("offset %d of partition %d, want %d", r.Position.Offset, r.Partition, next)
		}
		for {
			err := log.Append(followed, []stream.Record{{Value: r.Value[:5]}}, nil)
			if err == nil || !errors.Is(err, stream.ErrOverloaded) {
				return err
			}
			time.Sleep(time.Millisecond)
		}
	})
	var next [partitions]uint32
	total := 0
	all := make(chan struct{})
	late := consume(ctx, log, "late", func(r stream.Record) error {
		p, i := r.Value[0], binary.BigEndian.Uint32(r.Value[1:])
		if i != next[p] {
			return fmt.Errorf("%d follows in partition %d, want %d", i, p, next[p])
		}
		next[p]++
		if total++; total == partitions*each {
			close(all)
		}
		return nil
	})
	put(each/4, each)
	select {
	case <-all:
	case err := <-early:
		t.Fatal("the early owner ended: ", err)
	case err := <-late:
		t.Fatal("the late owner ended: ", err)
	case <-time.After(60 * time.Second):
		t.Fatal("never all")
	}
	stop()
	<-early //nolint:errcheck // stopped
	<-late  //nolint:errcheck // stopped
	failOn(t, log.Close(), "close")
}

// What an owner was shown cannot be taken back: if its write fails, the log has
// failed.
func TestAFailedWriteOfWhatWasShownIsFinal(t *testing.T) {
	var armed atomic.Bool
	fs := vfs.Faulty(vfs.NewMem(), func(op vfs.Op) vfs.Fault {
		if op.Kind == vfs.OpWrite && armed.Load() {
			return vfs.Fault{Effect: vfs.Nothing, Err: errBroken}
		}
		return vfs.Fault{}
	})
	log, err := journal.Open(fs, "/log", earlyOptions(1))
	failOn(t, err, "open")
	shown := make(chan struct{}, 10)
	ended := consume(t.Context(), log, "early", func(stream.Record) error { shown <- struct{}{}; return nil })
	failOn(t, log.Append(asked, []stream.Record{{Value: []byte("one")}}, nil), "append")
	<-shown
	armed.Store(true)
	durable := make(chan error, 1)
	failOn(t, log.Append(asked, []stream.Record{{Value: []byte("two")}}, func(err error) { durable <- err }), "append")
	<-shown
	if err := <-durable; !errors.Is(err, stream.ErrUnavailable) || !errors.Is(err, errBroken) {
		t.Errorf("told %v", err)
	}
	<-log.Failed()
	if err := <-ended; !errors.Is(err, errBroken) {
		t.Errorf("the owner ended with %v", err)
	}
	if err := log.Append(asked, []stream.Record{{Value: []byte("three")}}, nil); err == nil {
		t.Error("it takes more")
	}
	if err := log.Close(); !errors.Is(err, errBroken) {
		t.Errorf("closed with %v", err)
	}
}

// Without room for the next segment nothing is shown that could not be kept:
// the log refuses, and goes on when there is room.
func TestAFullDiskIsNoFailureForEarlyOwners(t *testing.T) {
	opt := earlyOptions(1)
	opt.MaxDiskBytes = 4 * opt.SegmentBytes
	log, err := journal.Open(vfs.NewMem(), "/log", opt)
	failOn(t, err, "open")
	ctx, stop := context.WithCancel(t.Context())
	var got atomic.Int64
	commit := make(chan stream.Partition, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- log.Consume(ctx, "early", func(ctx context.Context, p stream.Partition) error {
			commit <- p
			var buf []stream.Record
			for {
				var err error
				if buf, err = p.Next(ctx, buf[:0], 10); err != nil {
					return err
				}
				got.Add(int64(len(buf)))
			}
		})
	}()
	p := <-commit
	kept, refused := int64(0), false
	for range 2000 {
		durable := make(chan error, 1)
		if log.Append(asked, []stream.Record{{Value: make([]byte, 3000)}}, func(err error) { durable <- err }) != nil || <-durable != nil {
			refused = true
			break
		}
		kept++
	}
	if !refused {
		t.Fatal("the disk was never full")
	}
	failOn(t, log.Err(), "the log failed")
	eventually(t, "all that was kept is handed out", func() bool { return got.Load() == kept })
	failOn(t, p.Commit(kept), "commit")
	eventually(t, "an append", func() bool {
		durable := make(chan error, 1)
		return log.Append(asked, []stream.Record{{Value: []byte("more")}}, func(err error) { durable <- err }) == nil && <-durable == nil
	})
	eventually(t, "the record after the full disk", func() bool { return got.Load() == kept+1 })
	stop()
	<-ended //nolint:errcheck // stopped
	failOn(t, log.Close(), "close")
}
