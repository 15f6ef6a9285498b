package pipeline

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
	hot "github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// slow is a log that tells late that fan-out is durable.
type slow struct {
	stream.Log
	told atomic.Bool
}

func (l *slow) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	if topic != record.MixedTopic {
		return l.Log.Append(topic, recs, done)
	}
	return l.Log.Append(topic, recs, func(err error) {
		go func() {
			time.Sleep(50 * time.Millisecond) // for those who do not wait for it
			l.told.Store(true)
			done(err)
		}()
	})
}

// A server is ready when what single has to repeat after a crash is durable, and
// in the inboxes (X1).
func TestReadyMeansThatTheFanOutIsThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, err := journal.Open(vfs.NewMem(), "log", journal.Options{Topics: Topics(1, 1), Groups: Groups(), SegmentBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	durable := make(chan error, 1)
	if err := log.Append(record.SingleTopic, []stream.Record{
		{Key: room[:], Value: record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob})},
		{Key: room[:], Value: said(1, "k", "")},
	}, func(err error) { durable <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-durable; err != nil {
		t.Fatal(err)
	}
	st, quiet := openStore(t, memory.New()), slog.New(slog.DiscardHandler)
	late := &slow{Log: log}
	stages := &Stages{
		Log: late, Store: st,
		Writer:  store.NewWriter(st, store.WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: quiet}),
		Recents: hot.New(hot.Options{MaxSets: 10, MaxItems: 100}), Links: silent{}, Watch: unwatched{},
		Incarnation: func() uint32 { return 1 }, Batch: 512, Logger: quiet,
	}
	ready, ended := make(chan bool, 1), make(chan error, 1)
	go func() { ended <- stages.Run(ctx, func() { ready <- late.told.Load() }) }()
	if told := <-ready; !told {
		t.Error("ready before the fan-out is durable")
	}
	if head, err := st.Inboxes.Head(ctx, bob); err != nil || head.Last != 1 {
		t.Errorf("ready with an inbox that ends at %d: %v", head.Last, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
