package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

// scribe writes down the batches that a store took, in their order.
type scribe struct {
	kv.Store
	batches []kv.Batch
}

func (s *scribe) Apply(ctx context.Context, batches []kv.Batch) []error {
	s.batches = append(s.batches, batches...)
	return s.Store.Apply(ctx, batches)
}

// However much of a flush is kept by a crash, no inbox points beyond the chain
// that it is of, not even if the log is lost with it (M58).
func TestNoInboxIsStoredAheadOfItsChains(t *testing.T) {
	engine := &scribe{Store: memory.New()}
	st := openOn(t, engine)
	id := talk(t, st, 3, 10)
	state, err := st.Inboxes.Load(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	row, err := st.Inboxes.Row(t.Context(), state, id)
	if err != nil {
		t.Fatal(err)
	}
	for index := uint64(1); index <= 3; index++ {
		item, _ := state.Extend(id, index, row.Index)
		row.Touch(index, index, 1, false)
		st.Inboxes.Save(state, id, row, item)
	}
	writeAll(t, st)
	reached := 0
	for n := range len(engine.batches) + 1 {
		kept := memory.New()
		if err := errors.Join(kept.Apply(t.Context(), engine.batches[:n])...); err != nil {
			t.Fatal(err)
		}
		after := openOn(t, kept)
		items, err := after.Inboxes.Items(t.Context(), "bob", 0, 10)
		if err != nil {
			t.Fatal(err)
		}
		reached = max(reached, len(items))
		for _, it := range items {
			if _, err := after.Chains.Message(t.Context(), it.Conversation, it.Entry); err != nil {
				t.Errorf("of %d batches %d are kept, and item %d points at what is not there: %v", len(engine.batches), n, it.Index, err)
			}
		}
	}
	if reached != 3 {
		t.Errorf("the inbox has %d items in the end, want 3", reached)
	}
}

// What a commit covers is in the store, whenever it was done: an owner works on
// while the writer freezes, and its mark moves behind each step (X1).
func TestACommitCoversWhatIsStored(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	engine := memory.New()
	st := openOn(t, engine)
	fail := make(chan error, 1)
	var next, commits atomic.Int64
	id := domain.ConversationID{15: 0} // of the shard that is frozen first
	w := NewWriter(st, WriterOptions{FlushInterval: time.Millisecond, FlushBytes: 1 << 40, Log: slog.New(slog.DiscardHandler)})
	w.Register(&Mark{
		Next: &next, Kept: true, Incarnation: func() uint32 { return 1 },
		Commit: func(covered int64) error {
			commits.Add(1)
			alone, err := Open(t.Context(), engine)
			if err != nil {
				return err
			}
			head, err := alone.Chains.Head(t.Context(), id)
			if int64(head.Last) < covered {
				select {
				case fail <- fmt.Errorf("%d steps are committed, %d are stored", covered, head.Last):
				default:
				}
			}
			return err
		},
	})
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	// Others make the freeze take its time.
	var crowd []*ChainState
	for i := range 2000 {
		other := &ChainState{Chain: chat.NewChain(chat.Seed{}, chat.Head{}, nil), ID: domain.ConversationID{byte(i), byte(i >> 8), 1, 15: byte(i)}}
		other.Open([]domain.UserID{"ann"}, domain.Position{Incarnation: 1})
		crowd = append(crowd, other)
	}
	own := &ChainState{Chain: chat.NewChain(chat.Seed{}, chat.Head{}, nil), ID: id}
	own.Open([]domain.UserID{"ann"}, domain.Position{Incarnation: 1})
	for step := int64(1); commits.Load() < 12; step++ {
		out := own.Park(step, domain.Position{Incarnation: 1, Offset: step})
		st.Chains.Append(own, &out, []byte("{}"))
		next.Store(step)
		other := crowd[step%int64(len(crowd))]
		more := other.Park(step, domain.Position{Incarnation: 1, Offset: step})
		st.Chains.Append(other, &more, []byte("{}"))
		select {
		case err := <-fail:
			t.Fatal(err)
		default:
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A process that does not know that another has taken over extends no inbox: its
// write is refused, and the inbox is the other's.
func TestAZombieExtendsNoInbox(t *testing.T) {
	engine := memory.New()
	extend := func(st *Store, from domain.UserID, offset int64) {
		id := domain.DirectID(from, "bob")
		state, err := st.Inboxes.Load(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		row, err := st.Inboxes.Row(t.Context(), state, id)
		if err != nil {
			t.Fatal(err)
		}
		item, _ := state.Extend(id, row.Index+1, row.Index)
		row.Touch(row.Index+1, row.N+1, 1, false)
		state.Position = domain.Position{Incarnation: 1, Offset: offset}
		st.Inboxes.Save(state, id, row, item)
	}
	first := openOn(t, engine)
	extend(first, "ann", 1)
	writeAll(t, first)
	second := openOn(t, engine)
	extend(first, "ann", 2)
	extend(second, "eve", 3)
	writeAll(t, second)
	ended, end := context.WithCancel(t.Context())
	end()
	w := NewWriter(first, WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
	if err := w.Run(ended); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("the first one's write: %v", err)
	}
	items, err := openOn(t, engine).Inboxes.Items(t.Context(), "bob", 0, 10)
	if err != nil || len(items) != 2 || items[1].Conversation != domain.DirectID("eve", "bob") {
		t.Errorf("the inbox is %+v, %v", items, err)
	}
}

// lazy is a store that notes whether what it took is synced, and refuses its
// first checkpoint.
type lazy struct {
	kv.Store
	unsynced, refused bool
}

func (s *lazy) Apply(ctx context.Context, batches []kv.Batch) []error {
	s.unsynced = true
	return s.Store.Apply(ctx, batches)
}

func (s *lazy) Checkpoint(ctx context.Context) error {
	if !s.refused {
		s.refused = true
		return kv.ErrUnavailable
	}
	s.unsynced = false
	return s.Store.Checkpoint(ctx)
}

// The log hears of a commit only when the effects below it are synced: the
// segments that could bring them back may go then (X1).
func TestACommitFollowsTheCheckpoint(t *testing.T) {
	memory := memory.New()
	talk(t, openOn(t, memory), 1, 10) // the store is made
	engine := &lazy{Store: memory, refused: true}
	st := openOn(t, engine)
	talk(t, st, 3, 10)
	engine.refused = false
	var next atomic.Int64
	next.Store(4)
	committed := int64(0)
	w := NewWriter(st, WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
	w.Register(&Mark{
		Next: &next, Kept: true, Incarnation: func() uint32 { return 1 },
		Commit: func(covered int64) error {
			if committed = covered; engine.unsynced {
				t.Error("committed before the checkpoint")
			}
			return nil
		},
	})
	ended, end := context.WithCancel(t.Context())
	end()
	if err := w.Run(ended); err != nil || committed != 4 || !engine.refused {
		t.Errorf("committed %d, refused %v: %v", committed, engine.refused, err)
	}
}
