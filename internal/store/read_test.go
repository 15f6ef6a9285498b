package store

import (
	"context"
	"testing"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
)

// between calls a function once, after the next scan that goes backwards.
type between struct {
	kv.Store
	call func()
}

func (b *between) Scan(ctx context.Context, partition []byte, r kv.Range, fn func(key, value []byte) error) error {
	err := b.Store.Scan(ctx, partition, r, fn)
	if call := b.call; r.Reverse && call != nil {
		b.call = nil
		call()
	}
	return err
}

// A reader has looked at what is pending and at where the stored runs begin;
// then more comes and is written, twice, before it reads the runs.
func TestInboxPageHasNoGapWhileItIsWritten(t *testing.T) {
	engine := &between{Store: memory.New()}
	st := openOn(t, engine)
	state, err := st.Inboxes.Load(t.Context(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	id := domain.DirectID("ann", "bob")
	receive := func() {
		row, err := st.Inboxes.Row(t.Context(), state, id)
		if err != nil {
			t.Fatal(err)
		}
		item, _ := state.Extend(id, row.Index+1, row.Index)
		row.Touch(row.Index+1, row.N+1, 1, false)
		st.Inboxes.Save(state, id, row, item)
	}
	receive()
	receive()
	engine.call = func() {
		receive()
		writeAll(t, st)
		receive()
		writeAll(t, st)
	}
	items, err := st.Inboxes.Items(t.Context(), "ann", 1, 10)
	if err != nil || len(items) == 0 || items[0].Index != 2 {
		t.Errorf("the page after 1 is %v, %v", items, err)
	}
}

func TestHistoryPageHasNoGapWhileItIsWritten(t *testing.T) {
	engine := &between{Store: memory.New()}
	st := openOn(t, engine)
	id := domain.DirectID("ann", "bob")
	s, err := st.Chains.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.Open([]domain.UserID{"ann", "bob"}, domain.Position{Incarnation: 1})
	say := func() {
		key := []byte{byte(s.Head.Last) + 'a'}
		send := &chat.Send{Conversation: id, From: "ann", Key: key, Kind: chat.Text, Body: []byte("{}")}
		out, err := s.Send(send, domain.Position{Incarnation: 1, Offset: int64(s.Head.Last) + 1}, st.Chains.Past(t.Context(), id))
		if err != nil {
			t.Fatal(err)
		}
		st.Chains.Append(s, &out, send.Body)
	}
	say()
	say()
	engine.call = func() {
		say()
		writeAll(t, st)
		say()
		writeAll(t, st)
	}
	m, err := st.Chains.After(t.Context(), id, 1, 10)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m {
		if m[i].Index != uint64(i+2) {
			t.Fatalf("the %d. message after 1 has index %d", i+1, m[i].Index)
		}
	}
}

// Pages across what is stored, what is being written and what is new, several
// runs of each: every page is what the whole chain has there.
func TestPagesAcrossGenerations(t *testing.T) {
	st := openOn(t, memory.New())
	id := domain.DirectID("ann", "bob")
	s, err := st.Chains.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.Open([]domain.UserID{"ann", "bob"}, domain.Position{Incarnation: 1})
	more := func() {
		for range 2*maxRunEntries + 10 {
			out := s.Park(1, domain.Position{Incarnation: 1, Offset: int64(s.Head.Last) + 1})
			st.Chains.Append(s, &out, []byte("{}"))
		}
	}
	more()
	writeAll(t, st)
	more()
	st.Chains.freeze() // being written
	more()
	last := s.Head.Last
	for index := uint64(1); index <= last+1; index += 7 {
		for _, limit := range []uint64{1, 3, 300} {
			m, err := st.Chains.Before(t.Context(), id, index, int(limit))
			wantPage(t, m, err, index-min(limit, index-1), index-1)
			m, err = st.Chains.After(t.Context(), id, index-1, int(limit))
			wantPage(t, m, err, index, min(index-1+limit, last))
		}
	}
}

func wantPage(t *testing.T, m []chat.Message, err error, first, last uint64) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if uint64(len(m)) != last+1-first {
		t.Fatalf("%d messages, want those from %d to %d", len(m), first, last)
	}
	for i := range m {
		if m[i].Index != first+uint64(i) {
			t.Fatalf("message %d where %d belongs", m[i].Index, first+uint64(i))
		}
	}
}

// counted counts the scans of a store.
type counted struct {
	kv.Store
	scans int
}

func (c *counted) Scan(ctx context.Context, partition []byte, r kv.Range, fn func(key, value []byte) error) error {
	c.scans++
	return c.Store.Scan(ctx, partition, r, fn)
}

// A message that was just written is read without the store, as a stage that is
// a little behind needs it; one flush later it comes from there, the same.
func TestAMessageStaysAtHandForOneFlush(t *testing.T) {
	engine := &counted{Store: memory.New()}
	st := openOn(t, engine)
	id := talk(t, st, 3, 100)
	writeAll(t, st)
	before := engine.scans
	at, err := st.Chains.Message(t.Context(), id, 2)
	if err != nil || engine.scans != before {
		t.Errorf("%d scans for a message at hand, %v", engine.scans-before, err)
	}
	writeAll(t, st)
	stored, err := st.Chains.Message(t.Context(), id, 2)
	if err != nil || engine.scans == before {
		t.Errorf("the message is still at hand, %v", err)
	}
	if string(at.Body) != string(stored.Body) || at.Index != stored.Index || string(at.Key) != string(stored.Key) {
		t.Errorf("at hand %+v, stored %+v", at, stored)
	}
}
