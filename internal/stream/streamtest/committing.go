package streamtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/merchantim/merchantim/internal/stream"
)

func repeatsUncommitted(t *testing.T, e Engine) {
	place := e.New(t)
	log := open(t, place, plain())
	put(t, log, orders, record(0, "a"), record(0, "b"), record(0, "c"), record(1, "x"))
	collect(t, log, "ship", 4, false)
	wantValues(t, "again at once", collect(t, log, "ship", 4, false)[0], "a", "b", "c")
	consume(t, log, "ship", commitAt(0, 2))
	shut(t, log)

	log = open(t, place, plain())
	got := collect(t, log, "ship", 2, true)
	wantValues(t, "partition 0 after a commit of two", got[0], "c")
	wantValues(t, "partition 1 without a commit", got[1], "x")
	shut(t, log)

	log = open(t, place, plain())
	put(t, log, orders, record(0, "d"))
	got = collect(t, log, "ship", 1, false)
	wantValues(t, "after a commit of everything", got[0], "d")
	if o := got[0][0].Position.Offset; o != 3 {
		t.Fatalf("the fourth record of the partition has offset %d", o)
	}
}

// commitAt commits in one partition and reads nothing.
func commitAt(partition int32, next int64) func(context.Context, stream.Partition) error {
	return func(_ context.Context, p stream.Partition) error {
		if p.ID() != partition {
			return nil
		}
		return p.Commit(next)
	}
}

func commitNeverLowers(t *testing.T, e Engine) {
	log := open(t, e.New(t), plain())
	fill(t, log, 0, 40)
	consume(t, log, "ship", func(_ context.Context, p stream.Partition) error {
		var all sync.WaitGroup
		for n := range int64(11) {
			all.Go(func() {
				if err := p.Commit(n); err != nil {
					t.Errorf("commit %d: %v", n, err)
				}
			})
		}
		all.Wait()
		return p.Commit(3)
	})
	consume(t, log, "ship", func(_ context.Context, p stream.Partition) error {
		if p.Start() != 10 {
			return fmt.Errorf("partition %d starts at %d after commits up to 10", p.ID(), p.Start())
		}
		return nil
	})
}

func groupsApart(t *testing.T, e Engine) {
	place := e.New(t)
	log := open(t, place, plain())
	put(t, log, orders, record(0, "a"), record(0, "b"))
	// While bill sits on its partitions, ship goes on.
	blocked, free := make(chan struct{}, 4), make(chan struct{})
	var slow sync.WaitGroup
	slow.Go(func() {
		err := log.Consume(context.Background(), "bill", func(context.Context, stream.Partition) error {
			blocked <- struct{}{}
			<-free
			return nil
		})
		if err != nil {
			t.Errorf("consume bill: %v", err)
		}
	})
	for range 4 {
		<-blocked
	}
	fill(t, log, 0, 400)
	collect(t, log, "ship", 402, true)
	close(free)
	slow.Wait()
	shut(t, log)
	log = open(t, place, plain())
	wantValues(t, "bill after ship's commits", collect(t, log, "bill", 402, false)[0][:2], "a", "b")
}

func forgetsGroup(t *testing.T, e Engine) {
	place := e.New(t)
	both := plain()
	log := open(t, place, both)
	put(t, log, orders, record(0, "a"))
	collect(t, log, "bill", 1, true)
	shut(t, log)

	one := plain()
	one.Groups = one.Groups[:1]
	log = open(t, place, one)
	if err := log.Consume(context.Background(), "bill", commitAt(0, 0)); err == nil {
		t.Fatal("a group that is not declared can be consumed")
	}
	shut(t, log)

	log = open(t, place, both) // ship has kept the record
	wantValues(t, "a group that came back", collect(t, log, "bill", 1, false)[0], "a")
}

func newGroup(t *testing.T, e Engine) {
	place := e.New(t)
	one := plain()
	one.Groups = one.Groups[:1]
	log := open(t, place, one)
	put(t, log, orders, record(0, "a"))
	shut(t, log)
	log = open(t, place, plain())
	wantValues(t, "a new group", collect(t, log, "bill", 1, false)[0], "a")
	put(t, log, orders, record(0, "b"))
	wantValues(t, "the old group", collect(t, log, "ship", 2, false)[0], "a", "b")
}

func fixedPartitions(t *testing.T, e Engine) {
	place := e.New(t)
	log := open(t, place, plain())
	put(t, log, orders, record(3, "a"))
	shut(t, log)
	other := plain()
	other.Topics[0].Partitions = 8
	if log, err := place(other); err == nil {
		_ = log.Close()
		t.Fatal("a log was opened with another number of partitions")
	}
	log = open(t, place, plain())
	wantValues(t, "after the refusal", collect(t, log, "ship", 1, false)[3], "a")
}

func addsTopic(t *testing.T, e Engine) {
	place := e.New(t)
	before := plain()
	before.Topics = before.Topics[:1]
	log := open(t, place, before)
	put(t, log, orders, record(3, "a"))
	shut(t, log)
	after := plain()
	after.Groups = append(after.Groups, stream.Group{Name: "post", Topic: letters})
	log = open(t, place, after)
	put(t, log, letters, record(0, "dear"))
	wantValues(t, "the new topic", collect(t, log, "post", 1, true)[0], "dear")
	wantValues(t, "the old topic", collect(t, log, "ship", 1, true)[3], "a")
	shut(t, log)
	log = open(t, place, after)
	put(t, log, letters, record(0, "reader"))
	wantValues(t, "the new topic again", collect(t, log, "post", 1, true)[0], "reader")
}
