package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/conversation"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

func openOn(t *testing.T, s kv.Store) *Store {
	t.Helper()
	st, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// writeAll writes all that is pending.
func writeAll(t *testing.T, st *Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := NewWriter(st, WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// talk appends messages with bodies of that size to one new conversation.
func talk(t *testing.T, st *Store, messages, size int) domain.ConversationID {
	t.Helper()
	id := domain.DirectID("ann", "bob")
	s, err := st.Chains.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.Open([]domain.UserID{"ann", "bob"}, domain.Position{Incarnation: 1})
	for i := range messages {
		body := make([]byte, size)
		send := &chat.Send{Conversation: id, From: "ann", Key: fmt.Append(nil, i), Kind: chat.Text, Body: body}
		out, err := s.Send(send, domain.Position{Incarnation: 1, Offset: int64(i + 1)}, st.Chains.Past(t.Context(), id))
		if err != nil {
			t.Fatal(err)
		}
		st.Chains.Append(s, &out, body)
	}
	return id
}

func wantChain(t *testing.T, st *Store, id domain.ConversationID, last int) {
	t.Helper()
	for _, index := range []int{1, last / 2, last} {
		if m, err := st.Chains.Message(t.Context(), id, uint64(index)); err != nil || m.Index != uint64(index) {
			t.Errorf("message %d: %d, %v", index, m.Index, err)
		}
	}
	h, err := st.Chains.Head(t.Context(), id)
	if err != nil || h.Last != uint64(last) {
		t.Errorf("the chain ends with %d, want %d, %v", h.Last, last, err)
	}
	m, err := st.Chains.After(t.Context(), id, 0, last)
	if err != nil || len(m) != last {
		t.Errorf("%d messages of %d, %v", len(m), last, err)
	}
}

// One conversation gets more between two flushes than a batch of the store may
// hold.
func TestBusyConversationIsWrittenInSeveralBatches(t *testing.T) {
	engine := memory.New()
	st := openOn(t, engine)
	const messages = 2*kv.MaxBatch/8192 + 10
	id := talk(t, st, messages, 8192)
	wantChain(t, st, id, messages)
	writeAll(t, st)
	wantChain(t, openOn(t, engine), id, messages)
}

// One user, a shop, hears from more conversations between two flushes than a
// batch may have operations.
func TestBusyInboxIsWrittenInSeveralBatches(t *testing.T) {
	engine := memory.New()
	st := openOn(t, engine)
	const buyers = 2*kv.MaxBatchOps + 10
	state, err := st.Inboxes.Load(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for i := range buyers {
		id := domain.DirectID("shop", domain.UserID(fmt.Sprint(i)))
		row, err := st.Inboxes.Row(t.Context(), state, id)
		if err != nil {
			t.Fatal(err)
		}
		item, _ := state.Extend(id, 1, row.Index)
		row.Touch(1, 1, 1, false)
		st.Inboxes.Save(state, id, row, item)
	}
	writeAll(t, st)
	st = openOn(t, engine)
	items, err := st.Inboxes.Items(t.Context(), "shop", 0, buyers)
	if err != nil || len(items) != buyers {
		t.Errorf("%d items of %d, %v", len(items), buyers, err)
	}
	if _, ok, err := st.Inboxes.RowOf(t.Context(), "shop", items[0].Conversation); !ok || err != nil {
		t.Errorf("no row of the first conversation: %v", err)
	}
}

// deaf is a store whose first large write takes effect and says that it failed.
type deaf struct {
	kv.Store
	said bool
}

func (d *deaf) Apply(ctx context.Context, batches []kv.Batch) []error {
	errs := d.Store.Apply(ctx, batches)
	if d.said || len(batches) < 2 {
		return errs
	}
	d.said = true
	errs = make([]error, len(batches))
	for i := range errs {
		errs[i] = fmt.Errorf("%w: no answer", kv.ErrUnavailable)
	}
	return errs
}

// A write of several batches of one conversation takes effect but is not
// confirmed: tried again, its first batch is refused, since the head has moved
// on by more than one step. That is no other owner's doing.
func TestUnconfirmedWriteOfSeveralBatches(t *testing.T) {
	engine := &deaf{Store: memory.New()}
	st := openOn(t, engine)
	const messages = 2 * maxPendingChain / 8192
	id := talk(t, st, messages, 8192)
	if !engine.said {
		writeAll(t, st)
	}
	if !engine.said {
		t.Fatal(errors.New("no write of several batches"))
	}
	wantChain(t, openOn(t, engine), id, messages)
}

// Many conversations of one message each take far more memory than their texts.
// What they are said to take is what bounds them.
func TestPendingBytesTellOfShortChains(t *testing.T) {
	st := openOn(t, memory.New())
	const chains = 20_000
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range chains {
		peer := domain.UserID(fmt.Sprint(i))
		s := &ChainState{Chain: chat.NewChain(chat.Seed{}, chat.Head{}, nil), ID: domain.DirectID("ann", peer)}
		s.Open([]domain.UserID{"ann", peer}, domain.Position{Incarnation: 1})
		out := s.Park(1, domain.Position{Incarnation: 1, Offset: 1})
		st.Chains.Append(s, &out, []byte("{}"))
		inbox := &InboxState{ID: peer}
		st.Inboxes.Save(inbox, s.ID, &conversation.Row{Index: 1}, user.Item{Index: 1, Conversation: s.ID, Entry: 1})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	took := int64(after.HeapAlloc - before.HeapAlloc)
	if said := st.PendingBytes(); said < took/2 {
		t.Errorf("pending state takes %d bytes and is said to take %d", took, said)
	}
	runtime.KeepAlive(st)
}

// unsure is a store whose write takes effect and says that it failed; tried
// again it is refused, and then reads fail for a while.
type unsure struct {
	kv.Store
	armed  bool
	writes int
}

func (u *unsure) Apply(ctx context.Context, batches []kv.Batch) []error {
	errs := u.Store.Apply(ctx, batches)
	if !u.armed {
		return errs
	}
	if u.writes++; u.writes > 1 {
		return errs
	}
	errs = make([]error, len(batches))
	for i := range errs {
		errs[i] = fmt.Errorf("%w: no answer", kv.ErrUnavailable)
	}
	return errs
}

func (u *unsure) Get(ctx context.Context, partition, key []byte) ([]byte, error) {
	if u.writes == 2 {
		return nil, kv.ErrUnavailable
	}
	return u.Store.Get(ctx, partition, key)
}

// A conflict whose cause cannot be read yet is nobody's doing until it can: the
// Writer tries again (M56). Found by the simulation.
func TestUnreadableConflictIsTriedAgain(t *testing.T) {
	engine := &unsure{Store: memory.New()}
	st := openOn(t, engine)
	id := talk(t, st, 3, 10)
	engine.armed = true
	writeAll(t, st)
	if engine.writes < 3 {
		t.Errorf("%d writes; the refused one was not tried again", engine.writes)
	}
	wantChain(t, openOn(t, engine), id, 3)
}

// An owner begins again before what its predecessor had stored: the position in
// the store stays, since the effects do. Found by the simulation.
func TestPositionsNeverGoBack(t *testing.T) {
	engine := memory.New()
	floor := func(st *Store) (at domain.Position) {
		if err := st.Floor(t.Context(), func(_ uint8, _ int32, next domain.Position) { at = next }); err != nil {
			t.Fatal(err)
		}
		return at
	}
	for life, next := range []int64{100, 50} {
		st := openOn(t, engine)
		floor(st)
		w := NewWriter(st, WriterOptions{FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
		for _, at := range []int64{next, next - 10, next - 20} {
			mark := &Mark{Topic: 1, Kept: true, Next: new(atomic.Int64)}
			mark.Incarnation = func() uint32 { return 1 }
			mark.Commit = func(int64) error { return nil }
			mark.Next.Store(at)
			w.Register(mark)
		}
		state, err := st.Chains.Load(t.Context(), domain.DirectID("ann", domain.UserID(fmt.Sprint(life))))
		if err != nil {
			t.Fatal(err)
		}
		state.Open([]domain.UserID{"ann", "bob"}, domain.Position{Incarnation: 1})
		st.Chains.Open(state)
		if err := w.Flush(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if got := floor(openOn(t, engine)); got != (domain.Position{Incarnation: 1, Offset: 100}) {
			t.Errorf("after life %d: %+v", life, got)
		}
	}
}
