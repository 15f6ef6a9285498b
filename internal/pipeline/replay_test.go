package pipeline

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/domain"
	"github.com/merchantim/merchantim/domain/chat"
	"github.com/merchantim/merchantim/domain/user"
	"github.com/merchantim/merchantim/internal/kv"
	"github.com/merchantim/merchantim/internal/kv/memory"
	"github.com/merchantim/merchantim/internal/pipeline/record"
	"github.com/merchantim/merchantim/internal/store"
	"github.com/merchantim/merchantim/internal/stream"
)

// crowd is an outbox whose users come and go by script.
type crowd struct {
	online func(domain.UserID) bool
	pushed []user.Item
}

func (c *crowd) Sent(domain.Origin, domain.ConversationID, *chat.Entry) {}
func (c *crowd) Opened(domain.Origin, domain.ConversationID)            {}
func (c *crowd) Changed(domain.Origin, domain.ConversationID, uint64)   {}
func (c *crowd) Done(domain.Origin)                                     {}
func (c *crowd) Refused(domain.Origin, *domain.Error)                   {}
func (c *crowd) Online(id domain.UserID) bool                           { return c.online != nil && c.online(id) }
func (c *crowd) Room(context.Context) error                             { return nil }
func (c *crowd) Flush()                                                 {}
func (c *crowd) Push(_ domain.UserID, item user.Item, _ domain.Origin, _ *chat.Message) {
	c.pushed = append(c.pushed, item)
}

type unwatched struct{}

func (unwatched) Batch(string, int) {}
func (unwatched) Answered(int64)    {}
func (unwatched) Pushed(int64)      {}
func (unwatched) Repeated()         {}
func (unwatched) Parked()           {}

func openStore(t *testing.T, s kv.Store) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// flushed writes all that is pending.
func flushed(t *testing.T, st *store.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := store.NewWriter(st, store.WriterOptions{FlushInterval: time.Hour, FlushBytes: 1 << 30, Log: slog.New(slog.DiscardHandler)})
	if err := w.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

var (
	ann, bob = domain.UserID("ann"), domain.UserID("bob")
	room     = domain.DirectID(ann, bob)
)

func at(offset int64, value []byte) stream.Record {
	return stream.Record{Position: stream.Position{Incarnation: 1, Offset: offset}, Key: room[:], Value: value}
}

func said(id byte, key, after string) []byte {
	return record.AppendSend(nil, domain.Origin{}, &chat.Send{
		From: ann, Key: []byte(key), After: []byte(after), ID: domain.MessageID{id}, Kind: chat.Text, Body: []byte(`{}`), At: 1,
	})
}

// fannedOut takes records through single and returns what goes to mixed.
func fannedOut(t *testing.T, st *store.Store, recs []stream.Record) []stream.Record {
	t.Helper()
	x := newSingle(st.Chains, &crowd{}, unwatched{}, 1)
	for i := range recs {
		if err := x.step(t.Context(), &recs[i]); err != nil {
			t.Fatal(err)
		}
	}
	out := x.fan.take()
	for i := range out {
		out[i].Position = stream.Position{Incarnation: 1, Offset: int64(i)}
	}
	return out
}

// A message is refused because its predecessor is missing, the predecessor
// comes, the message is sent again. The power goes when the chain is stored but
// its mixed records are not: replayed, the refused record must not be taken for
// the one that stored the message, else the message overtakes its predecessor
// and the inboxes skip the latter.
func TestReplayedRefusalDoesNotReorderFanOut(t *testing.T) {
	recs := []stream.Record{
		at(0, record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob})),
		at(1, said(1, "second", "first")), // refused
		at(2, said(2, "first", "")),
		at(3, said(3, "second", "first")),
	}
	engine := memory.New()
	st := openStore(t, engine)
	fannedOut(t, st, recs) // lost
	flushed(t, st)

	st = openStore(t, engine)
	repeated := fannedOut(t, st, recs)
	x := newMixed(st, &crowd{}, unwatched{}, 0, 1)
	for i := range repeated {
		if err := x.step(t.Context(), &repeated[i]); err != nil {
			t.Fatal(err)
		}
	}
	items, err := st.Inboxes.Items(t.Context(), bob, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []user.Item{
		{Index: 1, Pre: 0, Conversation: room, Entry: 1},
		{Index: 2, Pre: 1, Conversation: room, Entry: 2},
	}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("inbox after the replay (-want +got):\n%s", diff)
	}
}

// A user's connection is bound after mixed has looked for it, and reads the
// newest inbox index for its welcome before mixed moves that: the entry is
// pushed all the same.
func TestWhoComesOnlineMeanwhileIsPushedTo(t *testing.T) {
	st := openStore(t, memory.New())
	recs := fannedOut(t, st, []stream.Record{
		at(0, record.AppendOpen(nil, domain.Origin{}, ann, 1, []domain.UserID{ann, bob})),
		at(1, said(1, "a", "")),
	})
	var welcome uint64
	asked := 0
	links := &crowd{}
	links.online = func(id domain.UserID) bool {
		if id != bob {
			return false
		}
		if asked++; asked > 1 {
			return true
		}
		var err error
		head, err := st.Inboxes.Head(t.Context(), bob)
		if welcome = head.Last; err != nil {
			t.Error(err)
		}
		return false
	}
	x := newMixed(st, links, unwatched{}, 0, 1)
	if err := x.step(t.Context(), &recs[0]); err != nil {
		t.Fatal(err)
	}
	if welcome != 0 {
		t.Fatalf("the welcome names %d", welcome)
	}
	if len(links.pushed) != 1 || links.pushed[0].Index != 1 {
		t.Errorf("after a welcome with index 0, pushed were %v", links.pushed)
	}
}
