package usecase_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/usecase"
)

// What a client was shown is never lost: nothing of a chain is shown while the
// sync that it depends on may fail (M51).
func TestNothingIsShownBeforeItIsDurable(t *testing.T) {
	st, err := store.Open(t.Context(), memory.New())
	if err != nil {
		t.Fatal(err)
	}
	id := domain.DirectID("ann", "bob")
	chain, err := st.Chains.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	chain.Open([]domain.UserID{"ann", "bob"}, domain.Position{Incarnation: 1})
	send := &chat.Send{Conversation: id, From: "ann", Key: []byte("k"), Kind: chat.Text, Body: []byte("{}")}
	out, err := chain.Send(send, domain.Position{Incarnation: 1, Offset: 1}, st.Chains.Past(t.Context(), id))
	if err != nil {
		t.Fatal(err)
	}
	st.Chains.Append(chain, &out, send.Body)

	var failure error
	svc := &usecase.Service{
		Store: st, Durable: func(context.Context) error { return failure }, Log: slog.New(slog.DiscardHandler),
	}
	ways := map[string]func() (int, *domain.Error){
		"history": func() (int, *domain.Error) {
			m, _, refusal := svc.History(t.Context(), "bob", id, 0, 10)
			return len(m), refusal
		},
		"history after": func() (int, *domain.Error) {
			m, _, refusal := svc.HistoryAfter(t.Context(), "bob", id, 0, 10)
			return len(m), refusal
		},
		"members": func() (int, *domain.Error) {
			m, _, refusal := svc.Members(t.Context(), "bob", id, "ann", 10)
			return len(m), refusal
		},
	}
	for name, look := range ways {
		failure = nil
		if n, refusal := look(); n != 1 || refusal != nil {
			t.Errorf("%s: %d, %v", name, n, refusal)
		}
		failure = errors.New("a failed sync")
		if n, refusal := look(); n != 0 || refusal == nil || refusal.Code != domain.Unavailable {
			t.Errorf("%s before the sync: %d, %v", name, n, refusal)
		}
	}
}

// A resumption is called whole only if all that was missed comes with it: a
// page that is full before its end is not (X3).
func TestAPageThatIsFullIsNoRecovery(t *testing.T) {
	st, err := store.Open(t.Context(), memory.New())
	if err != nil {
		t.Fatal(err)
	}
	id := domain.DirectID("ann", "bob")
	chain, err := st.Chains.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := st.Inboxes.Load(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	row, err := st.Inboxes.Row(t.Context(), inbox, id)
	if err != nil {
		t.Fatal(err)
	}
	chain.Open([]domain.UserID{"ann", "bob"}, domain.Position{Incarnation: 1})
	const messages = 30 // of 30 KB: some fit into a page
	for i := range uint64(messages) {
		out := chain.Park(1, domain.Position{Incarnation: 1, Offset: int64(i + 1)})
		st.Chains.Append(chain, &out, make([]byte, 30_000))
		item, _ := inbox.Extend(id, i+1, row.Index)
		row.Touch(i+1, 0, 1, false)
		st.Inboxes.Save(inbox, id, row, item)
	}
	svc := &usecase.Service{Store: st, Log: slog.New(slog.DiscardHandler)}
	for at, whole := range map[uint64]bool{0: false, messages - 20: false, messages - 3: true, messages: true} {
		where := usecase.Position{Epoch: st.Epoch(), State: usecase.State{Inbox: at}}
		_, missed, recovered, refusal := svc.Resume(t.Context(), "bob", where)
		if recovered != whole || refusal != nil || whole && uint64(len(missed)) != messages-at {
			t.Errorf("from %d: %d come, recovered %v, %v", at, len(missed), recovered, refusal)
		}
	}
}
