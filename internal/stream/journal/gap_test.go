package journal

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/vfs"
)

// A store is ahead of a log that lost its end, and a group has not committed
// all that is left. Behind the last record that is left there is nothing until
// someone appends: an owner that has passed it has caught up.
func TestEndIsReachableAfterANewIncarnation(t *testing.T) {
	fs := vfs.NewMem()
	opt := Options{
		Topics: []stream.Topic{{ID: 1, Name: "t", Partitions: 1}}, Groups: []stream.Group{{Name: "g", Topic: 1}},
		SegmentBytes: 4 << 20,
	}
	l, err := Open(fs, "log", opt)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := l.Append(1, []stream.Record{{Value: []byte("v")}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	opt.Floor = map[stream.TopicID]map[int32]stream.Position{1: {0: {Incarnation: 1, Offset: 9}}}
	for range 2 { // and after one more start
		if l, err = Open(fs, "log", opt); err != nil {
			t.Fatal(err)
		}
		if l.Incarnation() != 2 {
			t.Fatalf("incarnation %d", l.Incarnation())
		}
		err = l.Consume(t.Context(), "g", func(ctx context.Context, p stream.Partition) error {
			at := p.Start()
			for at < p.End() {
				short, cancel := context.WithTimeout(ctx, time.Second)
				recs, err := p.Next(short, nil, 100)
				cancel()
				if err != nil {
					return err
				}
				at = recs[len(recs)-1].Position.Offset + 1
			}
			return errors.New("caught up")
		})
		if err == nil || err.Error() != "caught up" {
			t.Errorf("consume: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		opt.Floor = nil
	}
}
