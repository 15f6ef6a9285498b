// Package leveldb is the persistent key-value engine of the embedded profile,
// on syndtr/goleveldb and the file system of vfs.
//
// What it promises beyond kv. A store whose disk fails answers ErrUnavailable
// and heals by itself once the disk works again: nothing that was applied is
// forgotten meanwhile, since the log of unflushed batches stays in memory until
// it is durable. What was found damaged is ErrCorrupt, for ever.
//
// What it refuses. It does not hide the stalls of compaction: a write may take
// as long as Stats().WriteDelaySeconds says, and does not look at its context
// meanwhile. One process at a time may open a folder. The function of a Scan
// may use the store but not close it.
//
// DESIGN.md tells what was measured and why the log is lazy.
package leveldb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path"
	"sync"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"

	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/vfs"
)

// l0Tables is how many unsorted tables gather before they are merged: more of
// them means fewer bytes written, and more places to look for a key.
const l0Tables = 12

// Options tune a store; zero fields take the defaults that follow them.
type Options struct {
	WriteBuffer int // bytes gathered in memory before they become a table; 24 MiB
	BlockCache  int // bytes of unpacked blocks kept for readers; 64 MiB
	TableSize   int // bytes of a table made by compaction; 8 MiB

	// LazyLog keeps the log of batches that are not yet in a table in memory
	// and writes it only for a Checkpoint or Close. Without it Apply writes
	// the log (unsynced), so that the end of the process alone loses nothing.
	LazyLog bool

	// Logger gets goleveldb's notes at debug level; nil: nobody.
	Logger *slog.Logger

	tune func(*opt.Options) // for measurements
}

// Store is a kv.Store in a folder.
type Store struct {
	opt  Options
	disk *disk
	lock io.Closer

	// write serialises Apply and healing, so that conditions stay true until
	// their batch is written. The fields below it belong to its holder.
	write  sync.Mutex
	writer writer

	// life guards the fields below. db is nil while the store is down.
	life        sync.Mutex
	db          *leveldb.DB
	users       int // calls that use db now
	idle        sync.Cond
	checkpoints sync.WaitGroup
	closed      bool
	delays      delays // of databases that were closed by healing

	closing context.Context // ends when Close begins
	close   context.CancelFunc
}

var _ kv.Store = (*Store)(nil)

// Open opens the store in dir, and makes it if it is not there. It fails with
// vfs.ErrLocked if another process has it open, and with kv.ErrCorrupt if what
// it finds cannot be what a crash left behind.
func Open(fs vfs.FS, dir string, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := fs.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("kv: make %s: %w", dir, err)
	}
	if err := fs.SyncDir(path.Dir(dir)); err != nil {
		return nil, fmt.Errorf("kv: sync the folder of %s: %w", dir, err)
	}
	lock, err := fs.Lock(path.Join(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("kv: lock %s: %w", dir, err)
	}
	s := &Store{opt: o, disk: newDisk(fs, dir, o.Logger), lock: lock}
	s.closing, s.close = context.WithCancel(context.Background())
	s.idle.L = &s.life
	s.disk.pace = pacer{hurry: s.hurry, rest: s.pause}
	db, err := s.openDB()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("kv: open %s: %w", dir, err), lock.Close())
	}
	s.life.Lock() // the makers of tables look already
	s.db = db
	s.life.Unlock()
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.WriteBuffer == 0 {
		o.WriteBuffer = 24 << 20
	}
	if o.BlockCache == 0 {
		o.BlockCache = 64 << 20
	}
	if o.TableSize == 0 {
		o.TableSize = 8 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (s *Store) openDB() (*leveldb.DB, error) {
	if err := s.disk.prepare(); err != nil {
		return nil, err
	}
	o := &opt.Options{
		WriteBuffer:            s.opt.WriteBuffer,
		BlockCacheCapacity:     s.opt.BlockCache,
		CompactionTableSize:    s.opt.TableSize,
		BlockSize:              16 << 10,
		CompactionL0Trigger:    l0Tables,
		WriteL0SlowdownTrigger: 2 * l0Tables,
		WriteL0PauseTrigger:    3 * l0Tables,
		Filter:                 filter.NewBloomFilter(10),
		Strict:                 opt.StrictAll,
		NoWriteMerge:           true, // Apply is serial and merges by itself
		DisableSeeksCompaction: true,
		// goleveldb changes to a new manifest without the record at hand: the new
		// one lists the table of a flush but not that flush's sequence number.
		// After a crash with nothing newer in the log, all of the table is
		// invisible. So the manifest that a start makes is kept for its life.
		MaxManifestFileSize: math.MaxInt64,
		// A batch must never bypass the log: prefixes would break.
		DisableLargeBatchTransaction: true,
	}
	if s.opt.tune != nil {
		s.opt.tune(o)
	}
	db, err := leveldb.Open(s.disk, o)
	return db, portError(err)
}

// Close implements kv.Store.
func (s *Store) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	s.close()
	for s.users > 0 {
		s.idle.Wait()
	}
	s.life.Unlock()
	s.checkpoints.Wait()
	s.write.Lock() // for the end of healing
	defer s.write.Unlock()
	s.life.Lock()
	db := s.db
	s.db = nil
	s.life.Unlock()

	var err error
	if db != nil {
		err = portError(db.Close())
	}
	return errors.Join(err, portError(s.disk.wal.flush(s.disk.wal.end(), true)), s.disk.wal.close(), s.lock.Close())
}

// use hands out the database until done is called.
func (s *Store) use() (*leveldb.DB, error) {
	s.life.Lock()
	defer s.life.Unlock()
	switch {
	case s.closed:
		return nil, kv.ErrClosed
	case s.db == nil:
		return nil, errDown
	}
	s.users++
	return s.db, nil
}

func (s *Store) done() {
	s.life.Lock()
	defer s.life.Unlock()
	if s.users--; s.users == 0 {
		s.idle.Broadcast()
	}
}

// begin is use for readers: a store that is down gets a chance to heal, unless
// somebody is about that already.
func (s *Store) begin(ctx context.Context) (*leveldb.DB, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	db, err := s.use()
	if errors.Is(err, errDown) && s.write.TryLock() {
		err = s.heal()
		s.write.Unlock()
		if err == nil {
			return s.use()
		}
	}
	return db, err
}
