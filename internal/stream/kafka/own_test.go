//go:build kafka

package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/merchantim/merchantim/internal/stream"
)

// TestRebalance: X1, M55: two processes share a group while records keep
// coming; at no time has a partition two owners that both live, nothing is
// lost, and what comes is in order.
func TestRebalance(t *testing.T) {
	opt := testOptions(brokers(t))
	a, b := open(t, opt), open(t, opt)
	e := newEater()
	stopA := e.start(a)
	e.until(t, "one process to have all partitions", func() bool { return len(e.owned) == 4 })
	const n = 400
	fed := make(chan error, 1)
	go func() {
		for i := range n {
			if err := put(a, rec(int32(i%4), fmt.Sprint(i))); err != nil {
				fed <- err
				return
			}
		}
		fed <- nil
	}()
	e.until(t, "some records", func() bool { return len(e.got[0]) > 5 })
	stopB := e.start(b)
	shared := func() bool {
		mine, theirs := 0, 0
		for p := range int32(4) {
			if a.groups["single"].held[p].Load() {
				mine++
			}
			if b.groups["single"].held[p].Load() {
				theirs++
			}
		}
		return mine == 2 && theirs == 2
	}
	e.until(t, "the partitions to be shared", shared)
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	if err := stopA(); !errors.Is(err, context.Canceled) {
		t.Errorf("consume of the first process: %v", err)
	}
	mustPut(t, b, rec(0, "last"), rec(1, "last"), rec(2, "last"), rec(3, "last"))
	e.until(t, "the last records at the process that stayed", func() bool {
		for p := range int32(4) {
			if !slices.Contains(e.values(p), "last") {
				return false
			}
		}
		return true
	})
	if err := stopB(); !errors.Is(err, context.Canceled) {
		t.Errorf("consume of the second process: %v", err)
	}
	if e.overlap {
		t.Error("a partition had two owners at once")
	}
	for p := range int32(4) {
		for i, v := range e.values(p)[:n/4] {
			if v != fmt.Sprint(4*i+int(p)) {
				t.Fatalf("partition %d: record %d is %s", p, i, v)
			}
		}
	}
}

// TestTopicMadeAgain: X3: a topic that was deleted and made again is noticed,
// its records belong to a later incarnation, and old commits do not count.
func TestTopicMadeAgain(t *testing.T) {
	opt := testOptions(brokers(t))
	l := open(t, opt)
	e := newEater()
	stop := e.start(l)
	mustPut(t, l, rec(0, "a"), rec(0, "b"), rec(0, "c"))
	e.until(t, "the records", func() bool { return len(e.got[0]) == 3 })
	old := e.got[0][2].Position
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	makeAgain(t, l, opt)
	<-l.Failed()
	if !errors.Is(l.Err(), stream.ErrCorrupt) {
		t.Fatalf("failed with %v", l.Err())
	}
	if err := put(l, rec(0, "x")); err == nil {
		t.Fatal("a log on a topic that is another one takes records")
	}
	l.Close()

	again := open(t, opt)
	mustPut(t, again, rec(0, "new"))
	e = newEater()
	e.attend(t, again)
	e.until(t, "the first record of the new topic", func() bool { return len(e.got[0]) == 1 })
	e.mu.Lock()
	defer e.mu.Unlock()
	if got := e.got[0][0]; string(got.Value) != "new" || !old.Before(got.Position) || got.Position.Offset != 0 {
		t.Fatalf("the new topic begins with %q at %v, the old one ended at %v", got.Value, got.Position, old)
	}
}

func makeAgain(t *testing.T, l *Log, opt Options) {
	t.Helper()
	ctx := t.Context()
	name := opt.Prefix + "single"
	res, err := l.cluster.DeleteTopics(ctx, &kafkago.DeleteTopicsRequest{Topics: []string{name}})
	if err != nil || res.Errors[name] != nil {
		t.Fatal(err, res)
	}
	for {
		if err := Migrate(ctx, opt); err == nil {
			ids, err := l.cluster.identify(ctx, []string{name})
			if err == nil && ids[name] != (topicID{}) && ids[name] != l.topics[1].uid {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestStoreAhead: a store that has seen more than the log has: what comes from
// now on is later than all that it saw.
func TestStoreAhead(t *testing.T) {
	opt := testOptions(brokers(t))
	l := open(t, opt)
	mustPut(t, l, rec(0, "a"))
	first := l.Incarnation(1)
	l.Close()
	seen := stream.Position{Incarnation: first, Offset: 7}
	opt.Floor = map[stream.TopicID]map[int32]stream.Position{1: {0: seen}}
	l = open(t, opt)
	mustPut(t, l, rec(0, "b"))
	e := newEater()
	e.attend(t, l)
	e.until(t, "both records", func() bool { return len(e.got[0]) == 2 })
	e.mu.Lock()
	defer e.mu.Unlock()
	if a, b := e.got[0][0].Position, e.got[0][1].Position; a.Incarnation != first || !seen.Before(b) {
		t.Fatalf("the records are at %v and %v; the store has seen %v", a, b, seen)
	}
}

// TestOversized: a broker that takes less than we would: the append fails, it is
// not tried for ever, and the log goes on.
func TestOversized(t *testing.T) {
	opt := testOptions(brokers(t))
	l := open(t, opt)
	if err := put(l, rec(0, strings.Repeat("x", opt.MaxRecordBytes+2<<20))); !errors.Is(err, stream.ErrTooLarge) {
		t.Fatalf("a record over our limit: %v", err)
	}
	res, err := l.cluster.IncrementalAlterConfigs(t.Context(), &kafkago.IncrementalAlterConfigsRequest{
		Resources: []kafkago.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: opt.Prefix + "single",
			Configs: []kafkago.IncrementalAlterConfigsRequestConfig{{
				Name: "max.message.bytes", Value: "10000", ConfigOperation: kafkago.ConfigOperationSet,
			}},
		}},
	})
	if err != nil || res.Resources[0].Error != nil {
		t.Fatal(err, res)
	}
	for { // the setting reaches the broker's logs a little later
		err := put(l, rec(0, strings.Repeat("y", 20_000)))
		if errors.Is(err, stream.ErrTooLarge) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for put(l, rec(0, "small")) != nil {
		time.Sleep(10 * time.Millisecond)
	}
	bad := 0
	for _, f := range Check(t.Context(), opt) {
		if f.Err != nil {
			bad++
			if !strings.Contains(f.Err.Error(), "max.message.bytes") {
				t.Errorf("%s: %v", f.What, f.Err)
			}
		}
	}
	if bad != 1 {
		t.Fatalf("check has %d complaints, want one", bad)
	}
}

// TestSlowOwner: an owner that takes one record now and then makes the process
// keep two requests' worth of its partition, not the partition.
func TestSlowOwner(t *testing.T) {
	opt := testOptions(brokers(t))
	opt.FetchBytes, opt.BatchBytes = 64<<10, 16<<10
	l := open(t, opt)
	const n, size = 400, 8 << 10
	for range n {
		mustPut(t, l, stream.Record{Value: bytes.Repeat([]byte("z"), size)})
	}
	enough := errors.New("enough")
	err := l.Consume(t.Context(), "single", func(ctx context.Context, p stream.Partition) error {
		r := p.(*reader)
		if r.id != 0 {
			<-ctx.Done()
			return ctx.Err()
		}
		var buf []stream.Record
		for i := range n {
			var err error
			if buf, err = p.Next(ctx, buf[:0], 1); err != nil {
				return err
			}
			if buf[0].Position.Offset != int64(i) {
				return fmt.Errorf("record %d came as number %d", buf[0].Position.Offset, i)
			}
			if kept := len(r.have) * size; kept > opt.FetchBytes+opt.BatchBytes {
				return fmt.Errorf("%d bytes are kept", kept)
			}
		}
		return enough
	})
	if !errors.Is(err, enough) {
		t.Fatal(err)
	}
}

// TestCommitTrails: X1: within the loss window nothing is committed; Rewind goes
// back to there, and so does a new process.
func TestCommitTrails(t *testing.T) {
	opt := testOptions(brokers(t))
	opt.LossWindow = time.Hour
	l := open(t, opt)
	mustPut(t, l, rec(0, "a"), rec(0, "b"))
	e := newEater()
	stop := e.start(l)
	e.until(t, "the records", func() bool { return len(e.got[0]) == 2 })
	l.Rewind()
	e.until(t, "the records again", func() bool { return len(e.got[0]) == 4 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if lag := l.Stats().Lag["single"]; lag != 0 {
		t.Errorf("lag is %d though all was handed out", lag)
	}
	l.Close()
	l = open(t, opt)
	if lag := l.Stats().Lag["single"]; lag != 0 {
		t.Errorf("another process sees a lag of %d", lag)
	}
	e = newEater()
	stop = e.start(l)
	e.until(t, "the records once more", func() bool { return len(e.got[0]) == 2 })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestTrim: what every group has committed leaves Kafka, nothing else does.
func TestTrim(t *testing.T) {
	opt := testOptions(brokers(t))
	opt.Groups = append(opt.Groups, stream.Group{Name: "list", Topic: 1})
	l := open(t, opt)
	mustPut(t, l, rec(0, "a"), rec(0, "b"), rec(0, "c"))
	read := func(group string, commit int64, check func() error) {
		t.Helper()
		enough := errors.New("enough")
		err := l.Consume(t.Context(), group, func(ctx context.Context, p stream.Partition) error {
			if p.ID() != 0 {
				<-ctx.Done()
				return ctx.Err()
			}
			if err := p.Commit(commit); err != nil {
				return err
			}
			if err := check(); err != nil {
				return err
			}
			return enough
		})
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
	}
	first := func(want int64) func() error {
		return func() error {
			l.trimAll(t.Context())
			at, err := l.cluster.bounds(t.Context(), opt.Prefix+"single", 4, kafkago.FirstOffset)
			if err == nil && at[0] != want {
				err = fmt.Errorf("the oldest record is %d, want %d", at[0], want)
			}
			return err
		}
	}
	read("single", 3, first(0))
	read("list", 2, func() error { return nil })
	read("single", 3, first(2))
}
