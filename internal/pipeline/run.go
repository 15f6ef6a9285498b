package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/merchantim/merchantim/internal/hot"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// Stages runs all stages behind accept.
type Stages struct {
	Log         stream.Log
	Store       *store.Store
	Writer      *store.Writer
	Recents     hot.Recents
	Links       Links
	Watch       Observer
	Incarnation func() uint32
	Batch       int // most records taken at once
	Logger      *slog.Logger
}

// stage is a step function with its place: one line of the table in Run.
type stage struct {
	name  string
	topic stream.TopicID
	kept  bool // its effects are in the store
	// linger is how long records are gathered after each batch, where nobody
	// waits for the effects: a wake-up for every sync costs more than the work.
	linger time.Duration
	owner  func(p stream.Partition) owner

	reached steps // how far each partition has come; nil: nobody asks
	behind  steps // the stage that must be past a record first; nil: none
}

// listLinger is how late the order of a list may be.
const listLinger = 10 * time.Millisecond

// owner is the state of one partition of a stage, for one goroutine.
type owner struct {
	step    func(ctx context.Context, r *stream.Record) error
	outbox  Outbox
	appends func() []stream.Record    // for the mixed topic, gathered by steps
	beside  func(ctx context.Context) // runs while the owner does; nil: nothing
}

// single gives every message its place.
func (s *Stages) single() stage {
	mixedParts := s.Log.Partitions(record.MixedTopic)
	return stage{name: SingleGroup, topic: record.SingleTopic, kept: true, owner: func(stream.Partition) owner {
		o := newHeld(s.Log, s.Links.Outbox(), s.Watch)
		x := newSingle(s.Store.Chains, o, heldWatch{s.Watch, o}, mixedParts)
		return owner{step: x.step, outbox: o, appends: x.fan.take, beside: o.run}
	}}
}

// mixed extends the inboxes and pushes. rows notes how far it has come.
func (s *Stages) mixed(rows steps) stage {
	mixedParts := s.Log.Partitions(record.MixedTopic)
	return stage{name: MixedGroup, topic: record.MixedTopic, kept: true, reached: rows, owner: func(p stream.Partition) owner {
		o := s.Links.Outbox()
		return owner{step: newMixed(s.Store, o, s.Watch, p.ID(), mixedParts).step, outbox: o}
	}}
}

// list is filled from the rows that mixed keeps. What list touches must be
// among them by then: a touch before the fill is not remembered.
func (s *Stages) list(rows steps) stage {
	mixedParts := s.Log.Partitions(record.MixedTopic)
	return stage{name: ListGroup, topic: record.MixedTopic, linger: listLinger, behind: rows, owner: func(p stream.Partition) owner {
		l := &list{recents: s.Recents, partition: p.ID(), partitions: mixedParts}
		return owner{step: l.step}
	}}
}

// Run reads the log until ctx ends. It first repeats what the store may lack
// of the log, stage after stage, then calls caughtUp.
func (s *Stages) Run(ctx context.Context, caughtUp func()) error {
	g, ctx := errgroup.WithContext(ctx)
	behind := s.start(ctx, g, s.single())
	// The inboxes follow once single has repeated its fan-out: what they see
	// as the end of the log then includes it.
	g.Go(func() error {
		if !behind.wait(ctx) {
			return nil
		}
		rows := make(steps, s.Log.Partitions(record.MixedTopic))
		push := s.start(ctx, g, s.mixed(rows))
		list := s.start(ctx, g, s.list(rows))
		if push.wait(ctx) && list.wait(ctx) {
			caughtUp()
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("pipeline: %w", err)
	}
	return nil
}

// start runs a stage on all its partitions. The latch opens when each partition
// has passed what was its end when it was assigned.
func (s *Stages) start(ctx context.Context, g *errgroup.Group, st stage) *latch {
	behind := newLatch(s.Log.Partitions(st.topic))
	own := func(ctx context.Context, p stream.Partition) error {
		sh := &shell{Machine: newMachine(s, st, p), passed: behind.pass}
		return sh.run(ctx)
	}
	g.Go(func() error {
		for {
			err := s.Log.Consume(ctx, st.name, own)
			if ctx.Err() != nil {
				return nil //nolint:nilerr // being told to stop is no failure
			}
			if !errors.Is(err, errLost) {
				return err
			}
			s.Logger.Warn("stage goes back to what it has committed", "stage", st.name, "err", err)
		}
	})
	return behind
}
