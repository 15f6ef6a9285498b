// Package journal is the embedded engine of the stream port: all partitions of
// all topics in one physical log on the local disk, synced in groups.
//
// What it promises beyond the port. done(nil) comes after the record's bytes
// were synced, and owners of partitions are shown synced records only, but for
// those of early groups (early.go). A crash
// at any moment loses nothing that was answered; the torn tail that it leaves is
// cut off by Open. A damaged group with valid ones after it is never taken for
// such a tail: Open refuses it with stream.ErrCorrupt and says where. A failed
// write is undone and answered with stream.ErrUnavailable, and the log goes on
// when there is space; a failed sync is final, and so is a failed write of what
// early owners were shown. Memory and disk are bounded.
//
// What it refuses. It does not repair damage, is not shared between processes
// (the folder is locked), and keeps no copy on another machine.
//
// Who owns what: Append fills groups under mu; the committer, one goroutine,
// writes, syncs and publishes them and alone touches the newest segment; the
// keeper, another, prepares the next segment and removes old ones. DESIGN.md
// has the layout on disk and the reasons.
package journal

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// Options of a journal. A zero limit means its default.
type Options struct {
	Topics []stream.Topic
	Groups []stream.Group

	// SegmentBytes is the size of a file, reserved ahead. 64 MiB.
	SegmentBytes int64
	// SyncInterval is the least time from the start of a sync to the start of
	// the next one while few records keep coming; under load it is up to three
	// times as long. 700 µs; negative: none.
	SyncInterval time.Duration
	// MaxPendingBytes may wait for their sync; more is ErrOverloaded. 32 MiB.
	MaxPendingBytes int64
	// MaxDiskBytes is what the files may take together, at least four
	// segments; at the limit ErrOverloaded. 0: no limit.
	MaxDiskBytes int64
	// MaxRecordBytes limits key and value together. 1 MiB.
	MaxRecordBytes int
	// TailBytes of the newest records stay in memory for the owners of
	// partitions; older ones are read from disk. 32 MiB.
	TailBytes int64
	// ReadAheadBytes of older records are kept in memory, shared by all owners
	// that lag. 16 MiB.
	ReadAheadBytes int64

	// Floor has positions that a store has seen applied. If one is beyond the
	// log's end, the log has lost records: it starts a new incarnation.
	Floor map[stream.TopicID]map[int32]stream.Position

	// OnSync, if set, is called by the committer after each sync; it must be
	// quick.
	OnSync func(Sync)
	Logger *slog.Logger
}

// Sync describes one group made durable.
type Sync struct {
	Took    time.Duration // of the sync alone
	Records int
	Bytes   int
}

// Log is an open journal. It implements stream.Log.
type Log struct {
	fs    vfs.FS
	dir   string
	opt   Options
	log   *slog.Logger
	lock  io.Closer
	table *table

	incarnation uint32

	mu      sync.Mutex
	intake  intake
	wake    chan struct{} // to the committer: there is work
	closing chan struct{} // closed by Close, once nothing more is taken

	segs    *segments
	tail    *tail
	offsets *offsets
	chunks  *chunkCache

	committer committer
	keeper    keeper

	consumers consumers
	early     early

	failed  chan struct{}
	failure atomic.Pointer[error]
	figures figures
	workers sync.WaitGroup
	once    sync.Once
	closed  error // what Close returned
}

var _ stream.Log = (*Log)(nil)

type figures struct {
	syncs    atomic.Uint64
	appended atomic.Uint64
	lastSync atomic.Int64 // ns
}

func (o *Options) setDefaults() error {
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 64 << 20
	}
	if o.SyncInterval == 0 {
		o.SyncInterval = 700 * time.Microsecond
	}
	if o.MaxPendingBytes == 0 {
		o.MaxPendingBytes = 32 << 20
	}
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = 1 << 20
	}
	if o.TailBytes == 0 {
		o.TailBytes = 32 << 20
	}
	if o.ReadAheadBytes == 0 {
		o.ReadAheadBytes = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.SegmentBytes = pages(o.SegmentBytes)
	switch {
	case o.MaxPendingBytes < 0 || o.MaxDiskBytes < 0 || o.TailBytes < 0 || o.ReadAheadBytes < 0:
		return errors.New("journal: a limit is negative")
	case o.SegmentBytes < 16*pageSize || o.SegmentBytes > 1<<30:
		return fmt.Errorf("journal: segments of %d bytes, not 64 KiB to 1 GiB", o.SegmentBytes)
	case o.MaxRecordBytes < 0 || int64(o.MaxRecordBytes) > o.SegmentBytes/4:
		return fmt.Errorf("journal: records of %d bytes do not suit segments of %d", o.MaxRecordBytes, o.SegmentBytes)
	case o.MaxPendingBytes < int64(o.MaxRecordBytes):
		return fmt.Errorf("journal: %d pending bytes hold no record of %d", o.MaxPendingBytes, o.MaxRecordBytes)
	case o.MaxDiskBytes != 0 && o.MaxDiskBytes < 4*o.SegmentBytes:
		return fmt.Errorf("journal: disk limit %d below four segments of %d", o.MaxDiskBytes, o.SegmentBytes)
	}
	return nil
}

// Partitions implements stream.Log; 0 for a topic that is not declared.
func (l *Log) Partitions(topic stream.TopicID) int32 {
	if s := &l.table.topics[topic]; s.declared {
		return s.partitions
	}
	return 0
}

// Stats implements stream.Log.
func (l *Log) Stats() stream.Stats {
	l.mu.Lock()
	pending := l.intake.bytes
	l.mu.Unlock()
	return stream.Stats{
		PendingBytes: pending,
		DiskBytes:    l.diskBytes(),
		Syncs:        l.figures.syncs.Load(),
		Appended:     l.figures.appended.Load(),
		Lag:          l.lag(),
		LastSync:     time.Duration(l.figures.lastSync.Load()),
	}
}

// diskBytes counts the segments made ready, too.
func (l *Log) diskBytes() int64 {
	return l.segs.bytes() + int64(l.keeper.ready())*l.opt.SegmentBytes
}

// Failed implements stream.Log.
func (l *Log) Failed() <-chan struct{} { return l.failed }

// Err implements stream.Log; nil while the log works.
func (l *Log) Err() error {
	if e := l.failure.Load(); e != nil {
		return *e
	}
	return nil
}

// fail makes the log useless for good.
func (l *Log) fail(err error) {
	err = fmt.Errorf("%w: journal %s failed for good: %w", stream.ErrUnavailable, l.dir, err)
	if !l.failure.CompareAndSwap(nil, &err) {
		return
	}
	l.log.Error("journal failed", "err", err)
	l.mu.Lock()
	l.intake.over = err
	l.mu.Unlock()
	close(l.failed)
	l.consumers.stop(err)
	l.kick()
}

// Close implements stream.Log. Owners of partitions are asked to give up and
// waited for, so it must not be called by one.
func (l *Log) Close() error {
	l.once.Do(func() {
		l.mu.Lock()
		if l.intake.over == nil {
			l.intake.over = stream.ErrClosed
		}
		l.mu.Unlock()
		close(l.closing)
		l.workers.Wait()
		l.closed = l.release()
	})
	return l.closed
}

func (l *Log) release() error {
	err := l.committer.file.Close()
	if f := l.committer.upcoming.file; f != nil {
		_ = f.Close() // nothing in it counts
	}
	if e := l.keeper.release(); err == nil {
		err = e
	}
	if e := l.lock.Close(); err == nil {
		err = e
	}
	if err != nil {
		err = fmt.Errorf("journal: close: %w", err)
	}
	if e := l.Err(); e != nil {
		return e
	}
	return err
}

// Incarnation is the one that records appended now belong to.
func (l *Log) Incarnation() uint32 { return l.incarnation }
