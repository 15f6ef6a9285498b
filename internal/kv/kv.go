// Package kv is the port to the partitioned sorted store. Engines: leveldb
// (embedded profile), redis (cluster profile) and memory (tests). Every engine
// passes the suite in kvtest.
//
// A partition is one entity (a conversation, a user, a tenant): an ordered map
// from keys to values. A batch touches one partition, may be conditional and is
// atomic; nothing is atomic across partitions. What Apply returned without
// error is seen by every later read, and survives Close. It survives a crash,
// be it of the process or of the machine, after the next Checkpoint. After a
// crash the store holds the effects of a prefix of the batches in the order
// applied, with all that was applied before the last Checkpoint: whoever needs
// the rest keeps it elsewhere (in the stream) and applies it again. An engine
// on several machines keeps such a prefix of each partition.
package kv

import (
	"context"
	"errors"
)

// Limits that every engine enforces with ErrTooLarge.
const (
	MaxPartition = 128      // bytes of a partition's name, at least 1
	MaxKey       = 512      // bytes of a key, at least 1
	MaxValue     = 4 << 20  // bytes of a value
	MaxBatchOps  = 10_000   // operations and conditions of one batch
	MaxBatch     = 16 << 20 // bytes of one batch
)

// Errors of this port; engines wrap them.
var (
	ErrNotFound    = errors.New("kv: not found")
	ErrConflict    = errors.New("kv: condition does not hold")
	ErrTooLarge    = errors.New("kv: over a limit")
	ErrUnavailable = errors.New("kv: unavailable") // the store cannot answer now; a retry may work; a failed Apply may have taken effect
	ErrCorrupt     = errors.New("kv: corrupt")
	ErrClosed      = errors.New("kv: closed")
)

// Op sets Key to Value, or deletes it. An empty value is a value.
type Op struct {
	Key    []byte
	Value  []byte
	Delete bool
}

// Cond holds if Key has exactly Value, or, with Absent, is not there.
type Cond struct {
	Key    []byte
	Value  []byte
	Absent bool
}

// Batch changes one partition: all operations in their order if every
// condition holds, nothing (and ErrConflict) otherwise.
type Batch struct {
	Partition []byte
	If        []Cond
	Ops       []Op
	// Barrier: tried only once all batches before it in the call took effect,
	// or were refused by their own conditions or limits; those behind it come
	// after it. An engine on one machine does so with every batch.
	Barrier bool
}

// Range is the keys from From (inclusive; nil: the first) to To (exclusive;
// nil: past the last). Limit 0 means no limit.
type Range struct {
	From, To []byte
	Reverse  bool
	Limit    int
}

// Store is the partitioned sorted store. All methods may be called
// concurrently; a Scan sees one consistent state of its partition.
type Store interface {
	// Get returns a copy of the value or ErrNotFound.
	Get(ctx context.Context, partition, key []byte) ([]byte, error)
	// Scan calls fn in key order for each entry of the range. Key and value
	// are valid during the call only. An error from fn ends the scan and is
	// returned; Stop ends it with nil.
	Scan(ctx context.Context, partition []byte, r Range, fn func(key, value []byte) error) error
	// Apply applies each batch atomically, in their order, and writes many at
	// once. errs is nil if all took effect; else it has one entry a batch.
	// A condition sees the batches before its own. ErrConflict and ErrTooLarge
	// concern their batch alone; after any other error nothing later of the
	// same partition, or behind a Barrier, is tried. An engine on one machine
	// tries nothing later at all; on several, partitions do not wait for each
	// other. Slices may be reused once it returns.
	Apply(ctx context.Context, batches []Batch) (errs []error)
	// Checkpoint makes everything applied before the call survive a crash. It
	// may take its time (an engine may wait for work that it must do anyway)
	// and runs beside all other methods.
	Checkpoint(ctx context.Context) error
	// Stats is for metrics.
	Stats() Stats
	// Close makes everything applied durable and ends the store; calls under
	// way end first, later ones get ErrClosed. A second Close does nothing.
	Close() error
}

// Stop ends a Scan from within.
var Stop = errors.New("kv: stop") //nolint:errname,staticcheck // a signal like io.EOF, not a failure

// Stats are figures since the store was opened.
type Stats struct {
	WriteDelaySeconds float64 // time that writers were held back by compaction
	WriteDelays       int64
	WritePaused       bool
	DiskBytes         int64
	BytesWritten      int64
	BytesRead         int64
}
