package store

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

// hooked calls a function at the begin of each write.
type hooked struct {
	kv.Store
	before func()
}

func (h *hooked) Apply(ctx context.Context, batches []kv.Batch) []error {
	if h.before != nil {
		h.before()
	}
	return h.Store.Apply(ctx, batches)
}

// What is being written is read all the same: it is pending until it is in the
// store (M51).
func TestReadersSeeWhatIsBeingWritten(t *testing.T) {
	engine := &hooked{Store: memory.New()}
	st := openOn(t, engine)
	id := talk(t, st, 3, 10)
	looked := 0
	engine.before = func() {
		looked++
		wantChain(t, st, id, 3)
	}
	writeAll(t, st)
	if looked == 0 {
		t.Error("nothing was written")
	}
}

// Nothing is stored whose records may yet be lost: after a crash the store would
// be ahead of the log (X1).
func TestNothingIsStoredBeforeItIsDurable(t *testing.T) {
	engine, failure := memory.New(), errors.New("a failed sync")
	st := openOn(t, engine)
	id := talk(t, st, 3, 10)
	w := NewWriter(st, WriterOptions{
		FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler),
		Durable: func(context.Context) error { return failure },
	})
	for _, checkpoint := range []bool{false, true} {
		if err := w.flush(t.Context(), checkpoint); !errors.Is(err, failure) {
			t.Errorf("checkpoint %v: %v", checkpoint, err)
		}
	}
	head, err := openOn(t, engine).Chains.Head(t.Context(), id)
	if err != nil || head.Exists() {
		t.Errorf("stored is %+v, %v", head, err)
	}
	failure = nil
	if err := w.flush(t.Context(), false); err != nil {
		t.Error(err)
	}
	wantChain(t, openOn(t, engine), id, 3)
}

// A numbering that lost entries gets another name, and keeps it (X3).
func TestTheEpochFollowsTheIncarnation(t *testing.T) {
	engine := memory.New()
	named := make(map[string]uint32)
	for i, incarnation := range []uint32{1, 1, 2, 2, 5} {
		st := openOn(t, engine)
		if err := st.Settle(t.Context(), incarnation); err != nil {
			t.Fatal(err)
		}
		if before, known := named[st.Epoch()]; known && before != incarnation || st.Incarnation() != incarnation {
			t.Errorf("life %d: incarnation %d has the epoch %q of %d", i, incarnation, st.Epoch(), before)
		}
		named[st.Epoch()] = incarnation
	}
	if len(named) != 3 {
		t.Errorf("three incarnations have the epochs %v", named)
	}
}

// The members as of any entry are those that it was made for, whether what came
// after is pending or stored (M58).
func TestMembersAsOfEveryEntry(t *testing.T) {
	engine := memory.New()
	st := openOn(t, engine)
	id, limits := domain.ConversationID{1}, chat.Limits{Members: 100, Large: 3}
	state, err := st.Chains.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	type then struct {
		Members   []chat.Member
		Diffusion chat.Diffusion
	}
	want := make(map[uint64]then)
	keep := func(steps []chat.Step, refusal *domain.Error) {
		t.Helper()
		if refusal != nil || len(steps) == 0 {
			t.Fatal(steps, refusal)
		}
		st.Chains.Alter(state, steps)
		for i := range steps {
			want[steps[i].Change.Index] = then{state.Head.Members, steps[i].Change.After}
		}
	}
	place := func(offset int64) domain.Position { return domain.Position{Incarnation: 1, Offset: offset} }
	keep(state.Create(&chat.Creation{From: "ann", Members: []domain.UserID{"bob"}, Limits: limits}, place(1)))
	for i, ch := range []chat.Changing{
		{Add: []domain.UserID{"eve"}}, {Add: []domain.UserID{"joe", "sue"}}, {Remove: []domain.UserID{"bob"}},
		{Add: []domain.UserID{"bob"}, Remove: []domain.UserID{"eve"}}, {Remove: []domain.UserID{"bob", "joe", "sue"}},
	} {
		ch.From, ch.Limits = "ann", limits
		keep(state.Alter(&ch, place(int64(i+2))))
	}
	check := func(state *ChainState, of *Store) {
		t.Helper()
		for index := uint64(1); index <= state.Head.Last; index++ {
			members, d, err := of.Chains.AsOf(t.Context(), state, index)
			if diff := cmp.Diff(want[index], then{members, d}); diff != "" || err != nil {
				t.Errorf("entry %d, %v (-want +got):\n%s", index, err, diff)
			}
		}
	}
	check(state, st)
	writeAll(t, st)
	st = openOn(t, engine)
	if state, err = st.Chains.Load(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	check(state, st)
}
