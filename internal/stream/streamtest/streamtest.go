// Package streamtest is the suite that every engine of the stream port passes.
// It knows the port only: what an engine does beyond it, its own tests show.
package streamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// Config is what a test wants declared.
type Config struct {
	Topics []stream.Topic
	Groups []stream.Group
}

// Opener opens the log of one place (a folder, a broker's topics). A test calls
// it again after it has closed the log that it got before.
type Opener func(Config) (stream.Log, error)

// Engine is what the suite must know of an engine.
type Engine struct {
	// New makes an empty place.
	New func(t *testing.T) Opener
	// MaxRecordBytes is the limit of key and value together.
	MaxRecordBytes int
	// Many is a number of records of 100 bytes that is more than the engine
	// keeps in memory for its owners, and than it would keep on disk in one file.
	Many int
	// Remote: the disks are another program's, which does not say what it
	// takes. That is the only thing that an engine is let off.
	Remote bool
}

// Run runs the suite.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"a partition keeps the order of its records", keepsOrder},
		{"an append of many records keeps their order", keepsOrderOfBatch},
		{"every done is called once", callsDoneOnce},
		{"dones are called in the order of the appends", donesInOrder},
		{"appenders do not disturb each other", manyAppenders},
		{"keys and values may be reused after append", copiesRecords},
		{"keys and values may be empty", emptyFields},
		{"a record over the limit is refused with its batch", refusesLarge},
		{"what is not declared is refused", refusesUndeclared},
		{"a closed log takes nothing", closes},
		{"close makes durable what was appended", closeFlushes},
		{"close ends consume", closeEndsConsume},
		{"what was not committed comes again", repeatsUncommitted},
		{"a commit never goes back", commitNeverLowers},
		{"groups do not disturb each other", groupsApart},
		{"a group far behind gets every record", laggingGroup},
		{"next gives at most what is asked for", nextMaximum},
		{"start and end tell an owner when it has caught up", startAndEnd},
		{"an owner is woken by new records", wakesOwner},
		{"the end of the context ends consume", contextEndsConsume},
		{"an owner's error ends consume", ownerEndsConsume},
		{"a group that is no longer declared is forgotten", forgetsGroup},
		{"a new group begins at the oldest record", newGroup},
		{"the number of partitions is fixed", fixedPartitions},
		{"a topic can be added", addsTopic},
		{"stats tell how far a group is behind", stats},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, e) })
	}
}

const (
	orders  = stream.TopicID(1)
	letters = stream.TopicID(2)
)

// plain is one topic of four partitions with two groups, and one without any.
func plain() Config {
	return Config{
		Topics: []stream.Topic{
			{ID: orders, Name: "orders", Partitions: 4},
			{ID: letters, Name: "letters", Partitions: 1},
		},
		Groups: []stream.Group{{Name: "ship", Topic: orders}, {Name: "bill", Topic: orders}},
	}
}

// patience is how long anything may take before the test gives up.
const patience = 30 * time.Second

func open(t *testing.T, o Opener, c Config) stream.Log {
	t.Helper()
	log, err := o(c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = log.Close() })
	return log
}

func shut(t *testing.T, log stream.Log) {
	t.Helper()
	if err := log.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// put appends records and waits until they are durable.
func put(t *testing.T, log stream.Log, topic stream.TopicID, recs ...stream.Record) {
	t.Helper()
	answer := make(chan error, 1)
	if err := log.Append(topic, recs, func(err error) { answer <- err }); err != nil {
		t.Fatalf("append: %v", err)
	}
	select {
	case err := <-answer:
		if err != nil {
			t.Fatalf("append was answered: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("append was not answered")
	}
}

func record(partition int32, value string) stream.Record {
	return stream.Record{Partition: partition, Key: []byte("k"), Value: []byte(value)}
}

// fill appends n numbered records of about 100 bytes over 4 partitions, and
// waits for the last: record i goes to partition i%4.
func fill(t *testing.T, log stream.Log, from, n int) {
	t.Helper()
	const batch = 64
	for i := from; i < from+n; i += batch {
		var recs []stream.Record
		for j := i; j < min(i+batch, from+n); j++ {
			recs = append(recs, record(int32(j%4), fmt.Sprintf("%08d%92s", j, "")))
		}
		put(t, log, orders, recs...)
	}
}

// number is what fill put into a record.
func number(t *testing.T, r stream.Record) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscanf(string(r.Value[:8]), "%d", &n); err != nil {
		t.Fatalf("record %v was never appended: %q", r.Position, r.Value)
	}
	return n
}

// consume runs an owner for each partition until all have returned, or one
// fails the test.
func consume(t *testing.T, log stream.Log, group string, own func(ctx context.Context, p stream.Partition) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := log.Consume(ctx, group, own); err != nil {
		t.Fatalf("consume %s: %v", group, err)
	}
}

// collect reads a group's n next records and returns them by partition; each
// partition may commit them.
func collect(t *testing.T, log stream.Log, group string, n int, commit bool) map[int32][]stream.Record {
	t.Helper()
	var mu sync.Mutex
	got := map[int32][]stream.Record{}
	total := 0
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	enough := errors.New("enough")
	if n == 0 {
		return got
	}
	err := log.Consume(ctx, group, func(ctx context.Context, p stream.Partition) error {
		var recs []stream.Record
		for {
			var err error
			recs, err = p.Next(ctx, recs[:0], 7)
			if err != nil {
				return err
			}
			if commit {
				if err := p.Commit(recs[len(recs)-1].Position.Offset + 1); err != nil {
					return err
				}
			}
			mu.Lock()
			got[p.ID()] = append(got[p.ID()], recs...)
			total += len(recs)
			all := total >= n
			mu.Unlock()
			if all {
				return enough
			}
		}
	})
	if !errors.Is(err, enough) {
		t.Fatalf("consume %s: %v after %d of %d records", group, err, total, n)
	}
	if total != n {
		t.Fatalf("group %s got %d records, want %d", group, total, n)
	}
	return got
}

// values are the records' values in order.
func values(recs []stream.Record) []string {
	var all []string
	for _, r := range recs {
		all = append(all, string(r.Value))
	}
	return all
}

func wantValues(t *testing.T, what string, recs []stream.Record, want ...string) {
	t.Helper()
	if got := values(recs); !slices.Equal(got, want) {
		t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

// wantRising checks that offsets rise by one from first.
func wantRising(t *testing.T, recs []stream.Record, first int64) {
	t.Helper()
	for i, r := range recs {
		if r.Position.Offset != first+int64(i) {
			t.Fatalf("partition %d: record %d has offset %d, want %d", r.Partition, i, r.Position.Offset, first+int64(i))
		}
	}
}
