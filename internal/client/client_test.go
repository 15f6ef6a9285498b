package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/merchantim/merchantim/internal/client/clienttest"
	"github.com/merchantim/merchantim/internal/gateway/wire"
)

func TestTwoPeopleChat(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice, bob := start(t, f, "alice", nil), start(t, f, "bob", nil)
	conversation := open(t, alice, "bob")
	if again := open(t, bob, "alice"); again != conversation {
		t.Fatalf("bob opened %s, alice %s", again, conversation)
	}
	r := sent(t, send(t, alice, conversation, "hi \"bob\"\n😀"))
	if r.Index != 1 || r.N != 1 || r.Conversation != conversation || r.Key == "" {
		t.Errorf("receipt %+v", r)
	}
	m := next(t, bob)
	want := Message{Inbox: Place{"e1", 1}, Conversation: conversation, Index: 1, N: 1, ID: r.Message, From: "alice",
		Key: r.Key, At: r.At, Kind: KindText, Text: "hi \"bob\"\n😀", Content: []byte(`{"type":"text","text":"hi \"bob\"\n😀"}`)}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	sent(t, send(t, bob, conversation, "hello"))
	if m := next(t, alice); m.Text != "hello" || m.Inbox.Index != 2 {
		t.Errorf("alice got %+v", m)
	}
	page, err := alice.History(within(t), conversation, 0, 1)
	if err != nil || !page.More || len(page.Messages) != 1 || page.Messages[0].Text != "hello" {
		t.Errorf("history %+v, %v", page, err)
	}
	page, err = alice.HistoryAfter(within(t), conversation, 0, 10)
	if err != nil || page.More || len(page.Messages) != 2 {
		t.Errorf("history %+v, %v", page, err)
	}
	if err := alice.Read(within(t), conversation, 2); err != nil {
		t.Error(err)
	}
	list, err := alice.List(within(t), "", 0, 10)
	if err != nil || list.Cursor != "" || list.Version == 0 || len(list.Rows) != 1 || list.Rows[0].Conversation != conversation {
		t.Errorf("list %+v, %v", list, err)
	}
	if list, err = alice.List(within(t), "", list.Version, 10); err != nil || len(list.Rows) != 0 {
		t.Errorf("nothing changed, and the list is %+v, %v", list, err)
	}
}

func TestTextsTypedWithoutALinkAreSentLater(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	states := make(chan State, 100)
	alice := start(t, f, "alice", func(o *Options) { o.OnState = func(s State) { states <- s } })
	conversation := open(t, alice, "bob")
	if s := <-states; !s.Up || s.User != "alice" {
		t.Fatalf("first state %+v", s)
	}
	f.Harm(func(*wire.Frame) clienttest.Harm { return clienttest.Harm{Cut: true, Unstored: true} })
	f.CutAll()
	if s := <-states; s.Up || s.Err == nil {
		t.Fatalf("second state %+v", s)
	}
	first, second := send(t, alice, conversation, "one"), send(t, alice, conversation, "two")
	f.Harm(nil)
	if a, b := sent(t, first), sent(t, second); a.Index != 1 || b.Index != 2 {
		t.Errorf("stored at %d and %d", a.Index, b.Index)
	}
}

func TestALostAnswerDoesNotStoreTwice(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice := start(t, f, "alice", nil)
	conversation := open(t, alice, "bob")
	cuts := 3
	f.Harm(func(r *wire.Frame) (h clienttest.Harm) {
		if r.Type == wire.Send && cuts > 0 {
			cuts--
			h.Cut = true
		}
		return h
	})
	if r := sent(t, send(t, alice, conversation, "once")); r.Index != 1 {
		t.Errorf("stored at %d", r.Index)
	}
	if page, err := alice.History(within(t), conversation, 0, 0); err != nil || len(page.Messages) != 1 {
		t.Errorf("history %+v, %v", page, err)
	}
}

func TestOrderSurvivesRefusals(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice := start(t, f, "alice", nil)
	conversation := open(t, alice, "bob")
	r := rand.New(rand.NewPCG(1, 2))
	f.Harm(func(fr *wire.Frame) (h clienttest.Harm) {
		if fr.Type == wire.Send && r.IntN(8) == 0 {
			h.Refuse = []wire.Code{wire.CodeOverloaded, wire.CodeUnavailable}[r.IntN(2)]
		}
		return h
	})
	var all []*Sending
	for i := range 100 {
		all = append(all, send(t, alice, conversation, fmt.Sprint(i)))
	}
	for i, s := range all {
		if got := sent(t, s); got.Index != uint64(i+1) {
			t.Fatalf("text %d is stored at %d", i, got.Index)
		}
	}
}

func TestAFinalRefusalEndsOneTextOnly(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice := start(t, f, "alice", nil)
	conversation := open(t, alice, "bob")
	f.Harm(func(r *wire.Frame) (h clienttest.Harm) {
		if string(r.Text) == "bad" {
			h.Refuse = wire.CodeForbidden
		}
		return h
	})
	before, bad, after := send(t, alice, conversation, "a"), send(t, alice, conversation, "bad"), send(t, alice, conversation, "b")
	if a, b := sent(t, before), sent(t, after); a.Index != 1 || b.Index != 2 {
		t.Errorf("stored at %d and %d", a.Index, b.Index)
	}
	var refused *Refused
	if _, err := bad.Wait(within(t)); !errors.As(err, &refused) || refused.Code != wire.CodeForbidden {
		t.Errorf("refused with %v", err)
	}
	for _, text := range []string{"", "\xff", strings.Repeat("\x00", 20_000)} {
		if _, err := alice.Send(within(t), conversation, text); !errors.Is(err, ErrText) {
			t.Errorf("%.10q: %v", text, err)
		}
	}
}

func TestWhatTheServerCannotTakeIsNotRepeated(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice := start(t, f, "alice", nil)
	conversation := open(t, alice, "bob")
	f.Harm(func(r *wire.Frame) (h clienttest.Harm) {
		if string(r.Text) == "bad" {
			return clienttest.Harm{Cut: true, Unstored: true, Close: wire.CloseBadFrame}
		}
		return h
	})
	if _, err := send(t, alice, conversation, "bad").Wait(within(t)); !errors.Is(err, ErrNotOfProtocol) {
		t.Errorf("ended with %v", err)
	}
	sent(t, send(t, alice, conversation, "good"))
}

func TestANewEpochIsReadFromTheStart(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice, bob := start(t, f, "alice", nil), start(t, f, "bob", nil)
	conversation := open(t, alice, "bob")
	sent(t, send(t, alice, conversation, "one"))
	sent(t, send(t, alice, conversation, "two"))
	for _, want := range []string{"one", "two"} {
		if m := next(t, bob); m.Text != want {
			t.Fatalf("got %q", m.Text)
		}
	}
	f.Renumber("e2")
	f.CutAll()
	for i, want := range []string{"one", "two"} {
		if m := next(t, bob); m.Text != want || m.Inbox != (Place{"e2", uint64(i + 1)}) {
			t.Fatalf("got %+v", m)
		}
	}
}

func TestANextProcessGoesOnWhereTheLastStopped(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice := start(t, f, "alice", nil)
	conversation := open(t, alice, "bob")
	file := filepath.Join(t.TempDir(), "bob.messages")
	kept := func(o *Options) { o.Store, o.FromNow = openFile(t, file), true }
	sent(t, send(t, alice, conversation, "before bob's time"))

	bob := start(t, f, "bob", kept)
	if err := bob.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 30 {
		sent(t, send(t, alice, conversation, fmt.Sprint(i)))
	}
	bob = start(t, f, "bob", kept)
	for i := range 20 {
		if m := next(t, bob); m.Text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Text)
		}
	}
	if err := bob.Close(); err != nil {
		t.Fatal(err)
	}
	bob = start(t, f, "bob", kept)
	for i := 20; i < 30; i++ {
		if m := next(t, bob); m.Text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, m.Text)
		}
	}
}

func TestASlowReaderLosesNothingAndHoldsLittle(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Inflight(256)
	alice := start(t, f, "alice", nil)
	bob := start(t, f, "bob", func(o *Options) { o.Queue = 4 })
	conversation := open(t, alice, "bob")
	if err := bob.Ready(within(t)); err != nil {
		t.Fatal(err)
	}
	var all []*Sending
	for i := range 600 { // more than the line and what is kept ahead
		all = append(all, send(t, alice, conversation, fmt.Sprint(i)))
	}
	for _, s := range all {
		sent(t, s)
	}
	for i := range 600 {
		if m := next(t, bob); m.Text != fmt.Sprint(i) || m.Inbox.Index != uint64(i+1) {
			t.Fatalf("message %d is %+v", i, m)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	alice := start(t, f, "alice", func(o *Options) { o.Outbox = 2 })
	conversation := open(t, alice, "bob")
	f.Harm(func(r *wire.Frame) clienttest.Harm { return clienttest.Harm{Refuse: wire.CodeOverloaded} })
	first := send(t, alice, conversation, "never answered")
	send(t, alice, conversation, "nor this")
	full, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := alice.Send(full, conversation, "no room"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a full outbox took a text: %v", err)
	}
	impatient, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := alice.Open(impatient, "carol"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open: %v", err)
	}
	if err := alice.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Wait(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("unanswered: %v", err)
	}
	if _, err := alice.Send(within(t), conversation, "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("send: %v", err)
	}
	if _, err := alice.Open(within(t), "bob"); !errors.Is(err, ErrClosed) {
		t.Errorf("open: %v", err)
	}
	if _, ok := <-alice.Messages(); ok {
		t.Error("a message after Close")
	}
}

func TestCloseWithoutAServer(t *testing.T) {
	t.Parallel()
	f := clienttest.New(t)
	f.Close()
	c := start(t, f, "alice", nil)
	soon, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := c.Ready(soon); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ready without a server: %v", err)
	}
}
