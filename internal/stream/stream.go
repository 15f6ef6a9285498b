// Package stream is the port to the partitioned log: ordered topics whose
// partitions are read, each by one owner in a group, in the order of their
// offsets. Engines: journal (embedded profile) and kafka (cluster profile). Every
// engine passes the suite in streamtest.
//
// What it promises. Records handed over in one Append, or in Append calls that
// follow one another, keep their order within a partition. A consumer sees
// durable records only, unless its group is declared Early. A record is delivered at least once to each group:
// again after a crash if its offset was not committed. A log never drops a
// record that some declared group has not committed.
//
// What it refuses. It does not order partitions among each other, does not
// deduplicate, and knows nothing of what a record means.
package stream

import (
	"context"
	"errors"
	"time"
)

// Errors of this port; engines wrap them.
var (
	// ErrOverloaded: the log is at one of its limits (bytes not yet synced,
	// disk); nothing was appended, trying later may work.
	ErrOverloaded = errors.New("stream: overloaded")
	// ErrUnavailable: the log cannot take records (no space, no broker).
	ErrUnavailable = errors.New("stream: unavailable")
	// ErrTooLarge: a record is over the limit of the log.
	ErrTooLarge = errors.New("stream: record too large")
	// ErrClosed: the log was closed.
	ErrClosed = errors.New("stream: closed")
	// ErrCorrupt: a damaged record with valid ones after it, or a damaged
	// file. Never said of a torn tail, which a crash leaves behind lawfully.
	ErrCorrupt = errors.New("stream: corrupt")
)

// TopicID is a topic's number in encodings; never reused for another topic.
type TopicID uint8

// Topic is declared in code. Partitions is fixed at the first start.
type Topic struct {
	ID         TopicID
	Name       string
	Partitions int32
}

// Group is a consumer group of one topic, declared in code. A group that is
// no longer declared is dropped with its offsets; a new one starts at the
// oldest record still kept.
type Group struct {
	Name  string
	Topic TopicID
	// Early allows the log to hand records to the owners as soon as they have
	// their place in the order, before they are durable, so that what an owner
	// appends becomes durable together with them. An owner of an early group
	// lets nothing out before that: an Append without records tells when
	// everything before it is durable. What was handed out is never taken
	// back: if it cannot be made durable, the log fails for good.
	Early bool
}

// Position is a record's place in its partition. Offsets rise by one within an
// incarnation; a new incarnation (the log lost what a store had already
// applied) is later than every position of the ones before.
type Position struct {
	Incarnation uint32
	Offset      int64
}

// Before reports whether p is earlier than q.
func (p Position) Before(q Position) bool {
	if p.Incarnation != q.Incarnation {
		return p.Incarnation < q.Incarnation
	}
	return p.Offset < q.Offset
}

// Record is one entry of a partition. The position is set on delivery and
// ignored by Append. Key and Value of a delivered record must not be changed
// and stay valid as long as they are referenced.
type Record struct {
	Partition int32
	Position  Position
	Key       []byte
	Value     []byte
}

// Log is the partitioned log.
type Log interface {
	// Partitions returns the number of partitions of a declared topic.
	Partitions(topic TopicID) int32

	// Append hands records to the log. On nil they have their place in the
	// order, and done (may be nil) is called exactly once from a goroutine of
	// the log: with nil when all of them are durable, else with the error; it
	// must not block. On an error none was taken and done is not called. Key
	// and Value may be reused once Append returns. It does not wait for the disk.
	// Dones are called in the order of the calls, whatever the partitions. After
	// one that tells of an error, those of all appends taken by then tell of one
	// too, and nothing more is taken before they have returned: so no record is
	// ever kept behind one that was lost unless its owner has had the choice.
	// An error of a done means that the records may be kept or not.
	// Without records, done tells when all that was appended before is durable.
	Append(topic TopicID, recs []Record, done func(error)) error

	// Consume reads a declared group's topic until ctx ends or the log fails.
	// For each partition assigned it runs own in a goroutine of its own, with
	// a context that ends when the partition must be given up, and waits for
	// it. An error from own, while its context lives, ends Consume with it.
	Consume(ctx context.Context, group string, own func(ctx context.Context, p Partition) error) error

	// Stats is for metrics and back-pressure; it is cheap.
	Stats() Stats

	// Failed is closed when the log can never again make a record durable
	// (a sync failed); Err tells why. The process must stop answering and exit.
	Failed() <-chan struct{}
	Err() error

	// Close makes everything appended durable, calls every done, ends Consume.
	Close() error
}

// Partition is one partition in the hands of its owner; not for concurrent use,
// but for Commit, which may be called from any goroutine.
type Partition interface {
	ID() int32
	// Start is the offset of the first record that Next will deliver: the
	// first that the group has not committed.
	Start() int64
	// End is one past the newest record that was durable when the partition
	// was assigned: an owner that has passed it has caught up.
	End() int64
	// Next waits for at least one record and appends what is at hand to buf,
	// at most max records, in order and without a gap.
	Next(ctx context.Context, buf []Record, max int) ([]Record, error)
	// Commit says that everything below next has taken effect durably. It
	// becomes durable some time after the call, never before it; lower than
	// an earlier one it is ignored.
	Commit(next int64) error
}

// Stats are figures since the log was opened.
type Stats struct {
	// PendingBytes are appended and not yet durable.
	PendingBytes int64
	// DiskBytes are held by the log's files.
	DiskBytes int64
	Syncs     uint64
	Appended  uint64
	// Lag is, by group, the largest number of durable records of a partition
	// that its owner has not been handed yet.
	Lag map[string]int64
	// LastSync is how long the newest sync took.
	LastSync time.Duration
}

// PartitionOf maps a key to one of n partitions (FNV-1a, 64 bit).
func PartitionOf(key []byte, n int32) int32 {
	h := uint64(14695981039346656037)
	for _, b := range key {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h ^= h >> 32
	return int32(h % uint64(n))
}
