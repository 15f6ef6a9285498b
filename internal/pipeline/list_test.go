package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/internal/hot"
	hotmemory "github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// stuck holds mixed up: asking whether a user is online waits.
type stuck struct {
	crowd
	wait <-chan struct{}
}

func (s *stuck) Room(context.Context) error { return nil }

func (s *stuck) Online(domain.UserID) bool { <-s.wait; return false }

type stuckLinks struct{ wait <-chan struct{} }

func (l stuckLinks) Outbox() Outbox { return &stuck{wait: l.wait} }

// touches tells of the touches that a hot engine gets.
type touches struct {
	hot.Recents
	mu  sync.Mutex
	got map[string]int
}

func (r *touches) Touch(ctx context.Context, set string, it hot.Item) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[set]++
	return r.Recents.Touch(ctx, set, it)
}

func (r *touches) count(set string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[set]
}

// A list that is filled while mixed is held up does not have the newest
// conversation, since its row is not there; so the touch must come after, else
// the list would lack that conversation until its next message.
func TestListIsTouchedAfterItsRowIsThere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, err := journal.Open(vfs.NewMem(), "log", journal.Options{Topics: Topics(1, 1), Groups: Groups(), SegmentBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	st := openStore(t, memory.New())
	quiet := slog.New(slog.DiscardHandler)
	recents := &touches{Recents: hotmemory.New(hotmemory.Options{MaxSets: 10, MaxItems: 100}), got: make(map[string]int)}
	held := make(chan struct{})
	stages := &Stages{
		Log: log, Store: st,
		Writer:  store.NewWriter(st, store.WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: quiet}),
		Recents: recents, Links: stuckLinks{held}, Watch: unwatched{},
		Incarnation: func() uint32 { return 1 }, Batch: 512, Logger: quiet,
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- stages.Run(ctx, func() { close(ready) }) }()
	<-ready
	for _, value := range [][]byte{
		record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob}), said(1, "a", ""),
	} {
		if err := log.Append(record.SingleTopic, []stream.Record{{Key: room[:], Value: value}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // list has time to run ahead
		time.Sleep(time.Millisecond)
		if _, ok, err := st.Inboxes.RowOf(ctx, bob, room); ok || err != nil {
			t.Fatalf("mixed is not held up: %v", err)
		}
		if recents.count("bob") > 0 {
			t.Fatal("the list was touched before its row was there")
		}
	}
	close(held)
	for range 1000 {
		if recents.count("bob") > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if recents.count("bob") != 1 {
		t.Errorf("the list was touched %d times", recents.count("bob"))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
