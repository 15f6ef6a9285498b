package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/user"
	hot "github.com/merchantim/merchantim/internal/hot/memory"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
	"github.com/merchantim/merchantim/internal/stream/journal"
	"github.com/merchantim/merchantim/internal/vfs"
)

// hiccup is a log that loses one append to the mixed topic as the journal does
// when a write fails: it takes the records, then says that it could not keep
// them, refuses everything meanwhile, and works again.
type hiccup struct {
	stream.Log
	mu      sync.Mutex
	appends int
	loses   int           // which append it loses
	told    chan struct{} // closed when it has said so
}

func (h *hiccup) Append(topic stream.TopicID, recs []stream.Record, done func(error)) error {
	if topic != record.MixedTopic {
		return h.Log.Append(topic, recs, done)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.appends++
	switch {
	case h.appends == h.loses:
		go func() { defer close(h.told); done(errors.New("write: no space left on device")) }()
		return nil
	case h.appends > h.loses:
		select {
		case <-h.told:
		default:
			return stream.ErrUnavailable
		}
	}
	return h.Log.Append(topic, recs, done)
}

type silent struct{}

func (silent) Outbox() Outbox { return &crowd{} }

// The log loses the fan-out of an answered message to a full disk, and has space
// again soon. The message reaches the inbox all the same, before the later ones.
func TestLostFanOutIsRepeatedInOrder(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, err := journal.Open(vfs.NewMem(), "log", journal.Options{Topics: Topics(1, 1), Groups: Groups(), SegmentBytes: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	st := openStore(t, memory.New())
	quiet := slog.New(slog.DiscardHandler)
	stages := &Stages{
		Log: &hiccup{Log: log, loses: 2, told: make(chan struct{})}, Store: st,
		Writer:  store.NewWriter(st, store.WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: quiet}),
		Recents: hot.New(hot.Options{MaxSets: 10, MaxItems: 100}), Links: silent{}, Watch: unwatched{},
		Incarnation: func() uint32 { return 1 }, Batch: 512, Logger: quiet,
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- stages.Run(ctx, func() { close(ready) }) }()
	<-ready

	accept := func(value []byte) {
		if err := log.Append(record.SingleTopic, []stream.Record{{Key: room[:], Value: value}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	const messages = 20
	accept(record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob}))
	var want []user.Item
	for i := range uint64(messages) {
		accept(said(byte(i+1), string(rune('a'+i)), ""))
		want = append(want, user.Item{Index: i + 1, Pre: i, Conversation: room, Entry: i + 1})
		time.Sleep(2 * time.Millisecond) // most in a batch of their own
	}
	var items []user.Item
	for range 1000 {
		if items, err = st.Inboxes.Items(ctx, bob, 0, 2*messages); err != nil {
			t.Fatal(err)
		}
		if len(items) > 0 && items[len(items)-1].Entry == messages {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("inbox (-want +got):\n%s", diff)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
