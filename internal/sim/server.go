package sim

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/pipeline"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/usecase"
)

// server is one life of the server: the real stages, store and use-cases, with
// steps where the product has goroutines.
type server struct {
	w       *world
	tables  *tables
	journal *journal
	links   *links
	store   *store.Store
	writer  *store.Writer
	accept  *pipeline.Accept
	svc     *usecase.Service
	stages  *pipeline.Stages
	owners  map[string][]*owner // by group
	retired []*pipeline.Machine // whose answers may still wait
	flush   *task               // of the writer; nil: it waits for its time
	calls   []*task             // clients that read
	ready   bool                // caught up: clients may come
}

var ctx = context.Background()

// boot begins a life on what the disks have.
func (w *world) boot() {
	calm := w.calm
	w.calm = true
	defer func() { w.calm = calm }()
	s := &server{w: w, links: &links{w: w}, owners: make(map[string][]*owner)}
	w.life++
	s.tables = openTables(w, w.platter)
	var err error
	if s.store, err = store.Open(ctx, s.tables); err != nil {
		w.fail("boot: %v", err)
		return
	}
	floor := make(map[place]stream.Position)
	err = s.store.Floor(ctx, func(topic uint8, partition int32, next domain.Position) {
		if next.Offset > 0 {
			floor[place{stream.TopicID(topic), partition}] = stream.Position{Incarnation: next.Incarnation, Offset: next.Offset - 1}
		}
	})
	if err != nil {
		w.fail("boot: %v", err)
		return
	}
	s.journal = openJournal(w, w.spool, floor)
	if err := s.store.Settle(ctx, w.spool.incarnation); err != nil {
		w.fail("boot: %v", err)
		return
	}
	if err := s.store.Users.Ensure(ctx, w.users...); err != nil {
		w.fail("boot: %v", err)
		return
	}
	s.build()
	w.s = s
	w.tell("life %d begins", w.life)
	w.settleEpoch(s.store.Epoch())
	s.assign(pipeline.SingleGroup)
}

func (s *server) build() {
	quiet := slog.New(slog.DiscardHandler)
	s.writer = store.NewWriter(s.store, store.WriterOptions{
		FlushBytes: 1 << 30, Durable: s.durable, Log: quiet,
		Pause: func(context.Context, time.Duration) error {
			if s.w.current != nil {
				s.w.stop()
			}
			return nil
		},
	})
	s.accept = pipeline.NewAccept(s.journal)
	recents := memory.New(memory.Options{MaxSets: 3, MaxItems: 100})
	s.svc = &usecase.Service{
		Accept: s.accept, Store: s.store, Recents: recents, Groups: s.w.cfg.limits, Durable: s.durable, Log: quiet,
	}
	s.stages = &pipeline.Stages{
		Log: s.journal, Store: s.store, Writer: s.writer, Recents: recents, Links: s.links, Watch: watch{},
		Incarnation: s.store.Incarnation, Batch: s.w.cfg.batch, Logger: quiet,
	}
}

// durable waits like pipeline.Durable, by steps.
func (s *server) durable(context.Context) error {
	if s.journal.Stats().PendingBytes == 0 {
		return nil
	}
	told, failed := false, error(nil)
	pipeline.WhenDurable(s.journal, func(err error) { told, failed = true, err })
	for !told {
		if s.journal.err != nil {
			return s.journal.err
		}
		if s.w.current == nil {
			return errors.New("sim: nobody to wait")
		}
		s.w.stop()
	}
	return failed
}

// answers lets out what has become true.
func (s *server) answers() {
	for _, m := range s.retired {
		m.Release()
	}
	for _, o := range s.owners[pipeline.SingleGroup] {
		o.Release()
	}
}

// write lets the writer do one thing.
func (s *server) write(checkpoint bool) {
	if s.flush == nil {
		s.w.tell("the writer begins, checkpoint %t", checkpoint)
		s.flush = s.w.begin("writer", func() {
			err := s.writer.Flush(ctx, checkpoint)
			if err != nil && !s.tables.dead && s.journal.err == nil {
				s.w.fail("writer: %v", err)
			}
		})
	}
	if s.w.run(s.flush) {
		s.flush = nil
		s.w.tell("the writer is done")
	}
}
