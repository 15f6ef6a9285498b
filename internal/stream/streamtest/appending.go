package streamtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

func keepsOrder(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	for _, v := range []string{"a", "b", "c"} {
		put(t, log, orders, record(1, v))
		put(t, log, orders, record(3, v+v))
	}
	got := collect(t, log, "ship", 6, false)
	wantValues(t, "partition 1", got[1], "a", "b", "c")
	wantValues(t, "partition 3", got[3], "aa", "bb", "cc")
	wantRising(t, got[1], got[1][0].Position.Offset)
	for _, r := range got[3] {
		if r.Partition != 3 || string(r.Key) != "k" {
			t.Fatalf("record of partition 3 came as %+v", r)
		}
	}
}

func keepsOrderOfBatch(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	put(t, log, orders, record(0, "a"), record(1, "x"), record(0, "b"), record(0, "c"), record(1, "y"))
	put(t, log, orders, record(0, "d"))
	got := collect(t, log, "ship", 6, false)
	wantValues(t, "partition 0", got[0], "a", "b", "c", "d")
	wantValues(t, "partition 1", got[1], "x", "y")
}

func callsDoneOnce(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	const n = 500
	var calls [n]atomic.Int32
	var wrong atomic.Pointer[error]
	for i := range n {
		err := log.Append(orders, []stream.Record{record(int32(i%4), "v")}, func(err error) {
			calls[i].Add(1)
			if err != nil {
				wrong.Store(&err)
			}
		})
		if err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	if err := log.Append(orders, []stream.Record{record(0, "v")}, nil); err != nil {
		t.Fatalf("append without done: %v", err)
	}
	shut(t, log)
	for i := range calls {
		if c := calls[i].Load(); c != 1 {
			t.Fatalf("done of record %d was called %d times", i, c)
		}
	}
	if err := wrong.Load(); err != nil {
		t.Fatalf("a done was called with %v", *err)
	}
}

// donesInOrder: whoever notes progress by the newest done relies on it.
func donesInOrder(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	const n = 400
	order := make(chan int, n)
	for i := range n {
		var recs []stream.Record // every tenth append has none: it only asks
		for range i % 10 {
			recs = append(recs, record(int32(i*7%4), fmt.Sprint(i)))
		}
		if err := log.Append(orders, recs, func(error) { order <- i }); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
	shut(t, log)
	for want := range n {
		if got := <-order; got != want {
			t.Fatalf("the done of append %d came where that of %d was next", got, want)
		}
	}
}

func manyAppenders(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	const appenders, each = 32, 100
	var all sync.WaitGroup
	for a := range appenders {
		all.Go(func() {
			for i := range each {
				answer := make(chan error, 1)
				r := record(int32(a%4), fmt.Sprintf("%d/%d", a, i))
				if err := log.Append(orders, []stream.Record{r}, func(err error) { answer <- err }); err != nil {
					t.Errorf("append: %v", err)
					return
				}
				if i%10 == 0 { // the others are pipelined
					if err := <-answer; err != nil {
						t.Errorf("answer: %v", err)
					}
				}
			}
		})
	}
	all.Wait()
	next := map[int]int{}
	for p, recs := range collect(t, log, "ship", appenders*each, false) {
		wantRising(t, recs, 0)
		for _, r := range recs {
			var a, i int
			if _, err := fmt.Sscanf(string(r.Value), "%d/%d", &a, &i); err != nil || int32(a%4) != p {
				t.Fatalf("partition %d has %q", p, r.Value)
			}
			if i != next[a] {
				t.Fatalf("appender %d: record %d came where %d was next", a, i, next[a])
			}
			next[a]++
		}
	}
}

func copiesRecords(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	key, value := []byte("key"), []byte("value")
	recs := []stream.Record{{Partition: 2, Key: key, Value: value}}
	answer := make(chan error, 1)
	if err := log.Append(orders, recs, func(err error) { answer <- err }); err != nil {
		t.Fatal(err)
	}
	copy(key, "***")
	copy(value, "*****")
	recs[0] = stream.Record{}
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	got := collect(t, log, "ship", 1, false)
	if r := got[2][0]; string(r.Key) != "key" || string(r.Value) != "value" {
		t.Fatalf("the record came as %q: %q", r.Key, r.Value)
	}
}

func emptyFields(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	put(t, log, orders, stream.Record{}, stream.Record{Key: []byte("k")}, stream.Record{Value: []byte("v")})
	var got []string
	for _, r := range collect(t, log, "ship", 3, false)[0] {
		got = append(got, string(r.Key)+":"+string(r.Value))
	}
	if want := []string{":", "k:", ":v"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func refusesLarge(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	fits := stream.Record{Key: []byte("k"), Value: make([]byte, e.MaxRecordBytes-1)}
	put(t, log, orders, fits)
	large := stream.Record{Key: []byte("k"), Value: make([]byte, e.MaxRecordBytes)}
	err := log.Append(orders, []stream.Record{record(0, "with it"), large}, func(error) {
		t.Error("done of a refused append was called")
	})
	if !errors.Is(err, stream.ErrTooLarge) {
		t.Fatalf("append of a large record: %v", err)
	}
	put(t, log, orders, record(0, "after it"))
	got := collect(t, log, "ship", 2, false)[0]
	if len(got[0].Value) != len(fits.Value) {
		t.Fatalf("the largest record came with %d bytes", len(got[0].Value))
	}
	wantValues(t, "after the refusal", got[1:], "after it")
}

func refusesUndeclared(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	never := func(error) { t.Error("done of a refused append was called") }
	for _, p := range []int32{-1, 4} {
		if err := log.Append(orders, []stream.Record{record(0, "a"), record(p, "b")}, never); err == nil {
			t.Errorf("append to partition %d was taken", p)
		}
	}
	if err := log.Append(99, []stream.Record{record(0, "a")}, never); err == nil {
		t.Error("append to an undeclared topic was taken")
	}
	if n := log.Partitions(99); n != 0 {
		t.Errorf("an undeclared topic has %d partitions", n)
	}
	if n := log.Partitions(orders); n != 4 {
		t.Errorf("the topic has %d partitions, want 4", n)
	}
	own := func(context.Context, stream.Partition) error { return nil }
	if err := log.Consume(context.Background(), "nobody", own); err == nil {
		t.Error("consume of an undeclared group")
	}
}

func closes(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	put(t, log, orders, record(0, "a"))
	shut(t, log)
	err := log.Append(orders, []stream.Record{record(0, "b")}, func(error) { t.Error("done was called") })
	if !errors.Is(err, stream.ErrClosed) {
		t.Fatalf("append after close: %v", err)
	}
	own := func(context.Context, stream.Partition) error { return nil }
	if err := log.Consume(context.Background(), "ship", own); !errors.Is(err, stream.ErrClosed) {
		t.Fatalf("consume after close: %v", err)
	}
	shut(t, log) // once more is no error
	select {
	case <-log.Failed():
		t.Fatal("close is no failure")
	default:
	}
}

func closeFlushes(t *testing.T, e Engine) {
	place := e.New(t)
	log := open(t, place, plain())
	var answered atomic.Int32
	for i := range 100 {
		err := log.Append(orders, []stream.Record{record(0, fmt.Sprint(i))}, func(err error) {
			if err == nil {
				answered.Add(1)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	shut(t, log)
	if n := answered.Load(); n != 100 {
		t.Fatalf("%d of 100 records were answered when close returned", n)
	}
	log = open(t, place, plain())
	for i, v := range values(collect(t, log, "ship", 100, false)[0]) {
		if v != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, v)
		}
	}
}

func closeEndsConsume(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	owned := make(chan struct{}, 4)
	ended := make(chan error, 1)
	go func() {
		ended <- log.Consume(context.Background(), "ship", func(ctx context.Context, p stream.Partition) error {
			owned <- struct{}{}
			_, err := p.Next(ctx, nil, 1)
			return err
		})
	}()
	for range 4 {
		<-owned
	}
	shut(t, log)
	select {
	case err := <-ended:
		if !errors.Is(err, stream.ErrClosed) {
			t.Fatalf("consume ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("consume goes on after close")
	}
}
