package streamtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
)

// laggingGroup lets one group go ahead while another has not begun, so that the
// late one finds its records no longer in memory; and a third time after the
// log was opened again.
func laggingGroup(t *testing.T, e Engine) {
	place := e.New(t)
	log := open(t, place, plain())
	fill(t, log, 0, e.Many)
	collect(t, log, "ship", e.Many, true)
	wantAll(t, collect(t, log, "bill", e.Many, false), e.Many)
	shut(t, log)
	log = open(t, place, plain())
	wantAll(t, collect(t, log, "bill", e.Many, true), e.Many)
}

// wantAll checks for the n records of fill.
func wantAll(t *testing.T, got map[int32][]stream.Record, n int) {
	t.Helper()
	total := 0
	for p, recs := range got {
		wantRising(t, recs, 0)
		for i, r := range recs {
			if want := 4*i + int(p); number(t, r) != want {
				t.Fatalf("partition %d: record %d is number %d, want %d", p, i, number(t, r), want)
			}
		}
		total += len(recs)
	}
	if total != n {
		t.Fatalf("%d records, want %d", total, n)
	}
}

func nextMaximum(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	fill(t, log, 0, 400)
	consume(t, log, "ship", func(ctx context.Context, p stream.Partition) error {
		got := []stream.Record{{Value: []byte("mine")}}
		for len(got) < 101 {
			before := len(got)
			limit := 1 + before%13
			var err error
			if got, err = p.Next(ctx, got, limit); err != nil {
				return err
			}
			if n := len(got) - before; n < 1 || n > limit {
				return fmt.Errorf("next gave %d records, asked for 1 to %d", n, limit)
			}
		}
		if string(got[0].Value) != "mine" {
			return errors.New("next overwrote what was in the buffer")
		}
		if o := got[100].Position.Offset; o != 99 {
			return fmt.Errorf("the 100th record has offset %d", o)
		}
		return nil
	})
}

func startAndEnd(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	put(t, log, orders, record(0, "a"), record(0, "b"), record(0, "c"), record(1, "x"))
	want := map[int32][2]int64{0: {0, 3}, 1: {0, 1}, 2: {0, 0}, 3: {0, 0}}
	check := func(_ context.Context, p stream.Partition) error {
		if got := [2]int64{p.Start(), p.End()}; got != want[p.ID()] {
			return fmt.Errorf("partition %d: start and end are %v, want %v", p.ID(), got, want[p.ID()])
		}
		if p.ID() == 0 {
			return p.Commit(2)
		}
		return nil
	}
	consume(t, log, "ship", check)
	want[0] = [2]int64{2, 3}
	consume(t, log, "ship", check)
}

func wakesOwner(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	const rounds = 50
	ball := make(chan struct{}, 1)
	ball <- struct{}{}
	consume(t, log, "ship", func(ctx context.Context, p stream.Partition) error {
		if p.ID() != 2 {
			return nil
		}
		for i := range rounds {
			<-ball
			err := log.Append(orders, []stream.Record{record(2, fmt.Sprint(i))}, func(error) { ball <- struct{}{} })
			if err != nil {
				return err
			}
			recs, err := p.Next(ctx, nil, 10)
			if err != nil {
				return err
			}
			if len(recs) != 1 || string(recs[0].Value) != fmt.Sprint(i) {
				return fmt.Errorf("round %d brought %q", i, values(recs))
			}
		}
		return nil
	})
}

func contextEndsConsume(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	ctx, cancel := context.WithCancel(context.Background())
	var running atomic.Int32
	owned := make(chan struct{}, 4)
	ended := make(chan error, 1)
	go func() {
		ended <- log.Consume(ctx, "ship", func(ctx context.Context, p stream.Partition) error {
			running.Add(1)
			defer running.Add(-1)
			owned <- struct{}{}
			_, err := p.Next(ctx, nil, 1)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("next returned %v", err)
			}
			return err
		})
	}()
	for range 4 {
		<-owned
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("consume returned %v", err)
		}
	case <-time.After(patience):
		t.Fatal("consume goes on")
	}
	if n := running.Load(); n != 0 {
		t.Fatalf("consume returned while %d owners run", n)
	}
	put(t, log, orders, record(0, "a"))
	wantValues(t, "consumed afterwards", collect(t, log, "ship", 1, false)[0], "a")
}

func ownerEndsConsume(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	broken := errors.New("broken")
	var others sync.WaitGroup
	others.Add(3)
	err := log.Consume(context.Background(), "ship", func(ctx context.Context, p stream.Partition) error {
		if p.ID() == 1 {
			return broken
		}
		defer others.Done()
		_, err := p.Next(ctx, nil, 1)
		return err
	})
	if !errors.Is(err, broken) {
		t.Fatalf("consume returned %v", err)
	}
	others.Wait()
}

func stats(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	fill(t, log, 0, 40)
	s := log.Stats()
	if s.Appended != 40 || s.Syncs == 0 || (s.DiskBytes == 0) != e.Remote || s.PendingBytes != 0 {
		t.Errorf("after 40 records: %+v", s)
	}
	if s.Lag["ship"] != 10 || s.Lag["bill"] != 10 {
		t.Errorf("lag before anyone read: %v", s.Lag)
	}
	collect(t, log, "ship", 40, false)
	if s := log.Stats(); s.Lag["ship"] != 0 || s.Lag["bill"] != 10 {
		t.Errorf("lag after ship read: %v", s.Lag)
	}
}
