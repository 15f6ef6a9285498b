package pipeline

import (
	"context"
	"log/slog"
	"testing"

	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/stream"
)

// The mark of an owner moves behind a batch when its steps are done and what
// they appended is durable, and not before (X1).
func TestTheMarkFollowsTheEffects(t *testing.T) {
	log := &doubtful{}
	s := &shell{Machine: &Machine{
		Stages: &Stages{Log: log, Watch: unwatched{}, Logger: slog.New(slog.DiscardHandler)},
		stage:  stage{name: SingleGroup, topic: record.SingleTopic},
	}}
	s.partition = first{}
	moved := func(when string, want int64) {
		t.Helper()
		if next := s.done.next.Load(); next != want {
			t.Errorf("%s the mark is at %d, want %d", when, next, want)
		}
	}
	s.owner.step = func(context.Context, *stream.Record) error { moved("during a step", 0); return nil }
	s.owner.appends = func() []stream.Record { return []stream.Record{{Key: room[:]}} }
	recs := []stream.Record{at(0, nil), at(1, nil)}
	if err := s.batch(t.Context(), recs); err != nil {
		t.Fatal(err)
	}
	moved("before the appends are durable", 0)
	log.tell(nil)
	moved("after the first batch", 2)
	s.owner.appends = func() []stream.Record { return nil }
	s.owner.step = func(context.Context, *stream.Record) error { moved("during a step", 2); return nil }
	if err := s.batch(t.Context(), []stream.Record{at(2, nil)}); err != nil {
		t.Fatal(err)
	}
	moved("after a batch without appends", 3)
}

// first is partition 0.
type first struct{ stream.Partition }

func (first) ID() int32 { return 0 }
